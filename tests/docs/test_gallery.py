"""The gallery shows every skill, by calls that are what it says, in pictures that are there."""

import asyncio
import importlib
import re
import shlex
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from llava_plus.agent import parse_call
from llava_plus.skills import (
    Artifacts,
    Boxes,
    Image,
    Masks,
    Number,
    Runtime,
    SkillRegistry,
    Table,
    Text,
    TextLines,
    default_registry,
)
from llava_plus.ui.by_hand import run_skill

DOCS = Path(__file__).parents[2] / "docs"
GALLERY = (DOCS / "gallery.md").read_text(encoding="utf-8")
SKILLS = default_registry()
BOX = (0.1, 0.1, 0.6, 0.6)
RESULTS = {
    "image": Image(np.zeros((8, 8, 3), np.uint8)),
    "boxes": Boxes((BOX,)),
    "masks": Masks.from_array(np.ones((1, 8, 8), bool)),
    "lines": TextLines(("day",), (((0.1, 0.1), (0.6, 0.1), (0.6, 0.6)),)),
    "number": Number(1),
    "text": Text("words"),
    "table": Table(("name", "percent"), (("red", 1.0), ("blue", 2.0))),
}


def load(name):
    """Import one of the scripts beside the page."""
    sys.path.insert(0, str(DOCS))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(DOCS))


PAGE, INPUTS, SHOWINGS = (load(f"gallery_{name}") for name in ("page", "inputs", "showings"))
PICTURES = {
    one.path: Image(np.full((8, 8, 3), number, np.uint8))
    for number, one in enumerate(INPUTS.INPUTS)
}
each = pytest.mark.parametrize("showing", SHOWINGS.SHOWINGS, ids=lambda showing: showing.skill)


@pytest.fixture
def recorder():
    """Return the built-in skills, which do nothing but note how they are called, and the notes."""
    notes = []

    def stand_in(spec):
        def function(**given):
            notes.append((spec.name, given))
            kind = given["region"].kind if spec.name == "select" else spec.returns[0]
            return RESULTS[kind]

        return replace(spec, function=function, cache=False)

    return SkillRegistry(stand_in(spec) for spec in SKILLS), notes


def play(calls, registry, showing):
    """Run calls on the pictures of a showing."""
    artifacts = Artifacts()
    for path in showing.pictures:
        artifacts.add(PICTURES[path])
    runtime = Runtime(registry, artifacts)
    for call in calls:
        call = call(artifacts) if callable(call) else call
        observation = asyncio.run(runtime.run(call))
        assert observation.ok, observation.text
    return artifacts


def test_the_page_shows_just_the_built_in_skills():
    assert re.findall("^## `(.*)`$", GALLERY, re.MULTILINE) == [spec.name for spec in SKILLS]


@each
def test_the_page_says_what_the_registry_and_the_showing_say(showing):
    start = GALLERY.index(PAGE.heading(showing, SKILLS))
    section = GALLERY[start : GALLERY.index("\n## ", start)]
    assert showing.note in section
    assert f"```sh\n{PAGE.shell(showing, SKILLS)}\n```" in section
    assert f"```python\n{PAGE.python(showing, SKILLS)}\n```" in section


def test_every_picture_is_there_and_none_is_left_over():
    shown = {(DOCS / path).resolve() for path in re.findall('<img src="([^"]+)"', GALLERY)}
    assert shown
    assert all(path.is_file() for path in shown)
    files = list((DOCS / "gallery").glob("*.jpg"))
    assert {path.resolve() for path in files} <= shown
    assert max(path.stat().st_size for path in files) <= 25_000
    assert sum(path.stat().st_size for path in files) <= 700_000


def test_every_picture_that_goes_in_has_its_source_on_the_page():
    sources = {one.path: one for one in INPUTS.INPUTS}
    used = {path for showing in SHOWINGS.SHOWINGS for path in showing.pictures}
    assert used == set(sources)
    rows = GALLERY[GALLERY.index("## Where the pictures come from") :]
    for one in sources.values():
        assert f"| `{one.path}` | {one.shows} | {one.origin} | {one.rights} |" in rows


@each
def test_calls_fit_the_signatures_and_the_handles(showing, recorder):
    registry, notes = recorder
    artifacts = play(PAGE.calls_of(showing, SKILLS), registry, showing)
    assert showing.skill in [name for name, _ in notes]
    assert set(showing.results) <= set(artifacts)


@each
def test_the_command_makes_the_same_calls(showing, recorder, tmp_path):
    registry, notes = recorder
    play(PAGE.calls_of(showing, SKILLS), registry, showing)
    wanted = list(notes)
    notes.clear()
    words = shlex.split(PAGE.shell(showing, SKILLS).replace("\\\n", " "))
    if words[1] == "chat":
        pictures = words[2 : words.index("-m")]
        assert pictures == list(showing.pictures)
        texts = words[words.index("-m") + 1 :: 2]
        play(
            [lambda held, t=text: parse_call(t, SKILLS, held) for text in texts], registry, showing
        )
    else:
        by_hand(words[2:], registry, tmp_path)
    assert notes == wanted


def by_hand(words, registry, folder):
    """Do what ``llava-plus run`` does with these words."""
    skill, *words = words
    options = {"--image": [], "--region": [], "--point": []}
    arguments = []
    while words:
        word = words.pop(0)
        options[word].append(words.pop(0)) if word in options else arguments.append(word)
    paths = []
    for name in options["--image"]:
        paths.append(folder / Path(name).with_suffix(".png").name)
        PICTURES[name].save(paths[-1])
    result = asyncio.run(
        run_skill(
            registry,
            skill,
            arguments,
            images=paths,
            regions=options["--region"],
            points=options["--point"],
        )
    )
    assert result.observation.ok, result.observation.text


@each
def test_the_lines_of_python_make_the_same_calls(showing, recorder, monkeypatch):
    registry, notes = recorder
    play(PAGE.calls_of(showing, SKILLS), registry, showing)
    wanted = list(notes)
    notes.clear()
    builtin = importlib.import_module("llava_plus.skills.builtin")
    for spec in registry:
        names = [parameter.name for parameter in spec.parameters]
        monkeypatch.setattr(
            builtin,
            spec.name,
            lambda *given, f=spec.function, names=names, **more: f(
                **dict(zip(names, given, strict=False)), **more
            ),
        )
    monkeypatch.setattr("llava_plus.skills.load_image", PICTURES.__getitem__)
    monkeypatch.setattr(Image, "save", lambda self, path: None)
    exec(PAGE.python(showing, SKILLS), {})
    assert notes == wanted
