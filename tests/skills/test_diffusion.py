"""Making and changing pictures, by tiny diffusion models in the hub's own layout."""

import asyncio
import json
import runpy
import threading
from pathlib import Path

import numpy as np
import pytest

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import (
    Artifacts,
    Boxes,
    Call,
    Image,
    Masks,
    Runtime,
    default_registry,
)
from llava_plus.skills.backends import with_backends
from llava_plus.skills.backends.backend import Backend
from llava_plus.skills.backends.diffusion import STEPS, Painter, palette_of
from llava_plus.skills.backends.precision import calculating, kept_precision
from llava_plus.skills.backends.status import status_of
from llava_plus.skills.backends.table_making import MAKING

pytest.importorskip("diffusers", reason="needs llava-plus[generation]")
pytestmark = pytest.mark.usefixtures("own_choice")

SKILLS = {each.skill: each for each in MAKING}
SIDE = 64  # pixels of the tiny models' own pictures


@pytest.fixture(scope="module")
def pipelines(tmp_path_factory):
    """A folder for each skill with a pipeline as its repository on the hub has it."""
    tiny = runpy.run_path(str(Path(__file__).with_name("tiny_diffusion.py")))
    return tiny["save_all"](tmp_path_factory.mktemp("diffusion"))


@pytest.fixture
def picture():
    rng = np.random.default_rng(0)
    return Image(rng.integers(0, 255, (48, 96, 3), np.uint8))


def load(skill, folder):
    backend = SKILLS[skill]
    model = backend.load(folder, "cpu")
    return getattr(model, backend.method)


def test_words_become_a_picture_and_the_seed_decides_which(pipelines):
    generate = load("generate", pipelines["generate"])
    first, again, other = (generate("a red fox", seed=seed) for seed in (1, 1, 2))
    assert (first.width, first.height) == (SIDE, SIDE)
    assert first == again != other
    wide = generate("a red fox", shape="wide", avoid="snow", seed=1)
    assert (wide.width, wide.height) == (80, 48)


def test_it_gives_what_the_pipeline_itself_gives(pipelines):
    import torch
    from diffusers import StableDiffusionPipeline

    made = load("generate", pipelines["generate"])("a red fox", seed=3)
    pipe = StableDiffusionPipeline.from_pretrained(pipelines["generate"])
    pipe.set_progress_bar_config(disable=True)
    own = pipe(
        "a red fox",
        num_inference_steps=STEPS,
        width=SIDE,
        height=SIDE,
        generator=torch.Generator().manual_seed(3),
    )
    assert np.array_equal(made.pixels, np.asarray(own.images[0]))


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_weights_kept_in_16_bits_work_with_what_is_calculated_in(pipelines, precision, monkeypatch):
    import torch
    from diffusers import DiffusionPipeline

    monkeypatch.setenv("LLAVA_PLUS_SKILL_PRECISION", precision)
    kept = getattr(torch, kept_precision("cuda"))
    pipe = DiffusionPipeline.from_pretrained(pipelines["generate"], dtype=kept)
    assert pipe.unet.dtype == getattr(torch, precision)
    with calculating("cpu"):
        made = Painter(pipe).generate("a red fox", seed=3)
    exact = load("generate", pipelines["generate"])("a red fox", seed=3)
    assert np.abs(made.pixels.astype(int) - exact.pixels.astype(int)).mean() < 8


def test_an_edit_has_the_size_of_its_picture(pipelines, picture):
    edited = load("edit", pipelines["edit"])(picture, "make it winter")
    assert (edited.width, edited.height) == (picture.width, picture.height)
    assert edited != picture


def test_painting_over_a_region_leaves_the_rest_as_it_is(pipelines, picture):
    region = Boxes(((0.0, 0.0, 0.25, 1.0),))
    painted = load("inpaint", pipelines["inpaint"])(picture, region, "a hat")
    apart = np.abs(painted.pixels.astype(int) - picture.pixels)
    assert apart[:, :20].mean() > 5
    assert apart[:, 40:].max() == 0


def test_a_layout_of_labelled_parts_becomes_a_picture(pipelines):
    sky = np.zeros((48, 96), bool)
    sky[:20] = True
    layout = Masks.from_array(np.stack([sky, ~sky]), labels=("sky", "Grass"))
    redraw = load("redraw", pipelines["redraw"])
    made = redraw(layout, "a meadow", seed=4)
    assert (made.width, made.height) == (96, 48)
    assert redraw(layout.take([1, 0]), "a meadow", seed=4) == made  # the order means nothing
    other = Masks.from_array(np.stack([sky, ~sky]), labels=("sky", "sea"))
    assert redraw(other, "a meadow", seed=4) != made


