"""A planner behind an OpenAI-compatible server: a scripted one, on the loopback."""

import asyncio
import base64
import io
import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image as Pillow

from llava_plus.agent import AnswerDelta, ThoughtDelta
from llava_plus.agent.halt import HaltedError
from llava_plus.agent.planners.remote import RemotePlanner
from llava_plus.agent.planners.remote_config import RemoteConfig
from llava_plus.errors import SetupError
from llava_plus.ui.cli import main

KEY = "sk-never-to-be-seen"
USAGE = {
    "prompt_tokens": 50,
    "completion_tokens": 10,
    "total_tokens": 60,
    "prompt_tokens_details": {"cached_tokens": 40},
}


def chunk(finish=None, **delta):
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def says(text, finish="stop", field="content"):
    pieces = [text[start : start + 4] for start in range(0, len(text), 4)]
    return [*(chunk(**{field: piece}) for piece in pieces), chunk(finish), used()]


def used():
    return {"choices": [], "usage": USAGE}


def calls(*pairs, words="", same_index=False):
    """Chunks of tool calls, each in three pieces."""
    chunks = says(words)[:-2] if words else []
    for number, (name, arguments) in enumerate(pairs):
        head = {"id": f"id{number}", "type": "function"}
        index = 0 if same_index else number
        whole = arguments if isinstance(arguments, str) else json.dumps(arguments)
        half = len(whole) // 2
        for part in (
            {**head, "function": {"name": name, "arguments": ""}},
            {"function": {"arguments": whole[:half]}},
            {"function": {"arguments": whole[half:]}},
        ):
            chunks.append(chunk(tool_calls=[{"index": index, **part}]))
    return [*chunks, chunk("tool_calls"), used()]


FIND = calls(("detect", {"image": "img_1", "label": "face"}))


