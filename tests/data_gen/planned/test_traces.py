"""What is planned is played: answers rest on what was seen, and wrong calls are put right."""

import pytest

from llava_plus.agent import Trace
from llava_plus.data_gen.planned import PlannedWriter
from llava_plus.data_gen.planned.slow import close_read
from llava_plus.data_gen.verify import Replay, Schema, standard_verifiers
from llava_plus.skills import SkillRegistry

QUICK = ("adjust", "blur", "calculate", "colors", "compare", "count", "crop", "detect", "draw",
         "flip", "image_info", "measure", "pixelate", "resize", "select", "stylize")  # fmt: skip


@pytest.fixture(scope="module")
def few(skills):
    return skills.subset(*QUICK)


def _drawn(material, skills, kind, count=10, index=1, **options):
    writer = PlannedWriter(shares={kind: 1.0}, **options)
    return writer.written(material(index, count, skills=skills))


@pytest.mark.parametrize("kind", ["single", "chain", "question", "absent", "follow", "several"])
def test_traces_agree_with_what_is_known_and_seen(kind, material, few, played):
    verifiers = standard_verifiers(few, replay=False)[:-1]
    for one in _drawn(material, few, kind, 6):
        trace = played(one, few)
        reasons = [said.reason for check in verifiers if not (said := check.check(trace)).ok]
        assert reasons == [], one.turns


def test_a_call_that_was_wrong_is_put_right_and_kept(material, few, played):
    english = {"en": 1.0}
    for one in _drawn(material, few, "recover", 8, languages=english):
        trace = played(one, few)
        steps = trace.turns[0].steps
        wrong = [step for step in steps if any(not seen.ok for seen in step.observations)]
        assert len(wrong) == 1
        assert Schema(few).check(trace).ok
        assert Replay(few).check(trace).ok


def test_a_call_that_was_wrong_in_the_end_costs_the_trace(material, few, played):
    one = _drawn(material, few, "recover", 1)[0]
    trace = played(one, few)
    turn = trace.turns[0]
    place = next(n for n, step in enumerate(turn.steps) if not step.observations[0].ok)
    ended = turn.model_copy(update={"steps": turn.steps[: place + 1]})
    broken = trace.model_copy(update={"turns": (ended,)})
    assert not Schema(few).check(broken).ok
    other = turn.steps[place].observations[0].model_copy(update={"text": "something else"})
    told = turn.steps[place].model_copy(update={"observations": (other,)})
    steps = (*turn.steps[:place], told, *turn.steps[place + 1 :])
    lied = trace.model_copy(update={"turns": (turn.model_copy(update={"steps": steps}),)})
    assert not Schema(few).check(lied).ok


def test_what_runs_out_of_time_is_done_another_way(material, skills, played):
    slow = SkillRegistry([*skills.subset("ocr"), close_read])
    found = _drawn(material, slow, "recover", 30, languages={"en": 1.0})
    one = next(each for each in found if each.tags.kind == "time-out")
    trace: Trace = played(one, slow)
    first, second = trace.turns[0].steps[:2]
    assert first.observations[0].error == "time"
    assert second.actions[0].skill == "ocr"
    assert Schema(slow).check(trace).ok
    assert Replay(slow).check(trace).ok
    alone = trace.turns[0].model_copy(update={"steps": trace.turns[0].steps[:1]})
    assert not Replay(slow).check(trace.model_copy(update={"turns": (alone,)})).ok


def test_what_nobody_can_find_is_told_with_a_way_out(material, few, played):
    for one in _drawn(material, few, "unfindable", 4, index=0, languages={"en": 1.0}):
        answer = played(one, few).turns[0].answer
        assert "click" in answer.lower()
        assert "box" in answer.lower()


def test_the_number_on_the_picture_is_the_one_that_was_counted(material, skills, played):
    enough = skills.subset("detect", "count", "add_text")
    found = _drawn(material, enough, "question", 12, languages={"en": 1.0})
    noted = next(one for one in found if len(one.planner.scripts[0].moves) == 3)
    trace = played(noted, enough)
    counted, written = trace.turns[0].steps[1:3]
    number = trace.artifacts[counted.observations[0].handle].value
    assert written.actions[0].args["text"] == f"{number.value:g}"


def test_a_refusal_calls_nothing_and_is_marked(material, few, played):
    for one in _drawn(material, few, "refuse", 5):
        trace = played(one, few)
        assert one.turns[0].truth.refuse
        assert not any(step.actions for step in trace.turns[0].steps)