def test_labels_have_the_colours_that_the_model_was_trained_with():
    assert palette_of(["wall", "sofa, couch", "flag"]) == [
        (120, 120, 120),
        (11, 102, 255),
        (92, 0, 255),
    ]
    with pytest.raises(SkillError, match=r"'unicorn' is none of the 150 classes"):
        palette_of(["unicorn"])
    with pytest.raises(SkillError, match="have no labels"):
        palette_of([])


@pytest.mark.parametrize(
    ("skill", "args", "told"),
    [
        ("generate", {"prompt": " "}, "the words are empty"),
        ("generate", {"prompt": "fox " * 90}, r"take \d+ tokens, and the model reads 77"),
        ("edit", {"instruction": "snow", "image": (1, 1)}, "the picture is 1x1 pixels"),
        ("inpaint", {"prompt": "hat", "image": (40, 40), "region": ()}, "the region is empty"),
        ("redraw", {"prompt": "hat", "layout": ()}, "the layout has no parts"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(pipelines, skill, args, told):
    args = dict(args)
    if "image" in args:
        args["image"] = Image(np.zeros((*args["image"], 3), np.uint8))
    if "region" in args:
        args["region"] = Boxes(args["region"])
    if "layout" in args:
        args["layout"] = Masks(args["layout"])
    with pytest.raises(SkillError, match=told):
        load(skill, pipelines[skill])(**args)


def registry(pipelines, skill):
    choice = f"{skill}={SKILLS[skill].name}:{pipelines[skill]}"
    return with_backends(default_registry(), [choice])


def test_a_call_tells_how_far_it_has_come(pipelines):
    seen = []
    runtime = Runtime(registry(pipelines, "generate"), Artifacts())
    call = Call(id="c", skill="generate", args={"prompt": "a fox"})
    done = asyncio.run(runtime.run(call, progress=lambda *told: seen.append(told)))
    assert (done.ok, done.backend, done.kind) == (True, "stable-diffusion", "image")
    assert seen == [("c", step, STEPS) for step in range(STEPS + 1)]


def test_a_call_that_is_stopped_ends_within_a_step(pipelines):
    cancel, seen, ended = threading.Event(), [], threading.Event()

    def progress(_, done, total):
        seen.append(done)
        if done == 3:
            cancel.set()
            ended.wait(0.3)  # until the runtime has looked

    runtime = Runtime(registry(pipelines, "generate"), Artifacts())
    call = Call(id="c", skill="generate", args={"prompt": "a fox"})
    done = asyncio.run(runtime.run(call, cancel, progress))
    assert done.error == "cancelled"
    ended.wait(1)
    assert max(seen) < 6


def test_weights_that_are_missing_or_cut_off_are_named(pipelines, tmp_path):
    import shutil

    folder = tmp_path / "pipe"
    shutil.copytree(pipelines["generate"], folder)
    backend = SKILLS["generate"]
    assert status_of(backend, str(folder)).state == "available"
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    assert "unet/diffusion_pytorch_model.safetensors in" in status_of(backend, str(folder)).why
    weights.unlink()
    assert "unet/diffusion_pytorch_model.safetensors" in status_of(backend, str(folder)).why
    (folder / "tokenizer" / "tokenizer_config.json").unlink()
    weights.write_bytes(whole)
    assert "tokenizer/tokenizer_config.json" in status_of(backend, str(folder)).why


def test_a_network_that_lacks_weights_is_refused(pipelines, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    folder = tmp_path / "pipe"
    shutil.copytree(pipelines["generate"], folder)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors = load_file(file)
    del tensors["conv_out.bias"]
    save_file(tensors, file)
    with pytest.raises(SetupError, match=r"unet.* (lack 1 parts: conv_out.bias|conv_out)"):
        load("generate", folder)


def test_a_pipeline_of_another_kind_is_told(pipelines):
    status = status_of(SKILLS["edit"], str(pipelines["generate"]))
    assert "holds a model of type 'StableDiffusionPipeline'" in status.why


def test_a_lone_controlnet_needs_the_model_that_it_steers(pipelines, tmp_path):
    alone = tmp_path / "lone"
    (alone).mkdir()
    for file in (pipelines["redraw"] / "controlnet").iterdir():
        (alone / file.name).write_bytes(file.read_bytes())
    assert json.loads((alone / "config.json").read_text())["_class_name"] == "ControlNetModel"
    status = status_of(SKILLS["redraw"], str(alone))
    assert isinstance(SKILLS["redraw"], Backend)
    assert status.state == "needs weights"
    assert status.sentence.endswith(
        "is not on this machine. Run: llava-plus skills pull controlnet"
    )
    with pytest.raises(SetupError, match="is not on this machine"):
        load("redraw", alone)
