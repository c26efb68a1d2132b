"""Weights as their authors publish them: SAM and GroundingDINO, through the authors' packages."""

import asyncio
import pickle
import runpy
import socket
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import (
    Artifacts,
    Boxes,
    Call,
    Image,
    Points,
    Runtime,
    default_registry,
)
from llava_plus.skills.backends import grounding_dino_original as dino_original
from llava_plus.skills.backends import named, sam_parts, status_of, with_backends
from llava_plus.skills.backends.pickled import read_weights, tensors_of
from llava_plus.skills.backends.sam_parts import every_part
from llava_plus.skills.backends.single import Single

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """Return the folder of a tiny model in both forms, by its name."""
    home = tmp_path_factory.mktemp("originals")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        made = SimpleNamespace(**runpy.run_path(str(HERE / "originals.py")))
    sys.modules.pop("tiny", None)

    def make(name):
        (home / name).mkdir()
        return getattr(made, name)(home / name)

    return cache(make)


@pytest.fixture(scope="module")
def noise():
    return Image(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8))


class Harm:
    """Runs something when it is unpickled."""

    def __reduce__(self):
        return (open, (str(HERE / "harmed"), "w"))


# -- any such file ----------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["as PyTorch saves it", "a plain pickle"])
def test_a_file_that_would_run_something_is_refused_with_its_name(form, tmp_path):
    import torch

    file = tmp_path / "weights.pth"
    if form == "a plain pickle":
        file.write_bytes(pickle.dumps({"w": Harm()}, protocol=2))
    else:
        torch.save({"w": torch.zeros(1), "more": Harm()}, file)
    for only_shapes in (True, False):
        with pytest.raises(SetupError) as caught:
            read_weights(file, only_shapes=only_shapes)
        assert "open" in str(caught.value) or form == "a plain pickle"
        assert "weights_only" not in str(caught.value)
    assert not (HERE / "harmed").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:-1000],
        lambda whole: b"",
        lambda whole: b"<html>",
        lambda whole: whole[9:],
    ],
)
def test_half_a_file_is_a_sentence(damage, tmp_path):
    import torch

    file = tmp_path / "weights.pth"
    torch.save({"w": torch.zeros(1000)}, file)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(SetupError, match="is damaged, cut off or no file of PyTorch weights"):
        read_weights(file)


@pytest.mark.parametrize(("name", "told"), [
    ("model.safetensors", "holds safetensors, as models of transformers do; wanted is the one"),
    ("weights.pth", "is damaged, cut off or no file of PyTorch weights"),
])  # fmt: skip
def test_the_file_of_a_model_of_transformers_is_told_apart(name, told, tmp_path):
    import torch
    from safetensors.torch import save_file

    save_file({"w": torch.zeros(9)}, tmp_path / name)
    with pytest.raises(SetupError, match=told):
        read_weights(tmp_path / name, only_shapes=True)


@pytest.mark.parametrize("content", [3, [], {}, {"model": 5}, {"epoch": 3}])
def test_a_file_without_named_weights_is_a_sentence(content, tmp_path):
    with pytest.raises(SetupError, match="holds no named weights"):
        tensors_of(tmp_path / "weights.pth", content)


def test_one_file_is_found_by_its_name_in_a_folder_and_in_the_hubs_cache(tmp_path, own_choice):
    single = Single(ending=".pth", check=lambda file: None)
    file = tmp_path / "a.pth"
    file.touch()
    assert single.find(str(file)) == single.find(str(tmp_path)) == file
    assert single.find("me/mine/deep/a.pth") is None
    home = own_choice / "models--me--mine"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("c0ffee")
    (home / "snapshots" / "c0ffee" / "deep").mkdir(parents=True)
    assert single.find("me/mine/deep/a.pth") is None
    (home / "snapshots" / "c0ffee" / "deep" / "a.pth").touch()
    assert single.find("me/mine/deep/a.pth").name == "a.pth"
    with pytest.raises(SetupError, match=r"holds no file that ends in \.pth\. Name the file"):
        single.find("me/mine")
    (tmp_path / "b.pth").touch()
    with pytest.raises(SetupError, match=r"2 files of weights: a\.pth, b\.pth\. Name the file"):
        single.find(str(tmp_path))
    with pytest.raises(SetupError, match="There is no folder"):
        single.find("./c.pth")