class ChatServer:
    """Plays replies in order: chunks of a stream, a status with its error, or a function."""

    def __init__(self):
        self.script = []
        self.requests = []
        self.headers = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.requests.append(body)
                outer.headers.append({name.lower(): self.headers[name] for name in self.headers})
                reply = outer.script.pop(0)
                if callable(reply):
                    reply(self)
                elif isinstance(reply, tuple):
                    outer.fail(self, *reply)
                else:
                    outer.stream(self, reply)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    @staticmethod
    def stream(handler, chunks, done=True, **headers):
        handler.send_response(200)
        for name, value in {"Content-Type": "text/event-stream", **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        for one in chunks:
            handler.wfile.write(f"data: {json.dumps(one)}\n\n".encode())
            handler.wfile.flush()
        handler.wfile.write(b"data: [DONE]\n\n" if done else b"")

    @staticmethod
    def fail(handler, status, message, headers=()):
        body = json.dumps({"error": {"message": message}}).encode()
        handler.send_response(status)
        for name, value in dict(headers).items():
            handler.send_header(name, value)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        handler.wfile.write(body)

    @property
    def prompts(self):
        """What each request said, as bytes that may begin those of the next."""
        return [json.dumps(request["messages"]).removesuffix("]") for request in self.requests]


@pytest.fixture
def server():
    server = ChatServer()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def planner(server):
    def make(*script, **config):
        server.script += script
        return RemotePlanner(
            RemoteConfig(**{"model": "tiny", "address": server.url, "pause": 0.01, **config})
        )

    return make


def ask(session, planner, picture, message="Find the faces"):
    return session(planner=planner).run_sync(message, [picture]).turns[-1]


def urls_of(request):
    parts = [part for message in request["messages"] for part in message["content"]]
    return [part["image_url"]["url"] for part in parts if "image_url" in part]


def test_a_session_streams_calls_tools_and_answers(
    session, planner, server, skills, picture, events_of
):
    blur = calls(("blur", {"image": "img_1", "region": "boxes_1"}), words="Now blur.")
    find = [*says("Look first.", field="reasoning_content")[:3], *FIND]
    remote = planner(find, blur, says("{boxes_1} in {img_2}."))
    events = events_of(session(planner=remote).run("Blur the faces", [picture]))
    turn, trace = events[-1].turn, events[-1].trace
    assert (turn.answer, turn.reason) == ("2 faces in img_2.", "answered")
    assert [step.thought for step in turn.steps] == ["Look first.", "Now blur.", ""]
    assert [step.actions[0].id for step in turn.steps[:2]] == ["call_1", "call_2"]
    assert sum(isinstance(event, AnswerDelta) for event in events) > 3
    thoughts = [event.text for event in events if isinstance(event, ThoughtDelta)]
    assert len(thoughts) > 2
    assert "".join(thoughts) == "Look first."  # "Now blur." was on the screen already
    assert trace.planner == "tiny"
    request = server.requests[-1]
    assert request["tools"] == skills.openai_tools()
    assert (request["model"], request["stream"]) == ("tiny", True)
    assert request["stream_options"] == {"include_usage": True}
    for shorter, longer in pairwise(server.prompts):
        assert longer.startswith(shorter)
    assert len(urls_of(request)) == len(set(urls_of(request))) == 2
    assert remote.spent.requests == 3
    assert (remote.spent.read, remote.spent.cached, remote.spent.written) == (150, 120, 30)


@pytest.mark.parametrize("format", ["jpeg", "png"])
def test_pictures_are_scaled_to_the_longest_side(session, planner, server, format):
    remote = planner(says("ok"), longest_side=32, picture_format=format)
    ask(session, remote, np.full((40, 80, 3), 99, np.uint8))
    head, _, data = urls_of(server.requests[0])[0].partition(",")
    assert head == f"data:image/{format};base64"
    sent = Pillow.open(io.BytesIO(base64.b64decode(data)))
    assert (sent.size, sent.getpixel((5, 5))) == ((32, 16), (99, 99, 99))


@pytest.mark.parametrize("same_index", [False, True])
def test_parallel_calls_are_calls_of_one_step(session, planner, picture, same_index):
    both = calls(
        ("read", {"image": "img_1"}),
        ("detect", {"image": "img_1", "label": "face"}),
        same_index=same_index,
    )
    turn = ask(session, planner(both, says("{lines_1}, {boxes_1}")), picture)
    assert [call.skill for call in turn.steps[0].actions] == ["read", "detect"]
    assert turn.answer == '"OPEN", 2 faces'


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (calls(("read", '{"image": "img')), "The arguments of read cannot be read"),
        (calls(("read", "[1, 2]")), "must be one JSON object"),
        (says(""), "The output is empty"),
        (says("It is a", finish="length"), "did not end within its limit"),
        ([*calls(("read", '{"im'))[:-2], chunk("length")], "did not end within its limit"),
    ],
)
def test_what_cannot_be_read_is_told_to_the_model_once(
    session, planner, server, picture, reply, told
):
    turn = ask(session, planner(reply, says("Sorry.")), picture)
    assert turn.answer == "Sorry."
    assert told in turn.steps[0].observations[0].text
    assert told in server.requests[1]["messages"][-1]["content"]
    assert server.prompts[1].startswith(server.prompts[0])


def test_an_unknown_tool_is_told_with_the_nearest_name(session, planner, server, picture):
    turn = ask(session, planner(calls(("blurr", {})), says("ok")), picture)
    assert turn.answer == "ok"
    told = server.requests[1]["messages"][-1]
    assert told["role"] == "tool"
    assert "Did you mean 'blur'?" in told["content"]


def test_a_refusal_is_the_answer(session, planner, picture):
    turn = ask(session, planner(says("Not that.", field="refusal")), picture)
    assert turn.reason == "answered"
    assert turn.answer == (
        "The model refused: Not that. Put the request in other words, or use another planner."
    )


def cut(reply, **headers):
    """End a stream early; with a length promised, httpx notices by itself."""
    return lambda handler: ChatServer.stream(handler, reply[:2], done=False, **headers)


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "99999"}])
def test_a_stream_that_breaks_off_is_said_and_what_came_is_kept(
    session, planner, server, picture, headers
):
    turn = ask(session, planner(cut(says("I see a dog"), **headers)), picture)
    assert turn.reason == "error"
    assert turn.answer.startswith("I see a")
    assert server.url in turn.answer
    assert len(server.requests) == 1


def test_what_passes_is_tried_again(session, planner, server, picture):
    limit = (429, "slow down", {"Retry-After": "0"})
    turn = ask(session, planner(limit, (503, "busy"), cut([]), says("At last.")), picture)
    assert turn.answer == "At last."
    assert len(server.requests) == 4


def said(session, planner, picture):
    turn = ask(session, planner, picture)
    assert turn.reason == "error"
    return turn.answer


