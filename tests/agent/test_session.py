"""A request from beginning to end."""

import asyncio
import threading

import numpy as np
import pytest

from llava_plus.agent import (
    ActionFinished,
    ActionProgressed,
    ActionProposed,
    ActionStarted,
    Agent,
    AnswerDelta,
    Decision,
    Finished,
    PlannerError,
    ScriptedPlanner,
    StepStarted,
    ThoughtDelta,
)
from llava_plus.errors import ImageError, SetupError
from llava_plus.skills import (
    Boxes,
    Call,
    Image,
    Points,
    SkillRegistry,
    Text,
    skill,
    tell_progress,
)

LONG = 60  # seconds, of which a test that passes waits for none
BABBLE = '{"thought":"hm","act'


def test_several_steps_lead_to_an_answer_that_cites_results(session, picture):
    planner = session(
        "detect(img_1, 'face')", "blur(img_1, region=boxes_1)", "{boxes_1} in {img_2}."
    )
    turn = planner.run_sync("blur the faces", [picture]).turns[-1]
    assert [step.actions[0].skill for step in turn.steps[:2]] == ["detect", "blur"]
    assert [one.handle for step in turn.steps for one in step.observations] == ["boxes_1", "img_2"]
    assert (turn.answer, turn.cited, turn.reason) == (
        "2 faces in img_2.",
        ("boxes_1", "img_2"),
        "answered",
    )
    assert turn.steps[-1].answer == "{boxes_1} in {img_2}."


def test_events_tell_the_story_in_order(session, picture, events_of, joined):
    decision = Decision(
        thought="Look first.",
        calls=(Call(id="a", skill="detect", args={"image": "img_1", "label": "face"}),),
    )
    events = events_of(session(decision, "Found {boxes_1}.").run("where?", [picture]))
    kinds = [type(event) for event in events]
    order = [kind for i, kind in enumerate(kinds) if kinds[i - 1] is not kind or not i]
    assert order == [
        StepStarted, ThoughtDelta, ActionProposed, ActionStarted, ActionFinished,
        StepStarted, AnswerDelta, Finished,
    ]  # fmt: skip
    assert kinds.count(ThoughtDelta) > 1
    assert "".join(e.text for e in events if isinstance(e, ThoughtDelta)) == "Look first."
    finished = next(event for event in events if isinstance(event, ActionFinished))
    assert (finished.artifact.handle, finished.observation.ok) == ("boxes_1", True)
    assert joined(events, AnswerDelta) == events[-1].turn.answer == "Found 2 faces."
    assert events[-1].trace.turns[-1] == events[-1].turn


def test_calls_of_one_step_run_side_by_side_and_are_numbered_in_order(picture):
    done = threading.Event()

    @skill(isolation="inline")
    def follow(image: Image) -> Text:
        """End after the call beside this one."""
        return Text("second" if done.wait(LONG) else "alone")

    @skill(isolation="inline")
    def lead(image: Image) -> Text:
        """End at once."""
        done.set()
        return Text("first")

    planner = ScriptedPlanner(["follow(img_1) & lead(img_1)", "{text_1}, {text_2}"])
    chat = Agent(planner, SkillRegistry([follow, lead])).session()
    turn = chat.run_sync("go", [picture]).turns[0]
    assert [one.handle for one in turn.steps[0].observations] == ["text_1", "text_2"]
    assert turn.answer == "second, first"


def test_a_planner_that_decides_at_once_tells_the_same_story(session, picture, events_of):
    class Quick(ScriptedPlanner):
        quick = True

    script = ("detect(img_1, 'face')", BABBLE, "Found {boxes_1}.")
    told = [
        [type(event).__name__ for event in events_of(session(planner=planner).run("go", [picture]))]
        for planner in (ScriptedPlanner(script), Quick(script))
    ]
    assert told[0] == told[1]
    assert told[0][-1] == "Finished"


def test_later_turns_build_on_earlier_ones_and_several_pictures(session, picture):
    chat = session("detect(img_2, 'face')", "Two.", "blur(img_3, region=boxes_1)", "{img_4}")
    chat.run_sync("faces in the second?", [picture, picture + 1])
    trace = chat.run_sync("and blur them here", [picture + 2])
    assert [turn.images for turn in trace.turns] == [("img_1", "img_2"), ("img_3",)]
    assert trace.turns[1].answer == "img_4"
    assert trace.artifacts["img_4"].source == trace.turns[1].steps[0].actions[0].id == "call_2"


def test_babble_is_corrected_once(session, picture):
    turn = session(BABBLE, "Sorry.").run_sync("go", [picture]).turns[0]
    assert (turn.reason, turn.answer) == ("answered", "Sorry.")
    assert turn.steps[0].raw == BABBLE
    assert "Wanted one JSON object" in turn.steps[0].observations[0].text


