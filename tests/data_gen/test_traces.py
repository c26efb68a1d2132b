"""Plans followed by the real agent with the real skills."""

import asyncio
from dataclasses import replace

import pytest

from llava_plus.data_gen.pictures import ground_truth
from llava_plus.data_gen.traces import make_trace, offline_skills, truth_registry
from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import (
    Artifacts,
    Boxes,
    Image,
    Runtime,
    SkillRegistry,
    Text,
    default_registry,
    skill,
)
from llava_plus.skills.builtin.planned import PLANNED


def fresh_registry(picture):
    """The skills of a trace, with nothing remembered: a `detect` that knows the ground truth."""
    skills = default_registry().subset(*PLANNED)
    offline = skills["detect"].function

    def detect(image: Image, label: str) -> Boxes:
        try:
            return offline(image=image, label=label)
        except SkillError:
            return ground_truth(picture, label)

    others = [spec.name for spec in skills if spec.name != "detect"]
    return skills.subset(*others).merge(
        SkillRegistry([replace(skills["detect"], function=detect, backend="ground-truth")])
    )


def replay(trace, skills):
    """Run every call of a trace again, in a session of its own, and collect what came back."""
    artifacts = Artifacts()
    runtime = Runtime(skills, artifacts, cache=False)
    for handle, artifact in trace.artifacts.items():
        if artifact.source.startswith("user"):
            assert artifacts.add(artifact.value, source=artifact.source) == handle
    steps = [step for turn in trace.turns for step in turn.steps if step.actions]
    seen = [one for step in steps for one in asyncio.run(runtime.run_many(step.actions))]
    return seen, artifacts


def facts(observation):
    return observation.model_copy(update={"seconds": 0.0, "cached": False})


PLANS = [
    ('detect(img_1, "dog") ; blur(img_1, boxes_1)', "1"),
    (
        'detect(img_1, "dog") & image_info(img_1) ; select(boxes_1, by="left")'
        " ; crop(img_1, boxes_2) ; rotate(img_2, degrees=30) & adjust(img_2, contrast=0.3)",
        "1",
    ),
    ("rotate(img_1, degrees=90) & rotate(img_2, flip='vertical')", "2"),
    ("pixelate(img_1, boxes_1)", "1+box"),
    ("segment(img_1, points_1) ; blur(img_1, masks_1, outside=True)", "1+click"),
    ('detect(img_1, "face") ; crop(img_1, boxes_1)', "1"),
    ("blur(img_2, boxes_1)", '1 > detect(img_1, "dog") > rotate(img_1, flip="horizontal")'),
]


@pytest.mark.parametrize(("plan", "context"), PLANS)
def test_every_observation_is_what_the_skill_returns_again(scenes, ask, plan, context):
    picture, *more = [one for one in scenes if "face" in one.holds or not one.holds][:3]
    request = ask("do it", plan, context)
    trace = make_trace(request, picture, more=more, earlier=["find it", "mirror it"])
    seen, artifacts = replay(trace, fresh_registry(picture))
    said = [one for turn in trace.turns for step in turn.steps for one in step.observations]
    assert [facts(one) for one in seen] == [facts(one) for one in said]
    for handle, artifact in trace.artifacts.items():
        again = artifacts[handle].value
        if isinstance(again, Image):
            assert again.digest == artifact.value.digest
        else:
            assert again == artifact.value


def last_turn(request, picture, **options):
    return make_trace(request, picture, **options).turns[-1]


def test_a_plan_that_works_out_is_followed_to_its_end(scene, ask):
    turn = last_turn(ask("blur the dog", PLANS[0][0]), scene)
    assert [call.skill for step in turn.steps for call in step.actions] == ["detect", "blur"]
    assert [step.thought for step in turn.steps] == [
        "First find, then blur.",
        "Now blur.",
        "All done.",
    ]
    assert turn.reason == "answered"
    assert turn.cited == ("img_2",)


def test_a_look_that_finds_nothing_ends_the_plan(scene, ask):
    turn = last_turn(ask("blur the faces", 'detect(img_1, "face") ; blur(img_1, boxes_1)'), scene)
    assert [step.thought for step in turn.steps] == ["First find, then blur.", "Nothing there."]
    assert turn.answer == "I found no face, so I left the picture as it is."
    only = last_turn(ask("any face?", 'detect(img_1, "face")'), scene)
    assert only.answer == "I found no face."