@pytest.mark.parametrize(
    ("reply", "sentence"),
    [
        ((400, '"auto" tool choice requires --x'), "plan with dialect: json."),
        ((400, "maximum context length is 4096"), "Begin a new session"),
        ((400, "this is no multimodal model"), "Use a model that reads pictures."),
        ((400, "what?"), "refuses the request (400: what?). See its log."),
        ((401, "no key"), "wants a key (401: no key). Put it into an environment variable"),
        ((402, "no money"), "the account has nothing left"),
        ((404, "no such model"), "has no model 'tiny'"),
        ((429, "too fast"), "has too many requests (429: too fast). Wait"),
        ((500, "x" * 5000), "xx…). See its log, and ask again."),
        ((307, "", {"Location": "http://127.0.0.1:1/v1"}), "sends on to another address (307)"),
        (says("", finish="content_filter"), "content filter"),
        ([{"error": {"message": "CUDA out of memory"}}], "failed while it replied: CUDA out"),
        (lambda handler: handler.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n<html>"), "usually ends in"),
        (lambda handler: ChatServer.stream(handler, [], Server="x"), "usually ends in"),
    ],
)
def test_what_goes_wrong_is_a_sentence_that_says_what_to_do(
    session, planner, picture, reply, sentence
):
    answer = said(session, planner(reply, retries=0), picture)
    assert answer.startswith("The planner cannot work: http://127.0.0.1:")
    assert sentence in answer
    assert len(answer) < 700


def test_a_server_that_is_not_there_is_said(session, planner, server, picture):
    remote = planner()
    server.http.shutdown()
    server.http.server_close()
    assert "cannot be reached" in said(session, remote, picture)


def test_a_silent_server_is_given_up(session, planner, picture):
    over = threading.Event()
    remote = planner(lambda handler: over.wait(30), timeout=0.5)
    assert "did not finish within 0.5 seconds" in said(session, remote, picture)
    over.set()


def test_stopping_ends_the_request_at_once(session, planner, picture, server):
    gone = threading.Event()

    def babble(handler):
        try:
            while True:
                ChatServer.stream(handler, [chunk(content="bla ")], done=False)
        except OSError:
            gone.set()

    remote = planner(babble)
    chat = session(planner=remote)

    async def stop_when_it_talks():
        events = [event async for event in listen()]
        return events[-1].turn

    async def listen():
        async for event in chat.run("go", [picture]):
            yield event
            if isinstance(event, AnswerDelta):
                chat.stop()

    assert asyncio.run(stop_when_it_talks()).reason == "cancelled"
    assert gone.wait(30)


def test_a_view_that_is_cancelled_stops_the_plan_without_any_loop(session, planner, picture):
    over, views = threading.Event(), []
    remote = planner(lambda handler: over.wait(30))
    chat = session(lambda view: views.append(view) or "ok")
    chat.run_sync("go", [picture])
    view = views[0]
    view.cancel.clear()

    async def run():
        asyncio.get_running_loop().call_later(0.1, view.cancel.set)
        return [item async for item in remote.plan(view)]

    with pytest.raises(HaltedError):
        asyncio.run(run())
    over.set()


def test_the_token_budget_ends_a_request_with_what_there_is(session, planner, server, picture):
    remote = planner(FIND, calls(("read", {"image": "img_1"})), budget_tokens=100)
    answer = said(session, remote, picture)
    assert "budget_tokens, 100, is used up: 120 tokens in 2 requests." in answer
    assert 'So far: detect: 2 faces; read: "OPEN".' in answer
    assert len(server.requests) == 2


def test_money_is_counted_and_limited(session, planner, picture):
    prices = {"price_read": 2, "price_cached": 0.5, "price_written": 10}
    remote = planner(says("ok"), says("ok"), budget_money=0.0002, currency="EUR", **prices)
    chat = session(planner=remote)
    assert chat.run_sync("one", [picture]).turns[-1].reason == "answered"
    assert remote.spent.money == pytest.approx((10 * 2 + 40 * 0.5 + 10 * 10) / 1e6)
    chat.run_sync("two")
    answer = chat.run_sync("three").turns[-1].answer
    assert "budget_money, 0.0002 EUR, is used up: 0.00028 EUR in 2 requests" in answer


def test_a_budget_needs_a_server_that_counts(session, planner, picture):
    remote = planner(says("ok")[:-1], budget_tokens=100)
    assert "does not say how many tokens" in said(session, remote, picture)
    assert ask(session, planner(says("ok")[:-1]), picture).answer == "ok"


@pytest.fixture
def key(monkeypatch):
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "of-the-environment")
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")