def test_babble_twice_ends_the_turn_with_an_error(session, picture):
    turn = (
        session("detect(img_1, 'face')", BABBLE, BABBLE, "late").run_sync("go", [picture]).turns[0]
    )
    assert (turn.reason, len(turn.steps)) == ("error", 3)
    assert turn.answer.startswith("The planner's output could not be read, twice.")
    assert "So far: detect: 2 faces" in turn.answer


@pytest.mark.parametrize(
    ("decision", "complaint"),
    [
        (Decision(thought="?"), "neither called a skill nor answered"),
        (Decision(answer="  "), "neither called a skill nor answered"),
        (Decision(calls=tuple(Call(id=str(n), skill="read") for n in range(17))), "at most 16"),
    ],
)
def test_decisions_that_cannot_be_followed_are_corrected(session, decision, complaint):
    turn = session(decision, "ok").run_sync("go").turns[0]
    assert complaint in turn.steps[0].observations[0].text
    assert turn.answer == "ok"


def test_a_call_that_failed_is_not_run_again_and_the_third_time_ends_the_turn(session, picture):
    chat = session(*["detect(img_1, 'cat')"] * 4)
    turn = chat.run_sync("cats?", [picture]).turns[0]
    seen = [step.observations[0].text for step in turn.steps]
    assert len(seen) == 3
    assert seen[1].startswith("this very call failed before: detect: cannot find 'cat'")
    assert turn.reason == "error"
    assert (
        turn.answer
        == "detect failed the same way again: detect: cannot find 'cat'; it finds faces."
    )


def test_the_planner_hears_of_errors_and_can_quote_them(session, picture):
    turn = session("detect(img_1, 'cat')", "Sorry: {error}").run_sync("cat?", [picture]).turns[0]
    assert turn.answer == "Sorry: detect: cannot find 'cat'; it finds faces."


def test_unknown_handles_and_braces_stay_as_they_were_written(session):
    turn = session("{boxes_9} {error} {x} { {boxes_").run_sync("go").turns[0]
    assert turn.answer == "{boxes_9} {error} {x} { {boxes_"
    assert turn.cited == ()


def test_a_bug_in_a_skill_goes_to_the_planner_in_short(session, picture, caplog):
    turn = session("broken(img_1)", "ok").run_sync("go", [picture]).turns[0]
    assert turn.steps[0].observations[0].error == "bug"
    assert turn.answer == "ok"


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (RuntimeError("out of memory"), "The planner failed: RuntimeError: out of memory."),
        (SetupError("Start the server."), "The planner cannot work: Start the server."),
    ],
)
def test_an_exception_in_the_planner_ends_the_turn_and_loses_nothing(
    session, picture, problem, words
):
    chat = session("detect(img_1, 'face')", problem, "again")
    turn = chat.run_sync("go", [picture]).turns[0]
    assert turn.reason == "error"
    assert turn.answer.startswith(words)
    assert turn.steps[0].observations[0].handle == "boxes_1"
    assert chat.run_sync("once more").turns[1].answer == "again"


def test_a_planner_that_says_nothing_is_an_error(session):
    class Mute:
        name = "mute"

        async def plan(self, view):
            return
            yield

    turn = session(planner=Mute()).run_sync("go").turns[0]
    assert (turn.reason, "without a decision" in turn.answer) == ("error", True)


@pytest.mark.parametrize("message", ["", "  \n"])
def test_an_empty_request_is_refused_before_anything_runs(session, picture, message):
    chat = session("ok")
    with pytest.raises(SetupError, match="The request is empty"):
        chat.run_sync(message, [picture])
    assert (len(chat.artifacts), chat.trace.turns) == (0, ())


def test_one_bad_picture_leaves_the_session_unchanged(session, picture, tmp_path):
    (tmp_path / "bad.png").write_text("no picture")
    chat = session("ok")
    with pytest.raises(ImageError):
        chat.run_sync("go", [picture, tmp_path / "bad.png"])
    assert (len(chat.artifacts), chat.trace.turns) == (0, ())
    assert chat.run_sync("go", [picture]).turns[0].images == ("img_1",)


def test_run_sync_works_inside_a_running_loop(session):
    chat = session("ok")

    async def inside():
        return chat.run_sync("go")

    assert asyncio.run(inside()).turns[0].answer == "ok"


def test_points_and_boxes_belong_to_the_next_request(session, picture):
    chat = session("a", "b")
    chat.run_sync("first", [picture])
    assert chat.box("img_1", 0.5, 0.6, 0.1, 0.2) == "boxes_1"
    trace = chat.run_sync("this", pointers=[Points(((0.5, 0.5),)), Boxes(((0, 0, 1, 1),))])
    assert trace.turns[1].pointers == ("boxes_1", "points_1", "boxes_2")
    assert trace.artifacts["boxes_1"].value.xyxy == ((0.1, 0.2, 0.5, 0.6),)


