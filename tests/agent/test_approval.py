"""Skills that wait for a person before they run."""

import asyncio
import shutil
import threading
import time

import pytest

from llava_plus.agent import (
    ActionFinished,
    ActionProposed,
    ActionStarted,
    Agent,
    ApprovalNeeded,
    Limits,
    ScriptedPlanner,
)
from llava_plus.errors import SetupError
from llava_plus.skills import Image, SkillRegistry, Text, skill

ASKED = "post(img_1, 'hello')"


@pytest.fixture
def posts():
    """What was posted."""
    return []


@pytest.fixture
def chat(posts, skills, tmp_path):
    """Open a session with a skill that needs approval."""

    @skill(approval=True, cache=False)
    def post(image: Image, words: str) -> Text:
        """Put a picture where all can see it."""
        posts.append(words)
        return Text("posted")

    def make(*script, home=None, **limits):
        def line(view):
            return script[len(view.turns[-1].steps)]

        registry = skills.merge(SkillRegistry([post]))
        agent = Agent(ScriptedPlanner([line] * 9), registry, limits=Limits(**limits), home=home)
        return agent.session("one")

    return make


def run(session, answer, events=None, images=()):
    """Run to the end; `answer` is called for each call that waits."""

    async def all_of_them():
        seen = []
        async for event in events or session.run("go", images):
            seen.append(event)
            if isinstance(event, ApprovalNeeded):
                answer(event.call.id)
        return seen

    return asyncio.run(all_of_them())


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_call_runs_only_after_it_was_allowed(chat, posts, picture, tmp_path, on_disk):
    session = chat(ASKED, "Done.", home=tmp_path if on_disk else None)

    def allow(call_id):
        assert posts == []
        session.approve(call_id)

    events = run(session, allow, images=[picture])
    kinds = [type(event) for event in events]
    wanted = [ActionProposed, ApprovalNeeded, ActionStarted, ActionFinished]
    assert [kind for kind in kinds if kind in wanted] == wanted
    assert (posts, events[-1].turn.answer) == (["hello"], "Done.")


def test_a_refusal_is_read_by_the_planner_and_others_of_the_step_run(chat, posts, picture):
    session = chat(f"{ASKED} & detect(img_1, 'face')", "Sorry: {error}")
    events = run(session, lambda id: session.refuse(id, "not in public"), images=[picture])
    turn = events[-1].turn
    assert posts == []
    assert [one.ok for one in turn.steps[0].observations] == [False, True]
    assert turn.answer == (
        "Sorry: the person refused post: not in public. Do without it, or answer."
    )


def test_what_was_refused_is_not_asked_again(chat, posts, picture):
    session = chat(ASKED, ASKED, "Sorry.")
    asked = []
    run(session, lambda id: (asked.append(id), session.refuse(id)), images=[picture])
    assert (len(asked), posts) == (1, [])


def test_waiting_does_not_count_against_the_time(chat, posts, picture):
    session = chat(ASKED, "Done.", seconds=1.5)

    def later(call_id):
        threading.Timer(2.5, session.approve, [call_id]).start()

    turn = run(session, later, images=[picture])[-1].turn
    assert (turn.answer, posts) == ("Done.", ["hello"])
    assert turn.seconds < 1.5
    assert turn.steps[0].seconds < 1.5


def test_time_is_counted_again_after_waiting(chat, picture):
    session = chat(ASKED, "slow(img_1)", seconds=1.5)
    turn = run(session, session.approve, images=[picture])[-1].turn
    assert turn.reason == "time"


def test_stopping_ends_the_waiting(chat, posts, picture):
    session = chat(ASKED, "late")
    turn = run(session, lambda _: session.stop(), images=[picture])[-1].turn
    assert (turn.reason, posts) == ("cancelled", [])


def test_a_person_who_calls_a_skill_is_not_asked(chat, posts, picture):
    session = chat()
    session.attach([picture])
    turn = session.call_sync("post", {"image": "img_1", "words": "mine"}).turns[0]
    assert (turn.reason, posts) == ("answered", ["mine"])


def test_an_answer_to_a_call_that_does_not_wait_is_refused(chat, picture):
    session = chat(ASKED, "Done.")
    with pytest.raises(SetupError, match=r"No call 'call_1' waits for approval\. Waiting: none\."):
        session.approve("call_1")

    def wrong(call_id):
        with pytest.raises(SetupError, match="Waiting: call_1"):
            session.approve("call_9")
        session.approve(call_id)
        with pytest.raises(SetupError, match="No call 'call_1' waits"):
            session.refuse(call_id)

    assert run(session, wrong, images=[picture])[-1].turn.answer == "Done."


def test_waiting_survives_a_restart(chat, posts, picture, tmp_path):
    session = chat(ASKED, "Done.", home=tmp_path / "home")

    def kill(call_id):
        shutil.copytree(tmp_path / "home", tmp_path / "left")  # the disk as a kill leaves it
        session.stop()

    run(session, kill, images=[picture])
    assert posts == []
    again = chat(ASKED, "Done.", home=tmp_path / "left")
    turn = run(again, again.approve, again.resume())[-1].turn
    assert (turn.answer, posts) == ("Done.", ["hello"])


def test_an_answer_survives_a_restart(chat, posts, picture, tmp_path):
    script = (f"{ASKED} & post(img_1, 'two')", "{error}")
    session = chat(*script, home=tmp_path / "home")

    def kill_at_the_second(call_id):
        if call_id == "call_1":
            session.refuse(call_id, "no")
            return
        time.sleep(0.1)
        shutil.copytree(tmp_path / "home", tmp_path / "left")
        session.stop()

    run(session, kill_at_the_second, images=[picture])
    again = chat(*script, home=tmp_path / "left")
    asked = []
    run(again, lambda id: (asked.append(id), again.approve(id)), again.resume())
    assert (asked, posts) == (["call_2"], ["two"])