def test_the_key_goes_to_the_server_and_nowhere_else(
    session, planner, server, picture, key, caplog
):
    with caplog.at_level(logging.DEBUG):
        remote = planner((401, f"Incorrect key: {KEY}"), key_from="MY_KEY")
        trace = session(planner=remote).run_sync("go", [picture])
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert "refuses the key from MY_KEY (401: Incorrect key: [the key])" in trace.turns[0].answer
    assert KEY not in trace.to_json() + caplog.text + repr(remote.config) + str(server.requests)


def test_a_bug_while_asking_does_not_log_the_key(session, planner, picture, key, caplog):
    remote = planner(says("ok"), key_from="MY_KEY", body={"x": {1, 2}})  # sets are no JSON
    assert "The planner failed: TypeError" in said(session, remote, picture)
    assert caplog.text
    assert KEY not in caplog.text


def test_no_key_is_sent_unless_one_is_named(session, planner, server, picture, key):
    ask(session, planner(says("ok")), picture)
    assert "authorization" not in server.headers[0]
    assert "of-the-environment" not in str(server.headers[0])


def test_a_missing_or_damaged_key_is_said_at_the_start(planner, monkeypatch):
    with pytest.raises(SetupError, match="MY_KEY, which is to hold the key"):
        planner(key_from="MY_KEY")
    monkeypatch.setenv("MY_KEY", "sk-a b")
    with pytest.raises(SetupError, match="What MY_KEY holds is no key") as error:
        planner(key_from="MY_KEY")
    assert "sk-a" not in str(error.value)


STEP = '{"thought":"Look.","actions":[{"skill":"blur","args":{"image":"img_1"}}]}'


@pytest.mark.parametrize("output", ["json_schema", "json_object", "text"])
def test_the_json_dialect_goes_through_the_content(session, planner, server, picture, output):
    answer = '{"thought":"","answer":"It is {img_2}."}'
    remote = planner(says(f"```json\n{STEP}```"), says(answer), dialect="json", output=output)
    turn = ask(session, remote, picture)
    assert (turn.answer, turn.steps[0].thought) == ("It is img_2.", "Look.")
    last = server.requests[1]
    assert "tools" not in last
    assert last["messages"][0]["content"].startswith("You help people with pictures.")
    assert "blur(image: Image, *, region: Region" in last["messages"][0]["content"]
    assert [message["role"] for message in last["messages"]] == [
        "system", "user", "assistant", "user",
    ]  # fmt: skip
    assert len(urls_of(last)) == 2
    assert server.prompts[1].startswith(server.prompts[0])
    asked = last.get("response_format", {"type": "text"})
    assert asked["type"] == output
    if output == "json_schema":
        ways = asked["json_schema"]["schema"]["anyOf"]
        assert [way["required"] for way in ways] == [["thought", "actions"], ["thought", "answer"]]


def test_more_fields_are_sent_and_null_takes_one_out(session, planner, server, picture):
    body = {"max_tokens": None, "max_completion_tokens": 9, "chat_template_kwargs": {"a": False}}
    ask(session, planner(says("ok"), body=body, temperature=0), picture)
    request = server.requests[0]
    assert "max_tokens" not in request
    assert (request["max_completion_tokens"], request["temperature"]) == (9, 0)
    assert request["chat_template_kwargs"] == {"a": False}


def test_sessions_in_several_threads_share_a_planner(session, planner, server, picture):
    remote = planner(*[says("ok")] * 6)
    with ThreadPoolExecutor(6) as pool:
        turns = list(pool.map(lambda _: ask(session, remote, picture), range(6)))
    assert [turn.answer for turn in turns] == ["ok"] * 6
    assert remote.spent.requests == 6


def test_the_command_line_takes_an_address(server, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    server.script.append(says("Hello there."))
    with suppress(SystemExit):
        main(["chat", "-m", "hi", "--planner", f"openai:tiny@{server.url}"])
    assert "Hello there." in capsys.readouterr().out
    assert server.requests[0]["messages"][-1] == {"role": "user", "content": "hi"}
