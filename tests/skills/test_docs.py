"""What docs/skills.md shows is what the code does."""

import re
from pathlib import Path

import numpy as np
import pytest

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, SkillRegistry, skill

DOCS = (Path(__file__).parents[2] / "docs" / "skills.md").read_text(encoding="utf-8")


@pytest.fixture
def shown(tmp_path):
    """Load the skill that the page shows in full."""
    blocks = re.findall(r"^```python\n(.*?)^```$", DOCS, re.M | re.S)
    (block,) = [block for block in blocks if "def one_channel" in block]
    file = tmp_path / "shown.py"
    file.write_text(block)
    return SkillRegistry.from_file(file)["one_channel"]


def test_the_skill_of_the_page_works(shown, coffee, her_face):
    red = shown.function(coffee, "red").pixels
    assert np.array_equal(red[..., 0], coffee.pixels[..., 0])
    assert not red[..., 1:].any()
    assert shown.function(coffee, "red", her_face, strength=0) == coffee
    with pytest.raises(SkillError, match="the region is empty"):
        shown.function(coffee, "red", Boxes(()))
    assert all(parameter.description for parameter in shown.parameters)


def test_the_options_of_the_page_are_all_that_there_are():
    (line,) = re.findall(r"`@skill\((name=.*?)\)`", DOCS)
    named = set(re.findall(r"(\w+)=", line))
    assert named == set(skill.__kwdefaults__)
