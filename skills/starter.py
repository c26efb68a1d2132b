"""A first skill and its test, written for a person to change."""

import importlib.util
import keyword
from pathlib import Path

from llava_plus.errors import SetupError

from .declaration import NAME
from .registry import SkillRegistry

_SKILL = '''"""A skill of one's own.

llava-plus run __NAME__ --image PICTURE --skills __NAME__.py
llava-plus ui --skills __NAME__.py
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from llava_plus.errors import SkillError
from llava_plus.skills import Image, Region, region_mask, skill


@skill(examples=["darken the sky"])  # what a person might say
def __NAME__(
    image: Image,
    region: Region | None = None,
    *,
    strength: Annotated[float, Field(ge=0, le=1)] = 0.5,
) -> Image:
    """Darken the picture, or a region of it.

    Args:
        image: The picture to change.
        region: Where; everywhere if left out.
        strength: 0 changes nothing, 1 leaves black.
    """
    chosen = np.ones((image.height, image.width), bool)  # (height, width)
    if region is not None:
        chosen = region_mask(region, image.width, image.height)
    if not chosen.any():
        raise SkillError("The region is empty. Find something first, or leave it out.")
    pixels = image.rgb().astype(float)  # (height, width, 3), 0 to 255
    pixels[chosen] *= 1 - strength
    return Image.from_array(pixels.round().astype(np.uint8))
'''

_TEST = '''"""What the skill promises.

pytest test___NAME__.py
"""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from llava_plus.errors import SkillError
from llava_plus.skills import Artifacts, Boxes, Call, Image, Runtime, SkillRegistry

SKILLS = SkillRegistry.from_file(Path(__file__).with_name("__NAME__.py"))
function = SKILLS["__NAME__"].function  # an ordinary function of Python
LEFT = Boxes(((0, 0, 0.5, 1),))


@pytest.fixture
def picture():
    return Image(np.full((20, 30, 3), 200, np.uint8))


def test_the_picture_becomes_darker(picture):
    assert function(picture, strength=0.5) == Image(np.full((20, 30, 3), 100, np.uint8))


def test_strength_0_changes_nothing(picture):
    assert function(picture, strength=0) == picture


def test_outside_the_region_nothing_changes(picture):
    pixels = function(picture, LEFT, strength=1).pixels
    assert pixels[:, :15].max() == 0
    assert pixels[:, 15:].min() == 200


def test_an_empty_region_is_refused_with_what_to_do(picture):
    with pytest.raises(SkillError, match="Find something first"):
        function(picture, Boxes(()))


@pytest.mark.parametrize(
    ("strength", "words"), [(0.5, "30x20"), (2, "less than or equal to 1"), ("much", "number")]
)
def test_a_planner_reads_what_came_of_its_call(picture, strength, words):
    artifacts = Artifacts()
    artifacts.add(picture)  # is called img_1 from here on
    args = {"image": "img_1", "strength": strength}
    call = Call(id="1", skill="__NAME__", args=args)
    assert words in asyncio.run(Runtime(SKILLS, artifacts).run(call)).text
'''
_LONGEST = 25  # letters, so that the lines of the template stay short
_USED = {"np", "skill", "region_mask"}  # by the template


def write_skill(name: str, folder: Path, taken: SkillRegistry) -> tuple[Path, Path]:
    """Write ``NAME.py``, a small working skill, and ``test_NAME.py`` beside it.

    Nothing that is there is ever overwritten.

    Args:
        name: Of the skill.
        folder: Where the files go; made if it is not there.
        taken: The skills whose names cannot be had.

    Raises:
        SetupError: The name cannot be had, or the files cannot be written.
    """
    paths = folder / f"{name}.py", folder / f"test_{name}.py"
    _check_name(name, taken)
    if there := next((path for path in paths if path.exists()), None):
        raise SetupError(f"{there} is there already, and is not overwritten. Take another name.")
    if importlib.util.find_spec(name) is not None:
        raise SetupError(
            f"{name!r} is the name of a Python module, which your file would hide. "
            f"Take another, such as 'my_{name}'."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in zip(paths, (_SKILL, _TEST), strict=True):
            with path.open("x", encoding="utf-8") as file:
                file.write(text.replace("__NAME__", name))
    except OSError as error:
        why = error.strerror or error
        raise SetupError(f"Cannot write into {folder}: {why}. Name a folder of yours.") from error
    return paths


def _check_name(name: str, taken: SkillRegistry) -> None:
    if not NAME.fullmatch(name) or keyword.iskeyword(name) or len(name) > _LONGEST:
        raise SetupError(
            f"{name!r} cannot be the name of a skill. "
            f"Take up to {_LONGEST} small letters, digits and _, such as 'find_edges'."
        )
    if name in taken:
        spec = taken[name]
        whose = spec.source or "LLaVA-Plus itself"
        other = "" if spec.name == name else f" (there it is another name of {spec.name!r})"
        raise SetupError(
            f"There is a skill {name!r} already, of {whose}{other}. "
            f"Take another name, such as 'my_{name}'."
        )
    if name in _USED or name.startswith("test_"):
        raise SetupError(f"{name!r} has a meaning in the file itself. Take 'my_{name}'.")