def test_of_two_looks_one_may_find_nothing_when_nothing_hangs_on_it(scene, ask):
    turn = last_turn(ask("dog and face?", 'detect(img_1, "dog") & detect(img_1, "face")'), scene)
    assert turn.cited == ("boxes_1", "boxes_2")
    assert turn.steps[-1].thought == "All done."


def test_a_call_that_fails_ends_the_plan_with_the_error(scene, ask):
    request = ask("blur the dog", PLANS[0][0])
    turn = last_turn(request, scene, named=False)
    assert [step.thought for step in turn.steps] == ["First find, then blur.", "That did not work."]
    (seen,) = turn.steps[0].observations
    assert (seen.ok, seen.error) == (False, "skill")
    assert turn.answer == seen.text
    assert turn.steps[-1].answer == "{error}"


def test_without_ground_truth_only_what_detectors_find_is_found(scenes, ask):
    portrait = next(one for one in scenes if "face" in one.holds)
    turn = last_turn(ask("faces?", 'detect(img_1, "face")'), portrait, named=False)
    assert turn.steps[0].observations[0].ok
    assert turn.steps[0].observations[0].backend != "ground-truth"


def test_a_follow_up_uses_what_the_earlier_turns_made(scene, ask):
    request = ask("blur them", "blur(img_1, boxes_1)", '1 > detect(img_1, "dog")')
    trace = make_trace(request, scene, earlier=["where are the dogs"])
    first, second = trace.turns
    assert (first.message, first.images) == ("where are the dogs", ("img_1",))
    assert (second.message, second.images) == ("blur them", ())
    assert second.steps[0].observations[0].handle == "img_2"


def test_answers_without_a_skill_call_none(scene, ask):
    for kind in ("chat", "explain", "ask", "refuse", "cannot", "recall"):
        turn = last_turn(ask("hi", f"say({kind})"), scene)
        assert [step.actions for step in turn.steps] == [()]
        assert turn.answer
    no_picture = last_turn(ask("blur it", "say(ask)", "0"), scene)
    assert no_picture.images == ()
    assert no_picture.answer == "Please add a picture first."


def test_a_recalled_result_is_cited(scene, ask):
    request = ask("how many were that?", "say(recall)", '1 > detect(img_1, "dog")')
    turn = last_turn(request, scene, earlier=["dogs?"])
    assert turn.cited == ("boxes_1",)
    assert f"{len(scene.objects)} dog" in turn.answer


def test_pointers_lie_on_an_object_of_the_scene(scene, ask):
    click = make_trace(ask("this", "segment(img_1, points_1)", "1+click"), scene)
    ((x, y),) = click.artifacts["points_1"].value.xy
    assert any(x0 < x < x1 and y0 < y < y1 for x0, y0, x1, y1 in scene.objects)
    box = make_trace(ask("this", "blur(img_1, boxes_1)", "1+box"), scene)
    assert box.artifacts["boxes_1"].value.xyxy[0] in scene.objects


def test_the_same_request_gives_the_same_trace(scene, ask):
    request = ask("crop to this", "crop(img_1, boxes_1)", "1+box")
    lines = []
    for _ in range(2):
        trace = make_trace(request, scene, seed=3)
        steps = [
            (step.thought, step.actions, [facts(one) for one in step.observations])
            for turn in trace.turns
            for step in turn.steps
        ]
        lines.append((steps, trace.turns[-1].answer, trace.artifacts.to_json()))
    assert lines[0] == lines[1]


def test_skills_that_a_person_added_can_be_planned(scene, ask):
    @skill
    def greet(image: Image) -> Text:
        """Greet the picture."""
        return Text(f"hello, {image.width}")

    turn = last_turn(ask("greet it", "greet(img_1)"), scene, added=SkillRegistry([greet]))
    assert turn.steps[0].observations[0].text == f"hello, {scene.image.width}"
    assert turn.cited == ("text_1",)


def test_a_plan_that_cannot_be_read_is_the_authors_error(scene, ask):
    with pytest.raises(SetupError, match="No skill 'blurr'"):
        make_trace(ask("blur it", "blurr(img_1)"), scene)


def test_what_is_slow_is_worked_out_once(scene):
    assert offline_skills() is offline_skills()
    detect = truth_registry(scene)["detect"].function
    assert detect(image=scene.image, label="face") is detect(image=scene.image, label="face")


def test_an_outline_takes_its_name_from_the_box_it_was_asked_for(scene, ask):
    for name in ("dog", "cat"):  # the second outline is remembered from the first
        request = ask(f"cut out the {name}", f'detect(img_1, "{name}") ; segment(img_1, boxes_1)')
        assert name in last_turn(request, scene).answer
