import asyncio
import json
import logging
import sys
import threading
import time
from typing import Annotated, Literal

import numpy as np
import pytest
from pydantic import Field, ValidationError

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import (
    Artifacts,
    ArtifactStore,
    Boxes,
    Call,
    Image,
    Masks,
    Number,
    Observation,
    Points,
    Region,
    Runtime,
    SkillRegistry,
    Text,
    TextLines,
    Value,
    region_boxes,
    skill,
)


@skill
def blur(
    image: Image,
    region: Region | None = None,
    *,
    strength: Annotated[float, Field(ge=0, le=1)] = 0.5,
    times: int = 1,
    side: Literal["left", "right"] | None = None,
) -> Image:
    """Blur."""
    return Image(255 - image.pixels)


@skill
def tell(
    image: Image,
    words: list[str] | None = None,
    *,
    place: Boxes | Points | None = None,
    note: str = "none",
    level: float | None = 0.5,
) -> Text:
    """Tell what came in."""
    return Text(f"{words} {place.describe() if place else None} {note} {level}")


@skill
def around(region: Region) -> Boxes:
    """Box."""
    return region_boxes(region)


@skill
def scribble(image: Image) -> Image:
    """Write into the input."""
    image.pixels[:] = 0
    return image


@skill
def lie(image: Image) -> Number:
    """Return what was not promised."""
    return 3


@skill
def confuse(image: Image) -> Number:
    """Return a value of another kind."""
    return Text("3")


@skill
def leave(image: Image) -> Number:
    """Leave the program."""
    sys.exit(3)


@skill
def refuse(image: Image) -> Number:
    """Refuse."""
    raise SkillError("refuse: got a picture, wanted none. Leave it out.")


@skill
def lack(image: Image) -> Number:
    """Need something that is not there."""
    raise SetupError("lack needs a thing: pip install thing")


MISTAKES = [
    ("blr", {"image": "img_1"}, "No skill 'blr'. Did you mean 'blur'? Known: "),
    ("blur", {"image": "img_7"}, "No handle 'img_7'. There are: img_1, boxes_1, lines_1."),
    ("blur", {"image": "boxes_1"}, "blur: image wants Image, boxes_1 is boxes. There are: img_1."),
    ("around", {"region": "img_1"}, "There are: boxes_1, lines_1. Or give numbers from 0 to 1."),
    ("blur", {}, "blur: image is missing, it wants Image. There are: img_1."),
    ("blur", {"image": None}, "blur: image is missing"),
    ("blur", {"image": ["img_1"]}, 'blur: image wants Image, got ["img_1"]. There are: img_1.'),
    ("blur", {"image": {"a": 1}}, 'got {"a": 1}'),
    (
        "blur",
        {"image": "img_1", "stength": 1},
        "blur: no parameter 'stength'. Did you mean 'strength'? "
        "It takes: image, region, strength, times, side.",
    ),
    ("blur", {"image": "img_1", "zzz": 1}, "blur: no parameter 'zzz'. It takes: image,"),
    (
        "blur",
        {"image": "img_1", "strength": 3},
        "blur: strength cannot be 3: input should be less than or equal to 1, "
        "or leave it out for 0.5.",
    ),
    ("blur", {"image": "img_1", "strength": "much"}, "valid number"),
    ("blur", {"image": "img_1", "times": 1.5}, "valid integer"),
    ("blur", {"image": "img_1", "side": "up"}, "'left' or 'right', or leave it out."),
    ("tell", {"image": "img_1", "words": ["a", 3]}, "[1]input should be a valid string"),
    ("tell", {"image": "img_1", "level": "nan"}, "finite number"),
    ("blur", {"image": "img_1", "region": [0, 0, 640, 480]}, "0 to 1, got [0, 0, 640, 480]"),
    ("blur", {"image": "img_1", "region": [0.5, 0, 0.1, 1]}, "a box is [left, top, right, bottom]"),
    ("blur", {"image": "img_1", "region": [0, 0, 1]}, "wants Region, got [0, 0, 1]."),
    ("blur", {"image": "img_1", "region": [0.5, 0.5]}, "wants Region, got [0.5, 0.5]."),
    ("blur", {"image": "img_1", "region": []}, "wants Region, got []."),
    ("blur", {"image": "img_1", "region": [[0, 0, 1, 1], [1, 1]]}, "wants Region"),
    ("blur", {"image": "img_1", "region": [True, 0, 1, 1]}, "wants Region"),
    ("blur", {"image": "img_1", "region": 3}, "wants Region, got 3."),
    ("refuse", {"image": "img_1"}, "refuse: got a picture, wanted none. Leave it out."),
    ("lack", {"image": "img_1"}, "lack needs a thing: pip install thing"),
]