def test_of_a_config_in_pythons_notation_nothing_is_run(tmp_path):
    file = tmp_path / "tiny.cfg.py"
    file.write_text("# sizes\nhidden_dim = 256\nnames = ['a', None]\nuse_checkpoint = True\n")
    assert dino_original.read_config(file) == {"hidden_dim": 256, "names": ["a", None]}
    for bad in ("import os", "a = open('x', 'w')", "a = 1 +", "a.b = 2"):
        file.write_text(bad)
        with pytest.raises(SetupError, match="cannot be read as the config of a GroundingDINO"):
            dino_original.read_config(file)


def test_what_needs_an_extra_says_the_commands_that_leave_the_rest_whole():
    from llava_plus.skills.backends.installing import install_command

    assert install_command(["scipy"]) == f"{sys.executable} -m pip install scipy"
    both = install_command(["torchvision", "segment_anything", "groundingdino"])
    first, second = both.split(" && ")
    assert first.startswith(f"{sys.executable} -m pip install torchvision segment-anything torch==")
    assert second.endswith(" -m pip install --no-deps groundingdino-py==0.4.0")


# -- SAM --------------------------------------------------------------------------------------


@pytest.mark.extra("detectors")
def test_sam_outlines_the_same_by_both_routes(original, noise):
    folder = original("sam")
    theirs = named("sam-original").load(folder / "sam.pth", "cpu")
    ours = named("sam").load(folder / "hub", "cpu")
    boxes = Boxes(((0.1, 0.1, 0.6, 0.6), (0.5, 0.2, 1, 0.9)), labels=("a", "b"), query="things")
    points = Points(((0.2, 0.5), (0.9, 0.9)), (True, False))
    for prompt in (boxes, points):
        found, wanted = theirs(noise, prompt), ours(noise, prompt)
        assert (found.to_array() != wanted.to_array()).mean() < 1e-3  # a pixel on the edge
        assert 0.1 < found.to_array().mean() < 0.9
        assert 0 < min(found.scores) <= max(found.scores) < 1
        assert (found.labels, found.scores, found.query) == (
            wanted.labels,
            wanted.scores,
            wanted.query,
        )
    assert theirs.looks == 1
    large = Image(np.random.default_rng(1).integers(0, 255, (90, 60, 3), np.uint8))
    found, wanted = theirs(large, boxes).to_array(), ours(large, boxes).to_array()
    assert found.shape == wanted.shape == (2, 90, 60)
    assert (found != wanted).mean() < 0.02  # both shrink it, one of them with torchvision
    with pytest.raises(SkillError, match="needs a point on the thing"):
        theirs(noise, Points(((0.5, 0.5),), (False,)))


def alike(one, other, within):
    """Whether masks are as many, nearly the same, and as sure."""
    assert len(one) == len(other) > 0
    assert (one.to_array() != other.to_array()).mean() < within
    assert one.scores == pytest.approx(other.scores, abs=2e-3)
    return True


@pytest.mark.extra("detectors")
def test_all_of_sams_modes_give_the_same_by_both_routes(original, noise, monkeypatch):
    folder = original("sam")
    theirs = named("sam-original").load(folder / "sam.pth", "cpu")
    ours = named("sam").load(folder / "hub", "cpu")
    points = Points(((0.2, 0.5),), (True,))
    assert len(theirs.choices(noise, points)) == 3
    assert alike(theirs.choices(noise, points), ours.choices(noise, points), 1e-3)
    assert alike(theirs.levels(noise, points), ours.levels(noise, points), 1e-3)
    monkeypatch.setattr(sam_parts, "CUT", 0.0)  # a tiny model is sure of nothing
    found = [every_part(model, noise, density=3, quality=0.0) for model in (theirs, ours)]
    assert alike(*found, 5e-3)
    assert theirs.looks == 1


