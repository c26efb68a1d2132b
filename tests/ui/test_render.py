import asyncio
import re

import pytest
from markdown_it import MarkdownIt

from llava_plus.agent import Agent, ScriptedPlanner, Step, Turn
from llava_plus.skills import Call, Observation
from llava_plus.ui.labels import CHINESE
from llava_plus.ui.overlays import picture_under
from llava_plus.ui.progress import advance
from llava_plus.ui.render import plain, render_asked, render_help, render_turn, written

ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![pixel](http://example.com/a.png)",
    "[click](javascript:alert(1))",
    "https://example.com www.example.com me@example.com",
    "```\ncode\n```",
    "    indented",
    "# heading\n\n- list\n1. one\n> quote\n---\n===",
    "| a | b |\n|---|---|",
    "&lt;b&gt; &amp; &#60;",
    "$$x^2$$ \\(y\\) ~~no~~ **b** _i_ `c`",
]


@pytest.fixture
def show():
    seen = []

    def keep(image):
        seen.append(image)
        return f"/pictures/{len(seen)}"

    keep.seen = seen
    return keep


@pytest.fixture
def traced(skills, picture):
    def trace(*script, message="Go.", point=None):
        session = Agent(ScriptedPlanner(script), skills).session()
        session.attach([picture])
        if point:
            session.point("img_1", *point)
        return session.run_sync(message)

    return trace


def texts(messages):
    return [part for one in messages for part in one["content"] if isinstance(part, str)]


@pytest.mark.parametrize("attack", ATTACKS)
def test_text_is_shown_as_it_is(attack):
    rendered = MarkdownIt("gfm-like", {"linkify": False}).enable("table").render(plain(attack))
    assert set(re.findall(r"<(\w+)", rendered)) <= {"p", "br"}
    shown = re.sub(r"<[^>]+>|\n", "", rendered).replace("\N{NO-BREAK SPACE}", " ")
    unescaped = re.sub("&(lt|gt|amp|quot);", lambda m: {"lt": "<", "gt": ">"}.get(m[1], "&"), shown)
    assert unescaped.replace('"', "") == attack.replace("\n", "").replace('"', "")


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_part_of_a_turn_can_bring_markup_in(attack, show):
    call = Call(id="a", skill=attack, args={"label": attack, attack: [attack]})
    seen = Observation(call_id="a", skill=attack, ok=False, text=attack, error="skill")
    step = Step(thought=attack, actions=(call,), observations=(seen,), raw=attack)
    turn = Turn(message=attack, steps=(step,), answer=attack, reason="answered")
    session = Agent(ScriptedPlanner([]), None).session()
    messages = render_turn(turn, session.artifacts, show=show)
    for text in texts(messages):
        assert set(re.findall(r"<[^>]*>", text)) <= {"<code>", "</code>"}
        assert not re.search(r"[!\[\]()`*#|]|https?:|www\.", re.sub(r"&#\d+;", "", text))
    titles = [one["metadata"]["title"] for one in messages if "metadata" in one]
    assert not re.search(r"[<>\[\]()`*]", "".join(titles))


def test_control_and_bidi_characters_are_left_out():
    assert plain("a\x1b[31mb\u202ec\x00") == "a&#91;31mbc"


def test_a_turn_is_request_steps_pictures_and_the_answer_last(traced, show):
    trace = traced("detect(img_1, 'face')", "blur(img_1, region=boxes_1)", "I found {boxes_1}.")
    messages = render_turn(trace.turns[0], trace.artifacts, show=show)
    assert [one["role"] for one in messages] == ["user"] + ["assistant"] * 5
    titles = [one["metadata"]["title"] for one in messages if "metadata" in one]
    assert titles == ["Step 1: detect", "Step 2: blur"]
    assert all(one["metadata"]["status"] == "done" for one in messages if "metadata" in one)
    assert messages[-1]["content"] == [plain("I found 1 face.")]
    alt = [part["alt_text"] for one in messages for part in one["content"] if "alt_text" in part]
    assert alt == ["img_1", "boxes_1: detect", "img_2: blur"]


