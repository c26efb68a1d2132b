import asyncio
from pathlib import Path

import numpy as np
import pytest

from llava_plus.skills import Artifacts, Call, Image, Runtime, catalog_page, default_registry

CATALOG = Path(__file__).parents[2] / "docs" / "catalog.md"
THIRTY = (
    *("add_text", "adjust", "blur", "calculate", "colors", "combine", "compare", "count", "crop"),
    *("denoise", "describe", "detect", "draw", "enhance", "erase", "flip", "image_info", "measure"),
    *("ocr", "pixelate", "plot", "read_codes", "remove_background", "replace_background"),
    *("resize", "rotate", "segment", "select", "straighten", "stylize"),
)


def test_the_thirty_are_there():
    assert tuple(spec.name for spec in default_registry()) == THIRTY


def test_the_catalog_is_what_the_skills_say():
    """Planners, data and evaluation hang on it; it is written anew on purpose only."""
    assert CATALOG.read_text(encoding="utf-8") == catalog_page()


@pytest.mark.parametrize("name", THIRTY)
def test_each_says_what_it_is_for_and_what_it_takes(name):
    spec = default_registry()[name]
    assert spec.doc.splitlines()[0].endswith(".")
    assert spec.examples
    assert all(parameter.description for parameter in spec.parameters)
    assert spec.backend == "builtin"


def test_limits_of_numbers_are_checked_before_the_skill_runs():
    artifacts = Artifacts()
    artifacts.add(Image(np.zeros((8, 8, 3), np.uint8)))
    runtime = Runtime(default_registry(), artifacts)
    wrong = [
        ("blur", {"image": "img_1", "strength": 1.5}),
        ("adjust", {"image": "img_1", "contrast": -2}),
        ("crop", {"image": "img_1", "region": [0, 0, 1, 1], "margin": 7}),
        ("select", {"region": [0, 0, 1, 1], "nth": 0}),
        ("select", {"region": [0, 0, 1, 1], "by": "biggest"}),
        ("rotate", {"image": "img_1", "flip": "diagonal"}),
    ]
    calls = [Call(id=str(i), skill=skill, args=args) for i, (skill, args) in enumerate(wrong)]
    for observation in asyncio.run(runtime.run_many(calls)):
        assert observation.error == "skill", observation