@pytest.fixture
def artifacts():
    artifacts = Artifacts()
    artifacts.add(Image(np.full((4, 6, 3), 100, np.uint8), meta={"camera": "A"}))
    artifacts.add(Boxes(((0, 0, 0.5, 1),), labels=("face",)))
    artifacts.add(TextLines(("OPEN",), (((0, 0), (1, 0), (1, 0.5)),)))
    return artifacts


@pytest.fixture
def runtime(artifacts):
    skills = [blur, tell, around, scribble, lie, confuse, leave, refuse, lack]
    return Runtime(SkillRegistry(skills), artifacts)


def run(runtime, skill, cancel=None, **args) -> Observation:
    return asyncio.run(runtime.run(Call(id="c1", skill=skill, args=args), cancel))


def test_a_call_becomes_a_value_under_a_new_handle(runtime, artifacts):
    seen = run(runtime, "blur", image="img_1", region="boxes_1")
    assert seen.ok
    assert (seen.call_id, seen.skill, seen.handle, seen.kind) == ("c1", "blur", "img_2", "image")
    assert (seen.text, seen.error, seen.cached) == ("6x4", None, False)
    assert seen.version == blur.__skill__.version
    assert seen.backend == __name__
    assert artifacts["img_2"].source == "c1"
    assert (artifacts["img_2"].value.pixels == 155).all()


@pytest.mark.parametrize(("skill", "args", "words"), MISTAKES)
def test_a_planner_is_told_what_came_what_was_wanted_and_what_to_do(runtime, skill, args, words):
    before = len(runtime.artifacts)
    seen = run(runtime, skill, **args)
    assert words in seen.text
    assert (seen.ok, seen.error, seen.handle, seen.kind) == (False, "skill", None, None)
    assert seen.text.endswith((".", "thing"))
    assert len(runtime.artifacts) == before


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, "None None none 0.5"),
        ({"words": None, "place": None, "note": None}, "None None none 0.5"),
        ({"level": None}, "None None none None"),
        ({"note": "  hello "}, "None None hello 0.5"),
        ({"level": "0.25"}, "None None none 0.25"),
        ({"words": ["a", "b"]}, "['a', 'b'] None none 0.5"),
        ({"place": " boxes_1 "}, "None 1 box: face none 0.5"),
        ({"place": [0, 0, 0.5, 1]}, "None 1 box: [0, 0, 0.5, 1] none 0.5"),
        ({"place": [[0, 0, 1, 1]] * 2}, "None 2 boxes: [0, 0, 1, 1], [0, 0, 1, 1] none 0.5"),
        ({"place": [0.5, 0.25]}, "None 1 point: [0.5, 0.25] none 0.5"),
        ({"place": [[0.5, 0.25]]}, "None 1 point: [0.5, 0.25] none 0.5"),
    ],
)
def test_arguments_arrive_as_values(runtime, args, words):
    assert run(runtime, "tell", image=" img_1\n", **args).text == words


def test_lines_of_text_are_a_region(runtime):
    assert run(runtime, "around", region="lines_1").text == "1 box: [0, 0, 1, 0.5]"


