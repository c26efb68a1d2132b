"""Without a home: many sessions at once, without LangGraph, with the same traces and events."""

import asyncio
import json
import subprocess
import sys

import pytest

from llava_plus.agent import Agent, Finished, Limits, PlannerError, ScriptedPlanner

BABBLE = '{"thought":"hm","act'
SCRIPTS = {
    "several steps": ("detect(img_1, 'face')", "blur(img_1, region=boxes_1)", "{boxes_1}."),
    "side by side": ("detect(img_1, 'face') & read(img_1) & blur(img_1)", "See {img_2}."),
    "the same failure": ["detect(img_1, 'cat')"] * 4,
    "babble": (BABBLE, "read(img_1)", BABBLE),
    "a limit": ["read(img_1)"] * 9,
    "a bug of the planner": ("read(img_1)", RuntimeError("out of memory")),
    "a bug of a skill": ("broken(img_1)", "Sorry."),
    "words only": ("Hello.",),
    "the planner's own error": (PlannerError("Speak up."), "ok"),
}


def timeless(part):
    if isinstance(part, list):
        return [timeless(one) for one in part]
    if isinstance(part, dict):
        return {name: timeless(one) for name, one in part.items() if name != "seconds"}
    return part


def told(event):
    """An event without its times, as words."""
    if isinstance(event, Finished):
        return timeless(json.loads(event.trace.to_json()))
    fields = vars(event) | {"artifact": None}
    fields |= (
        {"observation": timeless(fields["observation"].model_dump())}
        if ("observation" in fields)
        else {}
    )
    return type(event).__name__, str(fields)


def events(skills, script, picture, *, home):
    agent = Agent(ScriptedPlanner(script), skills, limits=Limits(steps=5), home=home)

    async def collect():
        session = agent.session("one")
        first = [told(event) async for event in session.run("go", [picture])]
        return first + [told(event) async for event in session.call("read", {"image": "img_1"})]

    return asyncio.run(collect())


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_session_tells_the_same_whether_langgraph_keeps_it_or_not(
    skills, picture, script, tmp_path
):
    kept = events(skills, script, picture, home=tmp_path)
    assert events(skills, script, picture, home=None) == kept


def test_sessions_at_once_do_not_mix(skills, picture):
    def line(view):
        done = len(view.turns[-1].steps)
        return f"slow(img_1, {done / 100})" if done < 3 else f"Seen {view.turns[-1].message}."

    agent = Agent(ScriptedPlanner([line] * 400), skills)

    async def one(number):
        events = [event async for event in agent.session().run(str(number), [picture + number])]
        return events[-1].trace

    async def together():
        return await asyncio.gather(*(one(number) for number in range(100)))

    traces = asyncio.run(together())
    assert [trace.turns[0].answer for trace in traces] == [f"Seen {n}." for n in range(100)]
    assert len({trace.artifacts["img_1"].value.digest for trace in traces}) == 100
    assert all(list(trace.artifacts) == ["img_1", *_texts(3)] for trace in traces)


def _texts(count):
    return [f"text_{number}" for number in range(1, count + 1)]


def test_one_of_several_sessions_is_stopped_and_the_others_go_on(skills, picture):
    agent = Agent(ScriptedPlanner(["slow(img_1, 5)", "slow(img_1, 0)", "ok"]), skills)
    first, second = agent.session(), agent.session()

    async def run(session):
        return [event async for event in session.run("go", [picture])][-1].turn

    async def together():
        running = asyncio.create_task(run(first))
        await asyncio.sleep(0.2)
        other = await run(second)
        first.stop()
        return await running, other

    stopped, other = asyncio.run(together())
    assert (stopped.reason, other.reason, other.answer) == ("cancelled", "answered", "ok")


def test_without_a_home_langgraph_is_not_imported():
    program = (
        "import sys\n"
        "from llava_plus.agent import Agent, ScriptedPlanner\n"
        "trace = Agent(ScriptedPlanner(['ok'])).session().run_sync('go')\n"
        "print(trace.turns[0].answer, 'langgraph' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout == "ok False\n"


@pytest.mark.parametrize("kept", [False, True])
def test_the_next_step_waits_until_all_that_happened_was_taken(skills, picture, kept, tmp_path):
    """Who leaves at an event finds no later step begun, however slowly they read."""
    planner = ScriptedPlanner(["read(img_1)"] * 4)
    session = Agent(planner, skills, home=tmp_path if kept else None).session()

    async def leave():
        stream = session.run("go", [picture])
        async for _ in stream:
            await asyncio.sleep(0.3)
            break
        await stream.aclose()

    asyncio.run(leave())
    assert planner.played == 1
    assert [turn.reason for turn in session.trace.turns] == ["cancelled"]
