"""Models that divide a scene or compare pictures with words, whole on tiny checkpoints."""

import asyncio
import runpy
import socket
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import Artifacts, Boxes, Call, Image, Masks, Runtime, default_registry
from llava_plus.skills.backends import named, status_of, with_backends
from llava_plus.skills.backends.scenes import named as class_name
from llava_plus.skills.backends.weights import identity

SCENES = ("mask2former", "segformer", "oneformer")
PAIRS = ("clip", "siglip")
_DECODER = "model.transformer_module.decoder"
HEADS = {  # what says which class a part is, and where it is
    "mask2former": ("class_predictor", f"{_DECODER}.mask_predictor.mask_embedder"),
    "oneformer": (f"{_DECODER}.class_embed", f"{_DECODER}.mask_embed"),
}


@pytest.fixture(scope="module")
def regions(tmp_path_factory):
    """Return the folder of a tiny model by its name."""
    here = Path(__file__)
    tiny = runpy.run_path(str(here.with_name("tiny_saying.py")))
    tiny |= runpy.run_path(str(here.with_name("tiny_regions.py")))
    home = tmp_path_factory.mktemp("regions")
    return cache(lambda name: tiny[name](home / name))


@pytest.fixture(scope="module")
def model(regions, noise):
    """Return a loaded tiny model by its name; those for scenes as sure as trained ones."""

    @cache
    def load(name):
        made = named(name).load(regions(name), "cpu")
        if name in HEADS:
            _sharpen(made, *HEADS[name], Pillow.fromarray(noise.rgb()))
        return made.pairing if name in PAIRS else made

    return load


def _sharpen(made, classes, shapes, picture):
    """Make a random model take its parts for different classes, in different places."""
    with torch.inference_mode():
        output = made._model(**made._prepare(picture))
    logits, masks = output.class_queries_logits[0].clone(), output.masks_queries_logits[0]
    head = made._model.get_submodule(classes)
    last = [p for p in made._model.get_submodule(shapes).modules() if hasattr(p, "bias")][-1]
    surer = 3 / float(logits.std(0).mean())
    head.weight.data *= surer
    head.bias.data = (head.bias.data - logits.mean(0)) * surer
    for part in (last.weight, last.bias):
        part.data *= 3 / float(masks.std((1, 2)).mean())


@pytest.fixture(scope="module")
def noise():
    return Image(np.random.default_rng(3).integers(0, 255, (50, 90, 3), np.uint8))


# -- scenes ---------------------------------------------------------------------------------------


def own_inputs(name, ours, picture, regions):
    """Prepare a picture as transformers' own processor does."""
    from transformers import (
        CLIPTokenizer,
        Mask2FormerImageProcessor,
        OneFormerImageProcessor,
        OneFormerProcessor,
        SegformerImageProcessor,
    )

    if name == "oneformer":
        own = OneFormerProcessor(
            OneFormerImageProcessor.from_pretrained(regions(name), class_info_file=None),
            CLIPTokenizer.from_pretrained(regions(name)),
            task_seq_length=24,
        )
        inputs = own(picture, ["semantic"], return_tensors="pt")
        return own.image_processor, {k: inputs[k] for k in ("pixel_values", "task_inputs")}
    kind = Mask2FormerImageProcessor if name == "mask2former" else SegformerImageProcessor
    own = kind.from_pretrained(regions(name))
    return own, {"pixel_values": own(picture, return_tensors="pt")["pixel_values"]}


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_is_divided_as_transformers_own_path_divides_it(name, model, noise, regions):
    ours = model(name)
    own, inputs = own_inputs(name, ours, Pillow.fromarray(noise.rgb()), regions)
    with torch.inference_mode():
        output = ours._model(**inputs)
    (numbers,) = own.post_process_semantic_segmentation(output, target_sizes=[(50, 90)])
    found = ours(noise)
    shown = {0: "wall", 1: "sky", 2: "tree", 3: "sea"}
    sizes = found.to_array().sum((1, 2)).tolist()
    assert sizes == sorted(sizes, reverse=True)
    assert len(found) > 1
    for label, mask in zip(found.labels, found.to_array(), strict=True):
        (number,) = (n for n, word in shown.items() if word == label)
        assert (mask == (numbers.numpy() == number)).all()
    assert sum(sizes) > 0.99 * 50 * 90


def test_a_class_is_called_by_the_first_of_its_names():
    names = {0: "bed, cot", 1: "sea; ocean", 2: "wall"}
    assert [class_name(names, n) for n in range(4)] == ["bed", "sea", "wall", "class 3"]


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_in_which_nothing_can_be_seen_is_refused_and_small_ones_work(name, model):
    with pytest.raises(SkillError, match="segment_scene: the picture is 1x1 pixels; wanted"):
        model(name)(Image(np.zeros((1, 1, 3), np.uint8)))
    assert model(name)(Image(np.full((8, 60, 4), 99, np.uint8))).to_array().shape[1:] == (8, 60)