@pytest.mark.parametrize(
    ("skill", "kind", "logged"),
    [
        ("scribble", "ValueError", "read-only"),
        ("lie", "returned int instead of Number", "returned int"),
        ("confuse", "returned Text instead of Number", "returned Text"),
        ("leave", "SystemExit", "sys.exit(3)"),
    ],
)
def test_a_bug_is_short_for_the_planner_and_whole_in_the_log(runtime, caplog, skill, kind, logged):
    caplog.set_level(logging.ERROR)
    seen = run(runtime, skill, image="img_1")
    assert seen.error == "bug"
    assert seen.text == (
        f"{skill} broke: a bug in the skill ({kind}), not in the call. Try another way."
    )
    assert logged in caplog.text


def test_a_skill_cannot_change_the_picture_it_is_given(runtime):
    run(runtime, "scribble", image="img_1")
    assert (runtime.artifacts["img_1"].value.pixels == 100).all()


def test_an_alias_is_answered_under_the_name(artifacts):
    @skill(name="copy", aliases=["old-copy"])
    def copy(image: Image) -> Image:
        """Copy."""
        return image

    assert run(Runtime(SkillRegistry([copy]), artifacts), "old-copy", image="img_1").skill == "copy"


@pytest.fixture
def release():
    """Lets the skill ``wait`` go on; set at the end, so that no thread stays."""
    event = threading.Event()
    yield event
    event.set()


def waiting_runtime(artifacts, release, time_limit):
    ended = threading.Event()

    @skill(time_limit=time_limit)
    def wait(image: Image) -> Number:
        """Wait."""
        release.wait(10)
        ended.set()
        return Number(1)

    return Runtime(SkillRegistry([wait]), artifacts), ended


def test_time_runs_out_and_a_late_result_is_dropped(artifacts, release):
    runtime, ended = waiting_runtime(artifacts, release, 0.1)

    async def watch():
        seen = await runtime.run(Call(id="c", skill="wait", args={"image": "img_1"}))
        assert not ended.is_set()
        release.set()
        await asyncio.to_thread(ended.wait, 5)
        await asyncio.sleep(0.05)
        assert "number_1" not in artifacts
        return seen, await runtime.run(Call(id="d", skill="wait", args={"image": "img_1"}))

    seen, again = asyncio.run(watch())
    assert (seen.ok, seen.error) == (False, "time")
    assert "ran out of time (0.1 s)" in seen.text
    assert seen.seconds >= 0.1
    assert (again.ok, again.cached, again.handle) == (True, False, "number_1")


def test_a_late_result_after_the_loop_has_closed_harms_nobody(artifacts, release):
    runtime, ended = waiting_runtime(artifacts, release, 0.1)
    assert run(runtime, "wait", image="img_1").error == "time"
    release.set()
    assert ended.wait(5)
    assert "number_1" not in artifacts


def test_a_person_can_cancel_while_a_skill_runs(artifacts, release):
    runtime, ended = waiting_runtime(artifacts, release, 30)
    cancel = threading.Event()
    threading.Timer(0.1, cancel.set).start()
    seen = run(runtime, "wait", cancel, image="img_1")
    assert (seen.ok, seen.error, seen.text) == (False, "cancelled", "wait was cancelled.")
    assert not ended.is_set()


def test_a_picture_that_cannot_be_stored_is_an_observation(tmp_path):
    artifacts = Artifacts(ArtifactStore(tmp_path / "pictures"))
    artifacts.add(Image(np.zeros((2, 2, 3), np.uint8)))
    (tmp_path / "pictures").rename(tmp_path / "moved")
    (tmp_path / "pictures").touch()
    seen = run(Runtime(SkillRegistry([blur]), artifacts), "blur", image="img_1")
    assert (seen.ok, seen.error) == (False, "skill")
    assert "Cannot store a picture" in seen.text
    assert artifacts.handles() == ("img_1",)