@pytest.mark.extra("detectors")
@pytest.mark.parametrize("kind", ["b", "l", "h"])
def test_the_published_sizes_of_sam_are_read_off_their_weights(kind, tmp_path):
    import torch
    from segment_anything import sam_model_registry

    from llava_plus.skills.backends.sam_original import build_sam, sizes_of

    with torch.device("meta"):
        published = sam_model_registry[f"vit_{kind}"]().state_dict()
        ours = build_sam(sizes_of(tmp_path / "sam.pth", published)).state_dict()
    assert {n: t.shape for n, t in ours.items()} == {n: t.shape for n, t in published.items()}
    blocks = sizes_of(tmp_path / "sam.pth", published)
    assert blocks.heads == {"b": 12, "l": 16, "h": 16}[kind]
    whole = [n for n, span in enumerate(blocks.spans) if span == 64]
    assert whole == {"b": [2, 5, 8, 11], "l": [5, 11, 17, 23], "h": [7, 15, 23, 31]}[kind]


@pytest.mark.extra("detectors")
@pytest.mark.filterwarnings("ignore:.*sam2_video.*")
def test_sam2_outlines_as_transformers_own_path_does(tiny, tmp_path, noise):
    import torch
    from PIL import Image as Pillow

    folder = tiny.sam2(tmp_path)
    assert status_of(named("sam2"), str(folder)).state == "available"
    ours = named("sam2").load(folder, "cpu")
    boxes = Boxes(((0.1, 0.1, 0.6, 0.6), (0.5, 0.2, 1, 0.9)), labels=("a", "b"))
    found = ours(noise, boxes)
    model, processor = ours._looker._model, ours._looker._processor
    pixels = [[[6.4, 4.8, 38.4, 28.8], [32.0, 9.6, 64.0, 43.2]]]
    picture = Pillow.fromarray(noise.rgb())
    inputs = processor(images=picture, input_boxes=pixels, return_tensors="pt")
    with torch.inference_mode():
        output = model(pixel_values=inputs["pixel_values"], input_boxes=inputs["input_boxes"])
    masks = processor.post_process_masks(output.pred_masks, inputs["original_sizes"])[0].numpy()
    best = output.iou_scores[0].argmax(dim=1).numpy()
    assert (found.to_array() == masks[[0, 1], best]).all()
    assert found.labels == ("a", "b")
    ours(noise, Points(((0.2, 0.5), (0.9, 0.9)), (True, False)))
    assert ours.looks == 1


@pytest.mark.extra("detectors")
@pytest.mark.filterwarnings("ignore:.*sam2_video.*")
def test_sam2_has_all_masks_of_a_point_and_of_a_grid(tiny, tmp_path, noise, monkeypatch):
    import torch
    from PIL import Image as Pillow

    folder = tiny.sam2(tmp_path)
    ours = named("sam2").load(folder, "cpu")
    found = ours.choices(noise, Points(((0.4, 0.5),), (True,)))
    model, processor = ours._looker._model, ours._looker._processor
    pixels = [[[[0.4 * noise.width, 0.5 * noise.height]]]]
    inputs = processor(
        images=Pillow.fromarray(noise.rgb()), input_points=pixels, return_tensors="pt"
    )
    with torch.inference_mode():
        sizes = inputs.pop("original_sizes")
        output = model(**inputs, input_labels=torch.ones(1, 1, 1, dtype=torch.int64))
    masks = processor.post_process_masks(output.pred_masks, sizes)[0][0].numpy()
    order = output.iou_scores[0, 0].argsort(descending=True).tolist()
    assert (found.to_array() == masks[order]).all()
    sizes = ours.levels(noise, Points(((0.4, 0.5),), (True,))).to_array().sum((1, 2)).tolist()
    assert sizes == sorted(sizes)
    monkeypatch.setattr(sam_parts, "CUT", 0.0)  # a tiny model is sure of nothing
    parts = every_part(ours, noise, density=3, quality=-9.0)
    assert parts.to_array().shape[1:] == (noise.height, noise.width)
    assert len(parts) >= 1
    assert ours.looks == 1


@pytest.mark.extra("detectors")
@pytest.mark.filterwarnings("ignore:.*sam2_video.*")
@pytest.mark.parametrize("mode", ["choices", "levels", "everything"])
def test_each_mode_of_sam_is_a_skill_by_each_route(mode, original, tiny, tmp_path, noise):
    for backend, place in (
        ("sam-original", original("sam") / "sam.pth"),
        ("sam2", tiny.sam2(tmp_path)),
    ):
        name = f"segment_{mode}"
        skills = with_backends(default_registry(), [f"{name}={backend}:{place}"])
        artifacts = Artifacts()
        args = {"image": artifacts.add(noise)}
        if mode == "everything":
            args["density"] = 2
        else:
            args["points"] = artifacts.add(Points(((0.4, 0.5),), (True,)))
        call = Call(id="call_1", skill=name, args=args)
        seen = asyncio.run(Runtime(skills, artifacts).run(call))
        assert (seen.ok, seen.kind, seen.backend) == (True, "masks", backend), seen.text


