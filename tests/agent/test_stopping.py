"""How a request ends before its answer: limits, stopping, and one request at a time."""

import asyncio
import io
import threading

import pytest

from llava_plus.agent import (
    ActionStarted,
    Agent,
    AnswerDelta,
    Decision,
    Limits,
    ScriptedPlanner,
)
from llava_plus.errors import SetupError
from llava_plus.skills import Image, SkillRegistry, Text, skill

LONG = 60  # seconds, of which a test that passes waits for none


def test_the_step_limit_ends_a_run_with_what_there_is(session, picture):
    chat = session(*["detect(img_1, 'face')"] * 5, steps=2)
    turn = chat.run_sync("find faces", [picture]).turns[0]
    assert (turn.reason, len(turn.steps)) == ("steps", 2)
    assert turn.answer == (
        "I stopped after 2 steps, the limit for one request. "
        "So far: detect: 2 faces; detect: 2 faces."
    )


def test_who_asks_in_chinese_reads_chinese_when_it_stops(session, picture):
    turn = session("detect(img_1, 'face')", steps=1).run_sync("找到人脸", [picture]).turns[0]
    assert turn.answer.startswith("已达到单次请求 1 步的上限")


class Held:
    """A skill that ends when it is let go, and the sessions in which it is called."""

    def __init__(self, skills):
        self.begun, self.go, self.ended = (threading.Event() for _ in range(3))

        @skill(isolation="inline", cache=False)
        def hold(image: Image) -> Text:
            """Wait to be let go."""
            self.begun.set()
            self.go.wait(LONG)
            self.ended.set()
            return Text("let go")

        self.skills = SkillRegistry([*skills, hold])

    def session(self, *script, **limits):
        return Agent(ScriptedPlanner(script), self.skills, limits=Limits(**limits)).session()


@pytest.fixture
def held(skills):
    held = Held(skills)
    yield held
    held.go.set()


def test_the_time_limit_ends_a_slow_skill(held, picture):
    turn = held.session("hold(img_1)", seconds=0.6).run_sync("go", [picture]).turns[0]
    assert (turn.reason, held.ended.is_set()) == ("time", False)


class SlowPlanner:
    """Thinks for ever, in a thread that looks at the cancel event."""

    name = "slow"

    def __init__(self):
        self.begun, self.ended = threading.Event(), threading.Event()

    async def plan(self, view):
        yield '{"thought":"one","answer":"I see'
        await asyncio.to_thread(self._think, view.cancel)
        raise RuntimeError("cancelled")

    def _think(self, cancel):
        self.begun.set()
        if cancel.wait(LONG):
            self.ended.set()


def test_the_time_limit_ends_a_slow_planner_and_keeps_what_it_wrote(session, events_of, joined):
    planner = SlowPlanner()
    events = events_of(session(planner=planner, seconds=1.5).run("go"))
    turn = events[-1].turn
    assert (turn.reason, turn.steps[0].thought) == ("time", "one")
    assert turn.answer == "I see\n\nI stopped after 1.5 seconds, the limit for one request."
    assert joined(events, AnswerDelta) == turn.answer
    assert planner.ended.wait(LONG)


def stopped_once(begun, chat):
    """Stop a session from another thread as soon as something has begun."""
    thread = threading.Thread(target=lambda: begun.wait(LONG) and chat.stop())
    thread.start()
    return thread


def test_stop_from_another_thread_ends_a_planner_that_listens(session, picture):
    planner = SlowPlanner()
    chat = session(planner=planner)
    thread = stopped_once(planner.begun, chat)
    turn = chat.run_sync("go", [picture]).turns[0]
    thread.join()
    assert planner.ended.wait(LONG)
    assert turn.reason == "cancelled"
    assert "Stopped." in turn.answer


def test_stop_from_another_thread_does_not_wait_for_a_skill(held, picture):
    chat = held.session("detect(img_1, 'face')", "hold(img_1)")
    thread = stopped_once(held.begun, chat)
    turn = chat.run_sync("go", [picture]).turns[0]
    thread.join()
    assert not held.ended.is_set()
    assert (turn.reason, len(turn.steps)) == ("cancelled", 2)
    assert turn.steps[1].observations[0].error == "cancelled"
    assert "So far: detect: 2 faces" in turn.answer


def test_stopping_an_idle_session_does_nothing(session):
    chat = session("ok")
    chat.stop()
    assert chat.run_sync("go").turns[0].answer == "ok"


def test_stopping_while_pictures_are_read_is_not_forgotten(session, picture, events_of):
    class SlowFile(io.BytesIO):
        def read(self, *size):
            chat.stop()
            return super().read(*size)

    file = io.BytesIO()
    Image.from_array(picture).to_pil().save(file, "PNG")
    chat = session("never")
    events = events_of(chat.run("go", [SlowFile(file.getvalue())]))
    assert (events[-1].turn.reason, events[-1].turn.images) == ("cancelled", ("img_1",))


def test_a_planner_that_does_not_listen_does_not_hold_up_the_stream(session):
    begun, go, ended = (threading.Event() for _ in range(3))

    def think():
        begun.set()
        go.wait(LONG)
        ended.set()

    class Deaf:
        name = "deaf"

        async def plan(self, view):
            await asyncio.to_thread(think)
            yield Decision(answer="late")

    chat = session(planner=Deaf())

    async def told():
        thread = stopped_once(begun, chat)
        events = [event async for event in chat.run("go")]
        waited = ended.is_set()
        go.set()
        thread.join()
        return events[-1].turn.reason, waited

    assert asyncio.run(told()) == ("cancelled", False)


def test_closing_the_stream_keeps_the_turn_as_cancelled(session, picture):
    chat = session("detect(img_1, 'face')", "slow(img_1)")

    async def leave_early():
        stream = chat.run("go", [picture])
        async for event in stream:
            if isinstance(event, ActionStarted) and event.call.skill == "slow":
                break
        await stream.aclose()

    asyncio.run(leave_early())
    assert [turn.reason for turn in chat.trace.turns] == ["cancelled"]
    assert len(chat.trace.turns[0].steps) == 1
    assert chat.point("img_1", 0.5, 0.5) == "points_1"


def test_one_request_at_a_time(held, picture):
    chat = held.session("hold(img_1)", "ok")
    thread = threading.Thread(target=chat.run_sync, args=("go", [picture]))
    thread.start()
    assert held.begun.wait(LONG)
    with pytest.raises(SetupError, match="busy"):
        chat.run_sync("me too")
    chat.stop()
    thread.join()
