"""What holds for every one of the edits: how it is declared, and that a planner can call it."""

import asyncio

import pytest

from llava_plus.skills import Artifacts, Call, Image, Runtime, SkillRegistry
from llava_plus.skills.builtin import (
    backgrounds,
    combining,
    improving,
    leveling,
    marking,
    sizing,
    styling,
)

MODULES = (backgrounds, combining, improving, leveling, marking, sizing, styling)
NAMES = (
    *("add_text", "combine", "denoise", "draw", "enhance", "flip", "remove_background"),
    *("replace_background", "resize", "straighten", "stylize"),
)


def registry():
    return SkillRegistry(spec for module in MODULES for spec in SkillRegistry.from_module(module))


def test_these_are_the_edits():
    assert tuple(spec.name for spec in registry()) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_it_is_for_and_what_it_takes(name):
    spec = registry()[name]
    assert spec.examples
    assert spec.description.endswith(".")
    assert all(parameter.description for parameter in spec.parameters)
    assert spec.returns == ("image",)
    assert spec.backend == "builtin"


@pytest.mark.parametrize(
    ("skill", "args"),
    [
        ("flip", {}),
        ("resize", {"width": 40}),
        ("draw", {"region": [0.1, 0.1, 0.5, 0.5]}),
        ("draw", {"region": [0.5, 0.5], "shape": "arrow"}),
        ("add_text", {"text": "Hi", "place": "top"}),
        ("combine", {"other": "img_1", "layout": "below"}),
        ("stylize", {"style": "sepia"}),
        ("denoise", {"strength": 1}),
        ("remove_background", {"region": [0.0, 0.02, 1.0, 1.0]}),
    ],
)
def test_a_planner_calls_it_by_handles_and_numbers(astronaut, skill, args):
    artifacts = Artifacts()
    artifacts.add(Image(astronaut.pixels[::4, ::4].copy()))
    call = Call(id="c1", skill=skill, args={"image": "img_1", **args})
    observation = asyncio.run(Runtime(registry(), artifacts).run(call))
    assert observation.error is None, observation.text
    assert len(artifacts) == 2
