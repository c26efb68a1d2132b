"""A person's skills, pictures, and recipes of small runs on them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from llava_plus.agent import Trace
from llava_plus.data_gen.folders import TraceFolder
from llava_plus.data_gen.generate import generate
from llava_plus.data_gen.recipe import Recipe

SKILLS = '''
import os
import time
from llava_plus.skills import Image, Number, Text, skill

@skill(isolation="inline")
def brightness(image: Image) -> Number:
    """Measure how bright a picture is."""
    return Number(round(float(image.rgb().mean()), 3))

@skill(isolation="inline")
def mirror(image: Image) -> Image:
    """Mirror a picture."""
    return Image.from_array(image.rgb()[:, ::-1].copy())

@skill(isolation="inline")
def fragile(image: Image) -> Number:
    """Count the rows; one picture ends the process."""
    if image.width == 13:
        os.kill(os.getpid(), 9)
    return Number(float(image.height))

@skill(isolation="inline", time_limit=0.2)
def sleepy(image: Image) -> Number:
    """Sleep over one picture."""
    if image.width == 13:
        time.sleep(3600)
    return Number(1.0)

@skill(isolation="inline")
def moody(image: Image) -> Text:
    """Say something else each time."""
    return Text(repr(time.perf_counter_ns()))
'''
REQUESTS = (
    {"ask": "how [bright|light|luminous] is [this|it|the photo]?", "plan": "brightness(img_1)"},
    {"ask": "[mirror|flip] [this|it]: how bright?", "plan": "mirror(img_1) ; brightness(img_2)"},
    {"ask": "hello [there|you]", "plan": "say(chat)", "answer": "Hello."},
)


def write_pictures(folder: Path, count: int = 12) -> Path:
    """Small pictures of one colour each; the fourth is 13 pixels wide."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        pixels = np.full((16, 13 if number == 3 else 16 + number, 3), 20 * number, np.uint8)
        Pillow.fromarray(pixels).save(folder / f"p{number:02d}.png")
    return folder


def plain(folder: Path, requests=REQUESTS, **changes):
    """The plain values of a recipe on these pictures and skills."""
    (folder / "my_skills.py").write_text(SKILLS)
    return {
        "traces": 30,
        "per_picture": 3,
        "pictures_per_part": 2,
        "sources": [
            {"name": "photos", "folder": str(write_pictures(folder / "p")), "licence": "MIT"}
        ],
        "writers": [{"writer": "requests", "options": {"requests": list(requests)}}],
        "skills": {"files": [str(folder / "my_skills.py")]},
        **changes,
    }


def tree_of(folder: Path) -> dict[str, bytes]:
    """All files of a folder, by their path in it."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture(scope="session")
def values():
    """The plain values of a recipe on the pictures and skills of a folder."""
    return plain


@pytest.fixture(scope="session")
def recipe():
    """A recipe on the pictures and skills of a folder."""
    return lambda folder, requests=REQUESTS, **changes: Recipe.parse(
        plain(folder, requests, **changes)
    )


@pytest.fixture(scope="session")
def kept():
    """Read the traces that were kept."""
    return lambda folder: [one for one in TraceFolder(folder).read() if isinstance(one, Trace)]


@pytest.fixture(scope="package")
def undisturbed(tmp_path_factory, recipe):
    """A folder with what the recipe needs, and in ``out`` what it makes in one go."""
    home = tmp_path_factory.mktemp("home")
    generate(recipe(home), home / "out")
    return home


@pytest.fixture
def same(undisturbed):
    """Whether a folder holds the same bytes as what was made in one go."""
    return lambda folder: tree_of(folder) == tree_of(undisturbed / "out")