# -- GroundingDINO ----------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch):
    """Let the original look at 256 pixels, as the tiny model of transformers does."""
    monkeypatch.setattr(dino_original, "SHORT", 256)
    monkeypatch.setattr(dino_original, "LONG", 426)


@pytest.mark.extra("detectors")
def test_grounding_dino_finds_the_same_by_both_routes(original, small):
    folder = original("dino")
    ours = named("grounding-dino").load(folder / "hub", "cpu")
    theirs = named("grounding-dino-original").load(folder / "tiny.pth", "cpu")
    picture = Image(np.random.default_rng(0).integers(0, 255, (256, 320, 3), np.uint8))
    every = {"threshold": 0.0, "text_threshold": 0.0}
    found = theirs(picture, "Red car . cat", **every)
    wanted = ours(picture, "Red car . cat", **every)
    assert len(found) == len(wanted) > 5
    assert np.array(found.xyxy) == pytest.approx(np.array(wanted.xyxy), abs=1e-4)
    assert found.scores == pytest.approx(wanted.scores, abs=2e-3)
    assert (found.labels, found.query) == (wanted.labels, "Red car and cat")
    with pytest.raises(SkillError, match="tokens long; wanted at most 256"):
        theirs(picture, "red car " * 200)
    with pytest.raises(SkillError, match="reads English, and cannot read"):
        theirs(picture, "\N{CJK UNIFIED IDEOGRAPH-72D7}")


# -- whole, as a person meets them ------------------------------------------------------------


@pytest.mark.extra("detectors")
@pytest.mark.parametrize(("name", "file"), [("dino", "tiny.pth"), ("sam", "sam.pth")])
def test_a_file_of_weights_does_a_skill_without_any_connection(
    name, file, original, noise, monkeypatch, own_choice, small
):
    def refuse(*_):
        raise AssertionError("a skill that runs must not connect")

    place = original(name) / file
    monkeypatch.setattr(socket.socket, "connect", refuse)
    backend = named({"dino": "grounding-dino-original", "sam": "sam-original"}[name])
    skills = with_backends(default_registry(), [f"{backend.skill}={backend.name}:{place}"])
    artifacts = Artifacts()
    artifacts.add(noise)
    args = {"label": "cat"} if backend.skill == "detect" else {"prompt": [0.1, 0.1, 0.6, 0.6]}
    call = Call(id="c", skill=backend.skill, args={"image": "img_1", **args})
    seen = asyncio.run(Runtime(skills, artifacts).run(call))
    assert (seen.ok, seen.backend) == (True, backend.name), seen.text


@pytest.mark.extra("detectors")
def test_weights_of_another_model_and_what_is_missing_are_told(original, tmp_path, own_choice):
    sam, dino = original("sam") / "sam.pth", original("dino") / "tiny.pth"
    for backend, wrong in (("sam-original", dino), ("grounding-dino-original", sam)):
        status = status_of(named(backend), str(wrong))
        assert status.state == "needs weights"
        assert "holds weights of another model than" in status.sentence
    alone = tmp_path / "tiny.pth"
    alone.write_bytes(dino.read_bytes())
    status = status_of(named("grounding-dino-original"), str(alone))
    assert "vocab.txt of google-bert/bert-base-uncased are missing" in status.sentence
    assert str(tmp_path / "bert-base-uncased") in status.sentence
    cut = tmp_path / "cut.pth"
    cut.write_bytes(sam.read_bytes()[:-5000])
    status = status_of(named("sam-original"), str(cut))
    assert status.sentence.startswith(f"needs weights: {cut} is damaged, cut off or no file")
    with pytest.raises(SetupError, match=r"segment=sam-original:.*is damaged, cut off"):
        with_backends(default_registry(), [f"segment=sam-original:{cut}"])
