"""A chat server that teaches by rules, on the loopback, and drawn scenes."""

import asyncio
import hashlib
import json
import re
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from llava_plus.agent import Agent
from llava_plus.data_gen.sources import DrawnScenes
from llava_plus.data_gen.teacher import Teacher, TeacherConfig
from llava_plus.data_gen.truth import with_truths
from llava_plus.data_gen.writing import Material
from llava_plus.skills import default_registry

ARGUMENTS = {
    "detect": {"label": "face"},
    "adjust": {"brightness": 0.3},
    "rotate": {"degrees": 90},
}


def words_of(body):
    """All text of a request."""
    contents = [message["content"] for message in body["messages"]]
    texts = [
        content if isinstance(content, str) else " ".join(p.get("text", "") for p in content)
        for content in contents
    ]
    return "\n".join(texts)


def lesson(body):
    """What a sensible teacher says: it names the skill in its requests and calls it."""
    words = words_of(body)
    tag = hashlib.sha256(words.encode()).hexdigest()[:6]
    if "You collect requests" in words:
        kinds = ("Kindly", "Quickly", "Well,")
        return json.dumps({"requests": [f"{kind} do {tag} {n}" for n, kind in enumerate(kinds)]})
    if "Write one new request" in words:
        skill = re.search(r"^- (\w+)\(", words, re.MULTILINE)[1]
        return json.dumps({"request": f"Use your {skill} on it, {tag}."})
    if '"turns"' in words:
        talk = {"question": f"What is there? {tag}", "thought": "I look.", "answer": "A scene."}
        return "Here it is:\n```json\n" + json.dumps({"turns": [talk, talk]}) + "\n```"
    if "You show how a good assistant works" in words:
        return acted(body)
    if "says next" in words:
        return json.dumps({"request": f"And now rotate it, {tag}."})
    if "Write the answer again" in words:
        return json.dumps({"answer": "A scene."})
    if "whether it agrees" in words:
        return json.dumps({"agree": [True] * (len(re.findall("^Answer [1-9]", words, re.M)))})
    raise AssertionError(words)


def acted(body):
    """Call what the last request names, then answer with what came back."""
    texts = [words_of({"messages": [message]}) for message in body["messages"]]
    last = texts[-1]
    handle = re.search(r"^(\w+_\d+) = ", last, re.MULTILINE)
    if handle or "failed:" in last:
        seen = f"It is {{{handle[1]}}}." if handle else "That did not work: {error}"
        return json.dumps({"thought": "Done.", "answer": seen})
    asked = re.search(r"(?:your|now) (\w+)", last)[1]
    args = {"image": "img_1", **ARGUMENTS.get(asked, {})}
    return json.dumps({"thought": "I do it.", "actions": [{"skill": asked, "args": args}]})


class TeachingServer:
    """Answers by a rule; the rule may also give a status with a message, or a function."""

    def __init__(self):
        self.rule = lesson
        self.bodies = []
        self.times = []
        self.usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.bodies.append(body)
                outer.times.append(time.monotonic())
                reply = outer.rule(body)
                with suppress(BrokenPipeError, ConnectionResetError):
                    outer.answer(self, reply)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def answer(self, handler, reply):
        if callable(reply):
            reply(handler)
            return
        if isinstance(reply, tuple):
            handler.send_response(reply[0])
            handler.send_header("Content-Type", "application/json")
            handler.end_headers()
            handler.wfile.write(json.dumps({"error": {"message": reply[1]}}).encode())
            return
        delta = reply if isinstance(reply, dict) else {"content": reply}
        finish = delta.pop("finish", "stop")
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.end_headers()
        chunks = [
            {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]},
            {"choices": [], "usage": self.usage},
        ]
        for chunk in chunks:
            handler.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        handler.wfile.write(b"data: [DONE]\n\n")


@pytest.fixture
def server():
    server = TeachingServer()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def teacher_file(server, tmp_path):
    """Write a teacher's file and return its path."""

    def write(**fields):
        path = tmp_path / "teacher.yaml"
        facts = {"model": "big", "address": server.url, "pause": 0.01, **fields}
        path.write_text(json.dumps(facts), encoding="utf-8")  # JSON is YAML
        return str(path)

    return write


@pytest.fixture
def teacher(server, tmp_path):
    def make(**fields):
        facts = {"model": "big", "address": server.url, "pause": 0.01, **fields}
        return Teacher(TeacherConfig(**{"cache": str(tmp_path / "replies.sqlite"), **facts}))

    return make


@pytest.fixture(scope="session")
def drawn():
    """Three drawn scenes with what is known of them."""
    return list(DrawnScenes(count=3).items(print, seed=5))


@pytest.fixture(scope="session")
def looking():
    """Skills that are quick and need no other results."""
    names = ("image_info", "colors", "adjust", "rotate", "read_codes", "detect")
    return default_registry().subset(*names)


@pytest.fixture
def written(looking):
    """Let a writer write about items, and play what it wrote with the real skills."""

    def write(writer, items, skills=looking, count=1):
        traces = []
        for index, item in enumerate(items):
            material = Material(index=index, seed=0, count=count, items=(item,), skills=skills)
            for conversation in asyncio.run(writer.write(material)):
                traces.append(played(conversation, skills))
        return traces

    return write


def played(conversation, skills):
    session = Agent(conversation.planner, skills).session()
    asks, truths = list(conversation.turns), []
    while asks:
        ask = asks.pop(0)
        trace = session.run_sync(ask.text, [item.image() for item in ask.images])
        if ask.truth is not None:
            truths.append(ask.truth.model_copy(update={"turn": len(trace.turns)}))
        if not asks and conversation.more is not None:
            asks += [more] if (more := asyncio.run(conversation.more(trace))) else []
    trace = trace.model_copy(update={"licence": "CC0-1.0", "tags": conversation.tags.to_json()})
    return with_truths(trace, truths)
