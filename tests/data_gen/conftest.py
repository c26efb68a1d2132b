"""Pictures, real skills, and a way to see whether a plan could be carried out."""

import json

import numpy as np
import pytest

from llava_plus.agent import Agent, ScriptedPlanner, Trace
from llava_plus.agent.notation import HANDLE, parse_context, parse_plan, result_prefix
from llava_plus.data_gen.pictures import drawn_pictures
from llava_plus.data_gen.requests import Request
from llava_plus.data_gen.verify import put_pictures
from llava_plus.errors import SkillError
from llava_plus.skills import (
    ArtifactStore,
    Boxes,
    Image,
    Region,
    SkillRegistry,
    TextLines,
    default_registry,
    skill,
    with_original_names,
)
from llava_plus.skills.builtin.planned import PLANNED


@pytest.fixture(scope="session")
def skills():
    """The skills that traces are made of."""
    return default_registry().subset(*PLANNED)


@pytest.fixture(scope="session")
def scenes():
    return list(drawn_pictures(24, seed=0))


@pytest.fixture(scope="session")
def scene(scenes):
    """A scene with at least two objects and nothing that the offline detectors find."""
    return next(one for one in scenes if len(one.objects) >= 2 and not one.holds)


@pytest.fixture(scope="session")
def obstacle(skills):
    """Say what stands in the way of a plan in its context: nothing, for one that can be run."""

    def found(request: Request) -> str:
        context = parse_context(request.context, skills)
        given = {"img": context.images}
        given |= {context.pointer: 1} if context.pointer else {}
        for plan in (*context.turns, parse_plan(request.plan, skills)):
            for step in plan.steps:
                for call in step:
                    for value in call.args.values():
                        if isinstance(value, str) and HANDLE.fullmatch(value):
                            kind, number = value.split("_")
                            if int(number) > given.get(kind, 0):
                                return f"{request.origin}: {value} is not there"
                    lacking = [
                        p.name
                        for p in skills[call.skill].parameters
                        if p.required and p.name not in call.args
                    ]
                    if lacking:
                        return f"{request.origin}: {call.skill} lacks {lacking}"
                for call in step:
                    kind = result_prefix(call, skills)
                    given[kind] = given.get(kind, 0) + 1
        return ""

    return found


@pytest.fixture
def ask():
    """Make a request in short."""
    return lambda text, plan, context="1": Request(
        context=context, text=text, plan=plan, origin="test"
    )


@skill(isolation="inline")
def detect(image: Image, label: str) -> Boxes:
    """Find things that a word names."""
    if label != "face":
        raise SkillError(f"detect: cannot find {label!r}; it finds faces.")
    boxes = ((0.1, 0.1, 0.3, 0.4), (0.6, 0.25, 0.8, 0.456))
    return Boxes(boxes, labels=("face", "face"), scores=(0.987, 0.5), query="face")


@skill(isolation="inline")
def blur(image: Image, region: Region | None = None, *, strength: float = 0.5) -> Image:
    """Blur a region."""
    return Image.from_array(image.pixels // 2)


@skill(isolation="inline")
def ocr(image: Image) -> TextLines:
    """Read printed text."""
    square = ((0.0, 0.0), (0.5, 0.0), (0.5, 0.1), (0.0, 0.1))
    return TextLines(("OPEN", "Room 204"), (square, square), scores=(0.999, 0.5))


@pytest.fixture
def few_skills():
    """Small skills that are quick, and LLaVA-Plus's names for them."""
    return with_original_names(SkillRegistry([detect, blur, ocr]))


@pytest.fixture
def picture():
    return np.arange(12 * 16 * 3, dtype=np.uint8).reshape(12, 16, 3)


@pytest.fixture
def talk(few_skills, picture):
    """Make a trace: each turn is a request with what the planner says about it."""

    def make(*turns, id="one", licence="CC0-1.0", skills=None, shift=0):
        script = [line for _, *lines in turns for line in lines]
        agent = Agent(ScriptedPlanner(script), skills or few_skills)
        session, images = agent.session(), [np.roll(picture, shift)]
        for message, *_ in turns:
            trace = session.run_sync(message, images)
            images = []
        return trace.model_copy(update={"id": id, "licence": licence})

    return make


@pytest.fixture
def faces(talk):
    """Make a trace in which faces are found and blurred."""

    def make(**options):
        find = ("where are the faces?", "detect(img_1, 'face')", "I found {boxes_1}.")
        return talk(find, ("blur them", "blur(img_1, boxes_1)", "Done: {img_2}."), **options)

    return make


@pytest.fixture
def edited():
    """Change the JSON of a trace, and read it again."""

    def edit(trace, change):
        fields = json.loads(trace.to_json())
        change(fields)
        return Trace.from_json(json.dumps(fields), trace.artifacts.store)

    return edit


@pytest.fixture
def folder_of(tmp_path):
    """Write traces, and other lines, into a folder."""

    def write(*found, name="traces"):
        folder = tmp_path / name
        store = ArtifactStore(folder / "artifacts")
        folder.mkdir()
        for trace in found:
            if isinstance(trace, Trace):
                put_pictures(trace, store)
        lines = [one.to_json() if isinstance(one, Trace) else one for one in found]
        (folder / "all.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return folder

    return write