@pytest.mark.parametrize("name", SCENES)
def test_a_scene_model_is_chosen_loads_and_runs_without_any_connection(
    name, regions, noise, monkeypatch, own_choice
):
    def refuse(*_):
        raise AssertionError("a skill that runs must not connect")

    folder = regions(name)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert status_of(named(name), str(folder)).state == "available"
    skills = with_backends(default_registry(), [f"segment_scene={name}:{folder}"])
    artifacts = Artifacts()
    artifacts.add(noise)
    call = Call(id="c", skill="segment_scene", args={"image": "img_1"})
    seen = asyncio.run(Runtime(skills, artifacts).run(call))
    assert (seen.ok, seen.backend) == (True, name), seen.text
    with pytest.raises(SetupError, match=rf"holds a model of type '{name}'"):
        with_backends(default_registry(), [f"segment=sam:{folder}"])


# -- pictures and words ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAIRS)
def test_vectors_are_those_that_transformers_own_model_compares(name, model, noise):
    ours = model(name)
    other = Image(noise.pixels[::-1])
    most = ours._model.config.text_config.max_position_embeddings
    filled = (
        {"padding": "max_length", "max_length": most} if name == "siglip" else {"padding": True}
    )
    pictures = [Pillow.fromarray(each.rgb()) for each in (noise, other)]
    inputs = ours._processor(text=["red dog"], images=pictures, return_tensors="pt", **filled)
    with torch.inference_mode():
        output = ours._model(**inputs)
    assert ours.vectors([noise, other]) == pytest.approx(output.image_embeds.numpy(), abs=1e-5)
    small = ours.words("red dog")
    assert small == pytest.approx(output.text_embeds.numpy()[0], abs=1e-5)
    assert (ours.words("Red DOG") == small).all()


@pytest.mark.parametrize("name", PAIRS)
def test_many_pictures_are_looked_at_in_their_order_whatever_their_size(name, model):
    draw = np.random.default_rng(0)
    sizes = [(1, 1), (40, 9), (9, 70), (32, 32)] * 5
    images = [Image(draw.integers(0, 255, (*size, 3), np.uint8)) for size in sizes]
    together = model(name).vectors(iter(images))
    alone = np.concatenate([model(name).vectors([image]) for image in images[17:19]])
    assert together.shape == (20, len(alone[0]))
    assert together[17:19] == pytest.approx(alone, abs=1e-4)
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.ones(20), abs=1e-5)
    assert model(name).vectors([]).shape == (0, 0)


@pytest.mark.parametrize("name", PAIRS)
def test_words_beyond_what_is_read_are_refused_with_the_number(name, model):
    with pytest.raises(SkillError, match=r"text is \d+ tokens long, and the model reads \d+\."):
        model(name).words("a very long story " * 30)


def test_a_model_is_known_wherever_it_lies_and_told_from_another(regions, tmp_path):
    import shutil

    folder = shutil.copytree(regions("clip"), tmp_path / "copy")
    assert identity(folder) == identity(regions("clip"))
    assert identity(folder) != identity(regions("siglip"))
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    assert identity(folder) != identity(regions("clip"))


# -- found by a phrase, then outlined -------------------------------------------------------------


def asked(skills, picture, **args):
    artifacts = Artifacts()
    artifacts.add(picture)
    call = Call(id="c", skill="segment_named", args={"image": "img_1", **args})
    seen = asyncio.run(Runtime(skills, artifacts).run(call))
    return seen, artifacts[seen.handle].value if seen.handle else None


def test_what_a_phrase_names_is_found_by_one_model_and_outlined_by_another(
    checkpoint, noise, own_choice
):
    detector, outliner = checkpoint("grounding_dino"), checkpoint("sam")
    chosen = [f"detect=grounding-dino:{detector}", f"segment=sam:{outliner}"]
    skills = with_backends(default_registry(), chosen)
    boxes = named("grounding-dino").load(detector, "cpu")(noise, "red cat . dog")
    masks = named("sam").load(outliner, "cpu")(noise, boxes) if len(boxes) else Masks(())
    seen, found = asked(skills, noise, label="red cat . dog")
    assert seen.backend == "detect:grounding-dino+segment:sam"
    assert (found.rles, found.labels) == (masks.rles, boxes.labels)


def test_it_takes_whatever_outlines_and_is_left_out_where_no_model_finds(
    checkpoint, astronaut, her_face, own_choice
):
    assert "segment_named" not in with_backends(default_registry())
    chosen = f"detect=builtin+owlv2:{checkpoint('owlv2')}"
    skills = with_backends(default_registry(), [chosen])
    seen, found = asked(skills, astronaut, label="face")
    assert seen.backend == "detect:builtin+owlv2+segment:builtin"
    assert found.labels == ("face",)
    left, top, right, bottom = (512 * n for n in her_face.xyxy[0])
    rows, columns = np.nonzero(found.to_array()[0])
    assert left < columns.mean() < right
    assert top < rows.mean() < bottom
    missing, found = asked(skills, Image(np.full((64, 64, 3), 128, np.uint8)), label="face")
    assert (missing.ok, found) == (True, Masks((), query="face"))
    refused, _ = asked(skills, astronaut, label=" ")
    assert refused.text.startswith("detect: label must name something")


def test_without_models_it_says_which_would_do_it(own_choice):
    from llava_plus.skills.declared import segment_named, show_found

    with pytest.raises(SkillError, match=r"segment_named needs a model, .* pull grounding-dino"):
        segment_named(Image(np.zeros((9, 9, 3), np.uint8)), "dog")
    with pytest.raises(SkillError, match=r"show_found needs a model, .* pull siglip"):
        show_found(Boxes(()))
