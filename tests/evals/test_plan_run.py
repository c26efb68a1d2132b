"""The evaluation's requests, and what a planner does about them.

Lines 101 to 200 of the requests are sealed: where a claim about them fails, only numbers are shown.
"""

import shutil
from collections.abc import AsyncIterator

import pytest

from llava_plus.agent import Decision, PlannerError, ScriptedPlanner
from llava_plus.agent.notation import parse_context, parse_plan
from llava_plus.errors import SetupError
from llava_plus.evals import evaluate, read_requests, score, summarize
from llava_plus.evals.plan_run import REQUESTS, Wanted
from llava_plus.evals.world import world_registry


@pytest.fixture(scope="module")
def world():
    return world_registry()


@pytest.fixture(scope="module")
def everything(world):
    return read_requests(world, half="all")


class Follower:
    """Does the first of the plans that are wanted."""

    name = "follower"

    def __init__(self, requests: list[Wanted]) -> None:
        self.plans = {wanted.text: wanted.plans[0] for wanted in requests}

    async def plan(self, view) -> AsyncIterator[str | Decision]:
        turn = view.turns[-1]
        steps = self.plans[turn.message].steps
        if len(turn.steps) >= len(steps):
            yield Decision(answer="Done.")
            return
        ids = view.call_ids()
        step = steps[len(turn.steps)]
        yield Decision(calls=tuple(call.model_copy(update={"id": next(ids)}) for call in step))


def wanted(world, text, *plans, context="1"):
    plans = tuple(parse_plan(plan, world) for plan in plans)
    return Wanted(id=1, context=parse_context(context, world), text=text, plans=plans)


def test_there_are_200_requests_of_which_40_need_no_skill(everything):
    assert [one.id for one in everything] == list(range(1, 201))
    assert sum(all(plan.say for plan in one.plans) for one in everything) == 40
    assert len({one.text for one in everything}) == 200


def test_the_halves_are_the_first_and_the_last_hundred(world, everything):
    assert read_requests(world) == everything[:100]
    assert read_requests(world, half="sealed") == everything[100:]


def test_every_wanted_plan_is_exact_against_itself(world, everything):
    missed = [
        one.id
        for one in everything
        for plan in one.plans
        if not score(
            plan, one.plans, request=one.text, given=one.context.given(world), skills=world
        ).exact
    ]
    assert missed == []


@pytest.mark.slow
def test_every_wanted_plan_can_be_followed_to_its_end(world, everything):
    results = list(evaluate(Follower(everything), everything, world))
    assert [one.wanted.id for one in results if one.invalid or one.answer != "Done."] == []
    assert summarize(results) == {
        "first skill": (160, 160),
        "sequence": (160, 160),
        "exact arguments": (160, 160),
        "no skill needed": (40, 40),
        "valid calls": (sum(one.calls for one in results),) * 2,
    }


@pytest.mark.parametrize("half", ["open", "sealed", "all"])
def test_a_sealed_half_that_was_changed_is_an_error(world, tmp_path, half):
    copy = tmp_path / "requests.jsonl"
    shutil.copy(REQUESTS, copy)
    shutil.copy(REQUESTS.with_suffix(".sealed.sha256"), tmp_path)
    assert len(read_requests(world, half=half, path=copy)) in (100, 200)
    lines = copy.read_text(encoding="utf-8").splitlines(keepends=True)
    copy.write_text("".join([*lines[:150], lines[151], lines[150], *lines[152:]]))
    with pytest.raises(SetupError, match=r"sealed half of requests\.jsonl is not what was sealed"):
        read_requests(world, half=half, path=copy)


def test_an_open_half_may_be_corrected(world, tmp_path):
    copy = tmp_path / "requests.jsonl"
    shutil.copy(REQUESTS.with_suffix(".sealed.sha256"), tmp_path)
    lines = REQUESTS.read_text(encoding="utf-8").splitlines(keepends=True)
    copy.write_text("".join([lines[1], lines[0], *lines[2:]]), encoding="utf-8")
    assert read_requests(world, path=copy)[0].id == 2


def test_a_half_that_there_is_not_is_named(world):
    with pytest.raises(SetupError, match="No half 'both'; read one of open, sealed, all"):
        read_requests(world, half="both")


def test_earlier_turns_are_followed_before_the_planner_is_asked(world):
    planner = ScriptedPlanner(["blur(img_1, boxes_1)", "Done."])
    context = '1 > detect(img_1, "face") > say(chat)'
    one = wanted(world, "blur them", "blur(img_1, boxes_1)", context=context)
    (result,) = evaluate(planner, [one], world)
    assert result.score.exact
    assert (result.calls, result.invalid, planner.played) == (1, 0, 2)


@pytest.mark.parametrize(("context", "handle"), [("1+click", "points_1"), ("1+box", "boxes_1")])
def test_what_the_person_pointed_at_is_there(world, context, handle):
    planner = ScriptedPlanner([f"segment(img_1, {handle})", "Done."])
    one = wanted(world, "outline this", f"segment(img_1, {handle})", context=context)
    (result,) = evaluate(planner, [one], world)
    assert (result.score.exact, result.invalid) == (True, 0)


@pytest.mark.parametrize(
    "script",
    [
        [RuntimeError("broke")],
        [PlannerError("unreadable"), PlannerError("unreadable")],
        ['{"babble":1}', '{"babble":2}'],
    ],
)
def test_a_planner_that_breaks_has_not_seen_that_no_skill_is_needed(world, script):
    (result,) = evaluate(ScriptedPlanner(script), [wanted(world, "hi", "say(chat)")], world)
    assert summarize([result])["no skill needed"] == (0, 1)
    assert summarize([result])["valid calls"] == (0, 0)
    assert not result.score.first


def test_calls_that_cannot_be_run_are_counted(world):
    planner = ScriptedPlanner(["blur(img_7)", "ocr(img_1) & ocr(img_9)", "Done."])
    (result,) = evaluate(planner, [wanted(world, "read it", "ocr(img_1)")], world)
    assert (result.calls, result.invalid) == (3, 2)
    assert summarize([result])["valid calls"] == (1, 3)


def test_the_time_of_a_step_is_the_planners(world):
    planner = ScriptedPlanner(["ocr(img_1) & read_codes(img_1) & image_info(img_1)", "Done."])
    (result,) = evaluate(planner, [wanted(world, "read it", "ocr(img_1)")], world)
    assert len(result.seconds) == 2
    assert all(0 <= second < 1 for second in result.seconds)


def test_every_look_of_this_world_finds_something_and_every_edit_changes_the_picture(world):
    script = [
        'detect(img_1, "unicorn") & ocr(img_1) & read_codes(img_1) & image_info(img_1)',
        "segment(img_1, boxes_1) & select(boxes_1) & select(lines_1)",
        "blur(img_1) & pixelate(img_1) & erase(img_1, masks_1) & crop(img_1, boxes_1)",
        "adjust(img_1) & rotate(img_1)",
        "Done.",
    ]
    (result,) = evaluate(ScriptedPlanner(script), [wanted(world, "all", "say(chat)")], world)
    assert (result.calls, result.invalid) == (13, 0)