@pytest.mark.parametrize(("handle", "place"), [("img_2", (0.5, 0.5)), ("img_1", (7, 0.5))])
def test_pointing_at_nothing_is_refused(session, picture, handle, place):
    chat = session("a")
    chat.run_sync("first", [picture])
    with pytest.raises(SetupError):
        chat.point(handle, *place)
    assert len(chat.artifacts) == 1


def test_pointing_without_a_picture_is_refused(session):
    with pytest.raises(SetupError, match="no picture to point at"):
        session("a").run_sync("this", pointers=[Points(((0.5, 0.5),))])


def test_a_person_calls_a_skill_without_the_planner(session, picture, events_of):
    chat = session("Hello.")
    chat.run_sync("hi", [picture])
    events = events_of(chat.call("blur", {"image": "img_1", "strength": 0.9}))
    turn = events[-1].turn
    assert (turn.message, turn.by) == ("/blur image=img_1 strength=0.9", "person")
    assert (turn.answer, turn.cited, turn.reason) == ("img_2", ("img_2",), "answered")
    assert not [event for event in events if isinstance(event, StepStarted | ThoughtDelta)]


def test_a_persons_bad_call_says_what_is_wrong(session, picture):
    chat = session("Hello.")
    chat.run_sync("hi", [picture])
    turn = chat.call_sync("blurr", {"image": "img_1"}).turns[-1]
    assert (turn.reason, "Did you mean 'blur'?" in turn.answer) == ("error", True)


def test_calls_keep_ids_apart_whatever_the_planner_says(session, picture):
    same = Decision(calls=(Call(id="x", skill="read", args={"image": "img_1"}),) * 2)
    turn = session(same, same, "ok").run_sync("go", [picture]).turns[0]
    ids = [call.id for step in turn.steps for call in step.actions]
    assert len(set(ids)) == 4
    assert ids[0] == "x"


def test_what_the_planner_sees_is_its_own_running_turn(session, picture):
    views = []
    chat = session(
        lambda view: views.append(view) or "read(img_1)", lambda view: views.append(view) or "ok"
    )
    chat.run_sync("go", [picture])
    assert [len(view.turns[-1].steps) for view in views] == [0, 1]
    assert views[1].turns[-1].answer == ""
    assert views[0].deadline == views[1].deadline > 0


def test_sessions_by_id_are_found_again(skills):
    agent = Agent(ScriptedPlanner(["a"]), skills)
    first = agent.session("x")
    assert agent.session("x") is first
    assert agent.session().id != agent.session().id
    agent.forget("x")
    assert agent.session("x") is not first


def test_half_characters_do_not_get_in(session):
    assert session("ok").run_sync("a\ud800b").turns[0].message == "a?b"


def test_a_planner_error_of_a_planners_own_is_read_by_it(session):
    turn = session(PlannerError("Speak up."), "ok").run_sync("go").turns[0]
    assert turn.steps[0].observations[0].text == "Speak up."


def test_the_same_pixels_are_kept_once(session, picture, tmp_path):
    trace = session("ok").run_sync("go", [picture, np.array(picture)])
    assert trace.artifacts["img_1"].value.digest == trace.artifacts["img_2"].value.digest


def test_the_built_in_skills_work_without_being_named(picture):
    chat = Agent(ScriptedPlanner(["adjust(img_1, brightness=0.3)", "See {img_2}."])).session()
    turn = chat.run_sync("brighter", [picture]).turns[0]
    assert (turn.answer, turn.steps[0].observations[0].ok) == ("See img_2.", True)
    assert chat.artifacts["img_2"].value.pixels.mean() > picture.mean()


def test_how_far_a_call_has_come_is_told_before_it_ends(picture):
    @skill(isolation="inline")
    def paint(image: Image) -> Image:
        """Take three strokes."""
        for done in range(3):
            tell_progress(done + 1, 3)
        return image

    session = Agent(ScriptedPlanner(["paint(img_1)", "Done."]), SkillRegistry([paint])).session()

    async def collect():
        return [event async for event in session.run("go", [picture])]

    seen = asyncio.run(collect())
    told = [(each.done, each.total) for each in seen if isinstance(each, ActionProgressed)]
    assert told == [(1, 3), (2, 3), (3, 3)]
    kinds = [type(each).__name__ for each in seen]
    assert kinds.index("ActionFinished") > max(
        n for n, kind in enumerate(kinds) if kind == "ActionProgressed"
    )
