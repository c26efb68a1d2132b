"""Skills that only a model can do: offered where one does them, and never unknown."""

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import (
    Artifacts,
    Boxes,
    Call,
    Image,
    Runtime,
    SkillRegistry,
    Tags,
    Text,
    default_registry,
    load_skills,
    model_registry,
    skill,
)
from llava_plus.skills.backends import BACKENDS, Backend, Shelf, skill_backends, with_backends
from llava_plus.skills.declared import caption

SAYS = Backend(
    name="says",
    skill="caption",
    note="",
    weights="tiny/says",
    model_types=("says",),
    licence="MIT",
    download=7,
    working=1,
    load=lambda folder, device: Sayer(),
    method="caption",
)
TABLE = (SAYS, replace(SAYS, skill="ask", method="ask"))
DECLARED = tuple(spec.name for spec in model_registry())

pytestmark = pytest.mark.usefixtures("own_choice")


class Sayer:
    """Says how often a model was made."""

    made = 0

    def __init__(self):
        Sayer.made += 1

    def caption(self, image, *, prompt=""):
        return Text(f"{prompt or 'grey'}, by model {Sayer.made}")

    def ask(self, image, question):
        return Text(f"{question} Yes, by model {Sayer.made}")


@pytest.fixture
def folder(tiny, tmp_path):
    return tiny.weights(tmp_path / "says", "says")


def called(registry, name, **args):
    artifacts = Artifacts()
    artifacts.add(Image(np.full((20, 30, 3), 99, np.uint8)))
    call = Call(id="c", skill=name, args={"image": "img_1", **args})
    return asyncio.run(Runtime(registry, artifacts).run(call))


def backed(*wanted, skills=None):
    return with_backends(skills or default_registry(), wanted, table=TABLE, shelf=Shelf(budget=100))


@pytest.mark.parametrize("name", DECLARED)
def test_each_says_what_it_is_for_what_it_takes_and_which_models_do_it(name):
    spec = model_registry()[name]
    assert spec.doc.splitlines()[0].endswith(".")
    assert spec.examples
    assert all(parameter.description for parameter in spec.parameters)
    assert spec.backend == "not installed"


def test_none_is_offered_where_no_model_is_there():
    registry = load_skills(installed=False).skills
    assert not set(DECLARED) & {spec.name for spec in registry}
    assert not set(DECLARED) & {spec.name for spec in default_registry()}


@pytest.mark.parametrize("registry", [default_registry(), SkillRegistry()])
def test_a_call_of_one_says_what_it_needs_and_is_never_unknown(registry):
    seen = called(registry, "caption")
    assert (seen.ok, seen.error) == (False, "skill")
    assert seen.text.startswith("caption needs a model, and there is none here.")
    with pytest.raises(SkillError, match="caption needs a model"):
        caption(Image(np.zeros((9, 9, 3), np.uint8)))
    with pytest.raises(SetupError, match="caption needs a model"):
        registry.subset("caption")


def test_the_model_that_is_chosen_does_it_and_is_loaded_once_for_all_its_skills(folder):
    Sayer.made = 0
    skills = backed(f"caption=says:{folder}", f"ask=says:{folder}")
    assert [spec.name for spec in skills if spec.name in DECLARED] == ["ask", "caption"]
    seen = called(skills, "caption", prompt="a photo of")
    assert (seen.ok, seen.backend, seen.text) == (True, "says", "a photo of, by model 1")
    assert called(skills, "ask", question="Grey?").text == "Grey? Yes, by model 1"
    assert skill_backends(skills["caption"], TABLE) == ("says: used",)
    assert "caption(image: Image" in skills.prompt()


def test_only_what_a_model_was_chosen_for_is_added(folder):
    skills = backed(f"caption=says:{folder}")
    assert ("caption" in skills, "ask" in skills) == (True, False)


@pytest.mark.parametrize("choice", ["caption=builtin", "caption=builtin+says", "caption=other"])
def test_no_built_in_one_can_be_chosen(choice):
    with pytest.raises(SetupError, match=r"has no backend .* its backends are says\."):
        backed(choice)


def test_a_persons_own_skill_of_that_name_stays(folder):
    @skill(name="caption")
    def mine(image: Image) -> Text:
        """Say something."""
        return Text("mine")

    skills = default_registry().merge(SkillRegistry([mine]))
    assert called(backed(f"caption=says:{folder}", skills=skills), "caption").text == "mine"


def test_what_a_model_could_do_is_told_with_the_command():
    (line,) = skill_backends(model_registry()["caption"], TABLE)
    assert line == (
        "says: needs weights: 7 MB, tiny/says is not on this machine. "
        "Run: llava-plus skills pull says"
    )


class Pointer:
    """Finds each phrase of a label in a part of its own."""

    def __call__(self, image, label):
        names = label.split(" . ")
        boxes = [(n / len(names), 0, (n + 1) / len(names), 1) for n in range(len(names))]
        return Boxes(tuple(boxes), labels=tuple(names), query=label)


class Teller(Sayer):
    """Says what two pictures show."""

    def caption(self, image, *, prompt=""):
        return Text("a dog on a red bench" if image.width > 20 else "it is very close")

    def tag(self, image, *, words=None, most=5):
        return Tags(("dog", "bench"))


def grounded(folder, tmp_path, tiny, *skills):
    points = replace(
        SAYS, name="points", skill="detect", model_types=("points",), method="__call__",
        load=lambda *_: Pointer(),
    )  # fmt: skip
    tells = [replace(SAYS, skill=name, method=name, load=lambda *_: Teller()) for name in skills]
    place = tiny.weights(tmp_path / "points", "points")
    wanted = [f"detect=points:{place}", *(f"{each.skill}=says:{folder}" for each in tells)]
    shelf = Shelf(budget=100)
    return with_backends(default_registry(), wanted, table=[points, *tells], shelf=shelf)


def test_what_a_caption_or_tags_name_is_found(folder, tmp_path, tiny):
    skills = grounded(folder, tmp_path, tiny, "caption", "tag")
    artifacts = Artifacts()
    for width in (30, 12):
        artifacts.add(Image(np.full((20, width, 3), 99, np.uint8)))
    runtime = Runtime(skills, artifacts)
    results = []
    for args in ({"image": "img_1"}, {"image": "img_1", "by": "tags"}, {"image": "img_2"}):
        seen = asyncio.run(runtime.run(Call(id="c", skill="ground", args=args)))
        assert seen.ok, seen.text
        boxes = artifacts[seen.handle].value
        results.append((boxes.labels, boxes.query))
    assert seen.backend == "caption:says+detect:points+tag:says"
    assert results == [
        (("dog", "red bench"), "a dog on a red bench"),
        (("dog", "bench"), "dog, bench"),
        ((), "it is very close"),
    ]


def test_grounding_needs_words_and_a_model_that_finds_them(folder, tmp_path, tiny):
    only = grounded(folder, tmp_path, tiny, "tag")
    assert "caption needs a model" in called(only, "ground").text
    assert called(only, "ground", by="tags").ok
    assert "ground" not in backed(f"caption=says:{folder}")
    seen = called(backed(f"caption=says:{folder}"), "ground")
    assert "ground needs a model, and there is none here. blip2 needs weights" in seen.text
    assert "grounding-dino needs weights" in seen.text


def test_one_name_stands_for_one_model():
    for name in {each.name for each in BACKENDS}:
        here = [each for each in BACKENDS if each.name == name]
        same = {(b.weights, b.model_types, b.load, b.working, b.packages) for b in here}
        assert len(same) == 1, name