def test_what_was_found_is_drawn_on_the_picture_it_was_found_in(traced, show):
    trace = traced("detect(img_1, 'face')", "select(boxes_1)", "Done.")
    assert picture_under("boxes_2", trace.artifacts, trace.turns) == "img_1"
    render_turn(trace.turns[0], trace.artifacts, show=show)
    first = trace.artifacts["img_1"].value
    assert show.seen[1] == trace.artifacts["boxes_1"].value.overlay(first)


def test_a_mark_is_drawn_in_the_request_that_used_it(traced, show):
    trace = traced("Yes.", point=(0.5, 0.5))
    request = render_turn(trace.turns[0], trace.artifacts, show=show)[0]
    alt = [part["alt_text"] for part in request["content"] if isinstance(part, dict)]
    assert alt == ["img_1", "points_1"]


def test_nothing_found_is_no_picture(skills, picture, show):
    session = Agent(ScriptedPlanner(["detect(img_1, 'dog')", "{error}"]), skills).session()
    trace = session.run_sync("Find dogs.", [picture])
    messages = render_turn(trace.turns[0], trace.artifacts, show=show)
    assert len(show.seen) == 1
    assert "✗" in messages[1]["content"][0]
    assert plain("cannot find 'dog'") in messages[-1]["content"][0]


def test_rendering_twice_gives_the_same(traced, show):
    trace = traced("blur(img_1)", "Done.")
    first = render_turn(trace.turns[0], trace.artifacts, show=lambda image: image.digest)
    assert first == render_turn(trace.turns[0], trace.artifacts, show=lambda image: image.digest)


def test_a_running_turn_grows_into_the_finished_one(skills, picture, show):
    look = '{"thought":"Look.","actions":[{"skill":"read","args":{"image":"img_1"}}]}'
    session = Agent(ScriptedPlanner([look, "Ok."]), skills).session()
    session.attach([picture])
    turns = [Turn(message="Read.", images=("img_1",))]

    async def collect():
        async for event in session.run("Read."):
            turns.append(advance(turns[-1], event))

    asyncio.run(collect())
    assert turns[-1] == session.trace.turns[0]
    before = turns[-2].model_dump(exclude={"seconds", "reason", "cited"})
    after = turns[-1].model_dump(exclude={"seconds", "reason", "cited"})
    for step in (*before["steps"], *after["steps"]):
        step.pop("seconds")
        step.pop("answer")
    assert before == after
    pending = render_turn(turns[3], session.artifacts, show=show)[-1]["metadata"]
    assert pending["status"] == "pending"


def test_calls_are_written_as_code():
    call = Call(
        id="a", skill="f", args={"image": "img_1", "label": "a b", "at": [0.5, 1], "n": None}
    )
    assert written(call) == 'f(image=img_1, label="a b", at=[0.5, 1], n=None)'


def test_steps_speak_the_pages_language(traced, show):
    trace = traced("blur(img_1)", "Done.")
    messages = render_turn(trace.turns[0], trace.artifacts, show=show, labels=CHINESE)
    assert messages[1]["metadata"]["title"] == "步骤 1: blur"


def test_help_lists_every_skill(skills):
    text = render_help(skills)["content"][0]
    assert all(spec.name in text for spec in skills)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_call_that_waits_shows_every_argument_in_full(attack):
    long = "x" * 5000
    call = Call(id="call_1", skill="post", args={"image": "img_1", "words": attack, "more": long})
    shown = MarkdownIt("gfm-like", {"linkify": False}).render(render_asked(call, CHINESE))
    assert set(re.findall(r"<(\w+)", shown)) <= {"p", "code", "br"}
    assert all(part in shown for part in ("post", "img", long, CHINESE["approval"][:5]))
