"""The example with a model: trained here, in seconds, then used like any other skill."""

import asyncio
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFilter
from safetensors.torch import load_file, save_file

from llava_plus.errors import SetupError
from llava_plus.skills import Artifacts, Call, Image, Runtime, SkillRegistry, WorkerPool

EXAMPLE = Path(__file__).parents[2] / "examples" / "in_focus.py"


@pytest.fixture(scope="module")
def half_sharp(photo):
    """A photograph that training has not seen, blurred in its right half."""
    picture = photo("astronaut").to_pil()
    blurred = picture.filter(ImageFilter.GaussianBlur(3))
    box = (picture.width // 2, 0, picture.width, picture.height)
    picture.paste(blurred.crop(box), box)
    return Image.from_pil(picture)


@pytest.fixture
def work(monkeypatch, half_sharp):
    """Call it in a worker, with weights from a path."""
    with closing(WorkerPool(limit=1)) as pool:

        def call(path, **args):
            monkeypatch.setenv("IN_FOCUS_WEIGHTS", str(path))
            monkeypatch.setenv("LLAVA_PLUS_SKILL_DEVICE", "cpu")
            artifacts = Artifacts()
            artifacts.add(half_sharp)
            runtime = Runtime(SkillRegistry.from_file(EXAMPLE), artifacts, pool=pool)
            call = Call(id="c", skill="in_focus", args={"image": "img_1", **args})
            observation = asyncio.run(runtime.run(call))
            return observation, artifacts

        yield call


def test_training_tells_most_cells_right(trained):
    assert trained[1] > 0.85


def test_the_sharp_half_of_an_unseen_photograph_is_found(work, weights):
    observation, artifacts = work(weights)
    assert observation.ok, observation.text
    (mask,) = artifacts[observation.handle].value.to_array()
    half = mask.shape[1] // 2
    assert mask[:, :half].mean() > 0.6
    assert mask[:, half + 16 :].mean() < 0.2
    assert artifacts[observation.handle].value.labels == ("sharp part",)


def test_being_surer_leaves_less(module, weights, half_sharp, monkeypatch):
    monkeypatch.setattr(module, "WEIGHTS", weights)
    skill = module.InFocus()
    skill.load("cpu")
    areas = [skill(half_sharp, least=least).to_array().sum() for least in (0.3, 0.5, 0.9)]
    assert areas == sorted(areas, reverse=True)
    assert areas[0] > areas[2]
    for pixels in (np.full((1, 1, 3), 9, np.uint8), np.full((5, 300, 3), 9, np.uint8)):
        assert skill(Image(pixels)).cite() == "no sharp part"


def test_the_same_seed_gives_the_same_weights(module, photo, tmp_path):
    for name in ("a", "b"):
        module.train([photo("coffee")], tmp_path / name, steps=3)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_missing_weights_say_how_to_make_them(work, tmp_path):
    observation, _ = work(tmp_path / "none.safetensors")
    assert observation.error == "skill"
    assert observation.text == (
        f"in_focus needs its weights, and there is no {tmp_path / 'none.safetensors'}. "
        "Make them with: python in_focus.py PICTURE PICTURE"
    )


def test_damaged_and_foreign_weights_are_refused(module, weights, tmp_path):
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(SetupError, match=r"in_focus cannot read .*damaged.* Make them with"):
        module.read_weights(damaged)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"filters": load_file(weights)["filters"]}, foreign)
    with pytest.raises(SetupError, match=r"foreign.* holds the weights of another model"):
        module.read_weights(foreign)


@pytest.mark.parametrize(
    ("pictures", "words"),
    [
        ((), "Name sharp pictures to train on"),
        (("none.jpg",), "there is no such file"),
        (
            ("small.png",),
            "in_focus trains on pictures of 64 pixels or more to each side, got 90x63",
        ),
    ],
)
def test_training_says_what_it_wants(tmp_path, pictures, words):
    Image(np.zeros((63, 90, 3), np.uint8)).save(tmp_path / "small.png")
    env = {**os.environ, "PYTHONPATH": str(EXAMPLE.parents[1] / "src")}
    command = [sys.executable, str(EXAMPLE), *pictures]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