def test_many_calls_run_at_once_and_get_handles_in_their_order(artifacts):
    together = threading.Barrier(3, timeout=5)

    @skill
    def echo(image: Image, number: float, delay: float) -> Number:
        """Say it again, later."""
        together.wait()
        time.sleep(delay)
        return Number(number)

    runtime = Runtime(SkillRegistry([echo]), artifacts)
    calls = [
        Call(id=f"c{i}", skill="echo", args={"image": "img_1", "number": i, "delay": 0.1 - i / 20})
        for i in range(3)
    ]
    seen = asyncio.run(runtime.run_many(calls))
    assert [(o.call_id, o.handle, o.text) for o in seen] == [
        ("c0", "number_1", "0"),
        ("c1", "number_2", "1"),
        ("c2", "number_3", "2"),
    ]


def test_one_mistake_among_many_calls_stops_none_of_the_others(runtime):
    calls = [
        Call(id="a", skill="blur", args={"image": "img_1"}),
        Call(id="b", skill="fly"),
        Call(id="c", skill="lie", args={"image": "img_1"}),
        Call(id="d", skill="tell", args={"image": "img_1"}),
    ]
    seen = asyncio.run(runtime.run_many(calls))
    assert [o.error for o in seen] == [None, "skill", "bug", None]
    assert asyncio.run(runtime.run_many([])) == ()


def counting_runtime(artifacts, *, cache=True, declared=True):
    runs = []

    @skill(cache=declared)
    def look(image: Image, place: Value | None = None, note: str = "") -> Number:
        """Count the runs."""
        runs.append(1)
        return Number(len(runs))

    return Runtime(SkillRegistry([look]), artifacts, cache=cache), runs


def test_the_same_call_on_the_same_content_runs_once(artifacts):
    runtime, runs = counting_runtime(artifacts)
    first = run(runtime, "look", image="img_1")
    artifacts.add(artifacts["img_1"].value)
    second = run(runtime, "look", image="img_2")
    assert (first.cached, second.cached) == (False, True)
    assert (first.handle, second.handle) == ("number_1", "number_2")
    assert second.text == first.text
    assert len(runs) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"image": "img_2"},
        {"image": "img_3"},
        {"place": "boxes_1"},
        {"place": "masks_1"},
        {"note": "x"},
    ],
)
def test_another_input_is_not_answered_from_memory(artifacts, other):
    runtime, runs = counting_runtime(artifacts)
    artifacts.add(Image(np.zeros((4, 6, 3), np.uint8), meta={"camera": "A"}))
    artifacts.add(Image(np.full((4, 6, 3), 100, np.uint8), meta={"camera": "B"}))
    artifacts.add(Masks.from_array(np.ones((1, 4, 6), bool)))
    run(runtime, "look", image="img_1")
    seen = run(runtime, "look", **({"image": "img_1"} | other))
    assert seen.ok
    assert not seen.cached
    assert len(runs) == 2


@pytest.mark.parametrize("options", [{"cache": False}, {"declared": False}])
def test_memory_can_be_switched_off(artifacts, options):
    runtime, runs = counting_runtime(artifacts, **options)
    for _ in range(2):
        assert not run(runtime, "look", image="img_1").cached
    assert len(runs) == 2


def test_a_failure_is_not_remembered(artifacts):
    outcomes = [SkillError("not now"), None]

    @skill
    def moody(image: Image) -> Number:
        """Fail once."""
        if error := outcomes.pop(0):
            raise error
        return Number(1)

    runtime = Runtime(SkillRegistry([moody]), artifacts)
    assert [run(runtime, "moody", image="img_1").ok for _ in range(2)] == [False, True]


def test_calls_and_observations_are_frozen_json(runtime):
    call = Call(id="c1", skill="blur", args={"image": "img_1", "strength": 0.5})
    assert Call.model_validate_json(call.model_dump_json()) == call
    seen = run(runtime, "blur", image="img_1")
    assert Observation.model_validate(json.loads(seen.model_dump_json())) == seen
    with pytest.raises(ValidationError, match="frozen"):
        seen.ok = False
