"""Calls that wait for a person, and Stop, on the page's side."""

import asyncio
import subprocess
import time

import pytest

from llava_plus.agent import Agent, ScriptedPlanner
from llava_plus.errors import SetupError
from llava_plus.skills import Image, SkillRegistry, Text, skill
from llava_plus.ui.lobby import Lobby
from llava_plus.ui.state import Visit

HANGING = '''
import ctypes, os
from pathlib import Path

from llava_plus.skills import Image, Text, skill


@skill(cache=False, time_limit=300)
def hang(image: Image) -> Text:
    """Sleep in C and let nothing else run in the process."""
    Path(__file__).with_name("pid").write_text(str(os.getpid()))
    ctypes.PyDLL(None).sleep(300)
    return Text("done")
'''


@pytest.fixture
def posts():
    """What was posted."""
    return []


@pytest.fixture
def asking(skills, inbox, posts):
    """Make a visit whose planner wants to post."""

    @skill(approval=True, cache=False)
    def post(image: Image, words: str) -> Text:
        """Put a picture where all can see it."""
        posts.append(words)
        return Text("posted")

    registry = skills.merge(SkillRegistry([post]))

    def make(*script):
        return Visit(Lobby(lambda: Agent(ScriptedPlanner(script), registry)), inbox)

    return make


def run(visit, path, answer):
    """Send a request to the end; `answer` is given each call that comes to wait."""

    async def all_of_it():
        asked = None
        visit.begin(visit.prepare("Post it.", [path]))
        async for _ in visit.follow():
            call = visit.conversation.asking
            if call is not None and call is not asked:
                asked = call
                await asyncio.to_thread(answer, visit, call)

    asyncio.run(all_of_it())


def test_an_allowed_call_runs_once_and_a_second_click_is_told_so(asking, upload, posts):
    def allow(visit, call):
        assert not posts
        visit.conversation.answer(call.id, True, "")
        with pytest.raises(SetupError, match="waits for approval"):
            visit.conversation.answer(call.id, True, "")

    visit = asking("post(img_1, 'Look')", "Done.")
    run(visit, upload(), allow)
    assert (posts, visit.session.trace.turns[0].answer) == (["Look"], "Done.")
    assert visit.conversation.asking is None


def test_a_refusal_is_read_by_the_planner(asking, upload, posts):
    visit = asking("post(img_1, 'Look')", "I leave it: {error}")
    run(visit, upload(), lambda visit, call: visit.conversation.answer(call.id, False, "too early"))
    assert posts == []
    assert "too early" in visit.session.trace.turns[0].answer


def test_of_two_calls_each_is_asked_about(asking, upload, posts):
    def answer(visit, call):
        visit.conversation.answer(call.id, call.args["words"] == "yes", "")

    visit = asking("post(img_1, 'no') & post(img_1, 'yes')", "Done.")
    run(visit, upload(), answer)
    assert posts == ["yes"]


def test_a_page_that_comes_while_a_call_waits_sees_it(asking, upload, posts):
    visit = asking("post(img_1, 'Look')", "Done.")

    def come(_, call):
        other = Visit(visit.lobby, visit._inbox)
        other.open(visit.session.id)
        assert other.conversation.asking == call
        other.conversation.answer(call.id, True, "")

    run(visit, upload(), come)
    assert posts == ["Look"]


def test_stop_ends_a_request_that_waits_for_a_person(asking, upload, posts):
    visit = asking("post(img_1, 'Look')", "Done.")
    run(visit, upload(), lambda visit, call: visit.stop())
    assert (posts, visit.session.trace.turns[0].reason) == ([], "cancelled")
    assert visit.conversation.asking is None
    assert not visit.running


@pytest.mark.slow
def test_stop_kills_the_worker_process_of_a_call(play, inbox, upload, tmp_path):
    (tmp_path / "mine.py").write_text(HANGING)
    registry = SkillRegistry.from_file(tmp_path / "mine.py")
    visit = Visit(Lobby(lambda: Agent(ScriptedPlanner(["hang(img_1)"]), registry)), inbox)
    noted = tmp_path / "pid"

    async def stopped():
        follower = asyncio.create_task(_last(play(visit, visit.prepare("Go.", [upload()]))))
        while not (noted.exists() and noted.read_text()):
            await asyncio.sleep(0.05)
        assert _alive(noted.read_text())
        visit.stop()
        await follower

    asyncio.run(stopped())
    assert visit.session.trace.turns[0].reason == "cancelled"
    end = time.monotonic() + 60
    while _alive(noted.read_text()):
        assert time.monotonic() < end, "the worker still runs"
        time.sleep(0.05)


async def _last(chats):
    return [chat async for chat in chats][-1]


def _alive(pid):
    told = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True)
    return told.stdout.strip()[:1] not in ("", "Z")
