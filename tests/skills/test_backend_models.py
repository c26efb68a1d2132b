"""The models behind the skills: what is made of their outputs, and whole on tiny checkpoints."""

import asyncio
import socket

import numpy as np
import pytest

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import Artifacts, Boxes, Call, Image, Points, Runtime, default_registry
from llava_plus.skills.backends import named, status_of, with_backends
from llava_plus.skills.backends.finds import corners, found_boxes, kept, wanted_phrases
from llava_plus.skills.backends.grounding_dino import assigned, token_spans, written
from llava_plus.skills.backends.owlv2 import asked_for, of_picture

DETECTORS = ("grounding_dino", "owlv2")
ALL = (*DETECTORS, "sam")


@pytest.fixture(scope="module")
def model(checkpoint):
    """Return a loaded tiny model by its name."""
    loaded = {}

    def load(name):
        if name not in loaded:
            loaded[name] = named(name.replace("_", "-")).load(checkpoint(name), "cpu")
        return loaded[name]

    return load


@pytest.fixture(scope="module")
def noise():
    return Image(np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8))


# -- golden: hand-made outputs ------------------------------------------------------------------


def test_phrases_become_the_caption_and_are_found_again_among_its_tokens():
    caption, letters = written(("Red car", "cat"))
    assert (caption, letters) == ("red car. cat.", ((0, 7), (9, 12)))
    #          [CLS]   red     ca      ##r     .       cat      .         [SEP]
    offsets = [(0, 0), (0, 3), (4, 6), (6, 7), (7, 8), (9, 12), (12, 13), (0, 0)]
    assert token_spans(offsets, letters) == ((1, 4), (5, 6))
    assert token_spans(offsets[:5], letters) == ((1, 4), (0, 0))


def test_each_box_gets_the_phrase_that_fits_best_by_its_best_word():
    scores = np.array(
        [  # [CLS] red  car   .    cat   .
            [0.9, 0.1, 0.6, 0.9, 0.2, 0.0],  # red car, by "car"
            [0.0, 0.3, 0.1, 0.0, 0.7, 0.0],  # cat
            [0.9, 0.2, 0.1, 0.9, 0.29, 0.0],  # nothing: special tokens and dots do not count
            [0.0, 0.3, 0.0, 0.0, 0.0, 0.0],  # red car, just so
        ],
        np.float32,
    )
    rows, which, sure = assigned(scores, ((1, 3), (4, 5)), 0.3)
    assert rows.tolist() == [0, 1, 3]
    assert which.tolist() == [0, 1, 0]
    assert sure == pytest.approx([0.6, 0.7, 0.3])
    assert assigned(scores, ((1, 3), (0, 0)), 0.65)[0].tolist() == []


def test_middle_and_size_become_corners_in_the_order_of_boxes():
    found = corners(np.array([[0.5, 0.25, 0.2, 0.5]], np.float32))
    assert found == pytest.approx(np.array([[0.4, 0.0, 0.6, 0.5]]))


def test_of_boxes_that_overlap_the_surest_stays_and_other_phrases_may_lie_there_too():
    boxes = np.array(
        [[0, 0, 0.5, 1], [0, 0, 0.52, 1], [0, 0, 0.5, 1], [0.4, 0, 0.9, 1]], np.float32
    )
    scores = np.array([0.5, 0.9, 0.8, 0.7], np.float32)
    assert kept(boxes, scores, np.array([0, 0, 1, 0]), 0.8).tolist() == [1, 2, 3]
    assert kept(boxes, scores, np.array([0, 0, 0, 0]), 0.8).tolist() == [1, 3]
    assert kept(boxes, scores, np.array([0, 0, 0, 0]), 0.1).tolist() == [1]
    assert kept(boxes[:0], scores[:0], np.zeros(0, np.int64), 0.5).tolist() == []


def test_boxes_are_cut_at_the_edges_ordered_by_place_and_named():
    outputs = np.array(
        [[0.9, 0.5, 0.4, 0.5], [0.1, 0.5, 0.1, 0.1], [1.5, 0.5, 0.2, 0.2], [0.5, 0.5, 0, 0.4]],
        np.float32,
    )
    which = np.array([0, 1, 0, 0])
    found = found_boxes(
        outputs, np.array([0.91234, 0.5, 0.9, 0.9]), which, ("dog", "cat"), overlap=0.5
    )
    assert np.array(found.xyxy) == pytest.approx(
        np.array([[0.05, 0.45, 0.15, 0.55], [0.7, 0.25, 1, 0.75]])
    )
    assert (found.labels, found.scores, found.query) == (
        ("cat", "dog"),
        (0.5, 0.912),
        "dog and cat",
    )
    assert found.describe() == "2 boxes: cat, dog (left to right)"
    nothing = found_boxes(outputs[:0], which[:0] * 1.0, which[:0], ("dog",), overlap=0.5)
    assert nothing.cite() == "no dog"


def test_owlv2s_square_is_the_picture_with_room_to_the_right_or_below():
    box = np.array([[0.25, 0.5, 0.1, 0.2]], np.float32)
    assert of_picture(box, 200, 100) == pytest.approx(np.array([[0.25, 1.0, 0.1, 0.4]]))
    assert of_picture(box, 100, 200) == pytest.approx(np.array([[0.5, 0.5, 0.2, 0.2]]))


def test_owlv2_is_asked_in_a_sentence():
    assert [asked_for(text) for text in ("Dog", "the red car", "a")] == [
        "a photo of a dog",
        "a photo of a red car",
        "a photo of a a",
    ]


def test_of_several_masks_sams_own_best_is_chosen():
    import torch

    from llava_plus.skills.backends.outlining import best_masks

    masks = torch.arange(2 * 3 * 2 * 2).reshape(2, 3, 2, 2)
    chosen, scores = best_masks(masks, torch.tensor([[0.1, 0.9, 0.3], [1.2, 0.4, 0.5]]))
    assert chosen[:, 0, 0].tolist() == [4, 12]
    assert scores == [0.9, 1.0]


@pytest.mark.parametrize("label", ["", " ", " . ", "...", "cat . !", "\N{ZERO WIDTH SPACE}"])
def test_a_label_that_names_nothing_is_refused(label):
    with pytest.raises(SkillError, match="detect: label must name something, got"):
        wanted_phrases(label)


# -- tiny checkpoints with random weights, laid out as on the hub ------------------------------


@pytest.mark.parametrize("name", ALL)
def test_a_checkpoint_loads_and_runs_without_any_connection(
    name, checkpoint, noise, monkeypatch, own_choice
):
    def refuse(*_):
        raise AssertionError("a skill that runs must not connect")

    folder = checkpoint(name)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    backend = named(name.replace("_", "-"))
    assert status_of(backend, str(folder)).state == "available"
    skills = with_backends(default_registry(), [f"{backend.skill}={backend.name}:{folder}"])
    artifacts = Artifacts()
    artifacts.add(noise)
    args = {"label": "dog"} if backend.skill == "detect" else {"prompt": [0.1, 0.1, 0.6, 0.6]}
    call = Call(id="c", skill=backend.skill, args={"image": "img_1", **args})
    seen = asyncio.run(Runtime(skills, artifacts).run(call))
    assert (seen.ok, seen.backend) == (True, backend.name), seen.text


@pytest.mark.parametrize("name", DETECTORS)
def test_detectors_give_boxes_with_the_phrases_as_labels(name, model, noise):
    found = model(name)(noise, "Red car . cat", threshold=0.0)
    assert len(found) > 1
    assert set(found.labels) <= {"Red car", "cat"}
    assert all(0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1 for x0, y0, x1, y1 in found.xyxy)
    assert found.query == "Red car and cat"
    assert len(model(name)(noise, "cat", threshold=1.1)) == 0
    sure = model(name)(noise, "Red car . cat", threshold=float(np.median(found.scores)))
    assert 0 < len(sure) < len(found)
    assert set(zip(sure.xyxy, sure.scores, strict=True)) <= set(
        zip(found.xyxy, found.scores, strict=True)
    )


def test_grounding_dino_finds_the_same_for_calls_that_it_does_together(model, noise):
    dino = model("grounding_dino")
    other = Image(noise.pixels[::-1])
    calls = [
        {"image": noise, "label": "red car . cat", "threshold": 0.0, "text_threshold": 0.0},
        {"image": other, "label": "dog", "threshold": 0.0, "text_threshold": 0.0},
        {"image": noise, "label": "a frisbee"},
    ]
    assert len({dino.group(call) for call in calls}) == 1
    for call, found in zip(calls, dino.together(calls), strict=True):
        alone = dino(**call)
        assert np.array(found.xyxy) == pytest.approx(np.array(alone.xyxy), abs=1e-4)
        assert (found.labels, found.query) == (alone.labels, alone.query)
        assert found.scores == pytest.approx(alone.scores, abs=2e-3)
    small = Image(noise.pixels[:50])
    assert dino.group({"image": small}) != dino.group({"image": noise})
    with pytest.raises(SkillError, match="label must name something"):
        dino.together([*calls, {"image": noise, "label": "."}])


@pytest.mark.parametrize("name", DETECTORS)
def test_boxes_lie_where_transformers_own_reading_puts_them(name, model, noise):
    """On a picture that is not square; its processor gives pixels, which are cut and divided."""
    import torch
    from PIL import Image as Pillow

    ours = model(name)
    texts = "cat." if name == "grounding_dino" else [["a photo of a cat"]]
    picture = Pillow.fromarray(noise.rgb())
    inputs = ours._processor(images=picture, text=texts, return_tensors="pt")
    with torch.inference_mode():
        outputs = ours._model(**inputs)
    more = {"input_ids": inputs["input_ids"]} if name == "grounding_dino" else {}
    (theirs,) = ours._processor.post_process_grounded_object_detection(
        outputs, threshold=0.0, target_sizes=[(60, 90)], **more
    )
    places = np.clip(theirs["boxes"].numpy() / [90, 60, 90, 60], 0, 1)
    found = ours(noise, "cat", threshold=0.0)
    assert len(found)
    for box in found.xyxy:
        assert np.abs(places - box).max(axis=1).min() < 1e-5


def test_grounding_dino_says_what_it_cannot_read(model, noise):
    with pytest.raises(
        SkillError, match="reads English, and cannot read '\N{CJK UNIFIED IDEOGRAPH-72D7}'"
    ):
        model("grounding_dino")(noise, "cat . \N{CJK UNIFIED IDEOGRAPH-72D7}")


@pytest.mark.parametrize("name", DETECTORS)
def test_a_label_of_many_words_is_refused_with_the_number_that_is_read(name, model, noise):
    with pytest.raises(SkillError, match=r"tokens long.* (32|24)\. Name one thing in a few words"):
        model(name)(noise, "the red car of the dog " * 9)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (7, 100), (9, 500)])
@pytest.mark.parametrize("name", ALL)
def test_a_picture_in_which_nothing_can_be_seen_is_refused(name, model, size):
    picture = Image(np.full((*size, 3), 7, np.uint8))
    args = {"prompt": Boxes(((0, 0, 1, 1),))} if name == "sam" else {"label": "cat"}
    with pytest.raises(SkillError, match=f"the picture is {size[1]}x{size[0]} pixels; wanted"):
        model(name)(picture, **args)


@pytest.mark.parametrize("size", [(8, 8), (20, 400), (300, 16)])
@pytest.mark.parametrize("name", ALL)
def test_small_wide_and_high_pictures_work_also_with_transparency(name, model, size):
    picture = Image(np.full((*size, 4), 200, np.uint8))
    if name == "sam":
        masks = model(name)(picture, Points(((0.5, 0.5),), (True,)))
        assert masks.to_array().shape == (1, *size)
    else:
        assert isinstance(model(name)(picture, "cat", threshold=0.0), Boxes)


def test_a_picture_is_looked_at_once_however_often_it_is_clicked(checkpoint, noise):
    sam = named("sam").load(checkpoint("sam"), "cpu")
    for x in (0.2, 0.4, 0.6):
        sam(noise, Points(((x, 0.5),), (True,)))
    sam(Image(noise.pixels), Boxes(((0.1, 0.1, 0.9, 0.9),)))
    assert sam.looks == 1
    sam(Image(noise.pixels[::-1]), Points(((0.2, 0.5), (0.9, 0.9)), (True, False)))
    assert sam.looks == 2
    sam(noise, Points(((0.5, 0.5),), (True,)))
    assert sam.looks == 2


def test_sam_outlines_as_transformers_own_path_does(model, noise):
    import torch
    from PIL import Image as Pillow

    ours = model("sam")
    boxes = Boxes(((0.1, 0.1, 0.6, 0.6), (0.5, 0.2, 1, 0.9)), labels=("a", "b"), query="things")
    pixels = [[[9.0, 6.0, 54.0, 36.0], [45.0, 12.0, 90.0, 54.0]]]
    picture = Pillow.fromarray(noise.rgb())
    inputs = ours._looker._processor(images=picture, input_boxes=pixels, return_tensors="pt")
    sizes = (inputs["original_sizes"], inputs["reshaped_input_sizes"])
    inputs["input_boxes"] = inputs["input_boxes"].float()
    with torch.inference_mode():
        output = ours._looker._model(
            pixel_values=inputs["pixel_values"], input_boxes=inputs["input_boxes"]
        )
    masks = ours._looker._processor.post_process_masks(output.pred_masks, *sizes)[0].numpy()
    best = output.iou_scores[0].argmax(dim=1).numpy()
    found = ours(noise, boxes)
    assert (found.to_array() == masks[[0, 1], best]).all()
    assert (found.labels, found.query, len(found.scores)) == (("a", "b"), "things", 2)


def test_many_boxes_are_outlined_in_their_order(model, noise):
    sam = model("sam")
    boxes = Boxes(tuple((i / 50, 0.1, i / 50 + 0.3, 0.8) for i in range(35)))
    found = sam(noise, boxes).to_array()
    one = sam(noise, boxes.take([33])).to_array()[0]
    assert len(found) == 35
    assert (found[33] != one).mean() < 0.01


def test_points_that_only_say_where_it_is_not_and_no_boxes_are_refused(model, noise):
    with pytest.raises(SkillError, match="needs a point on the thing"):
        model("sam")(noise, Points(((0.5, 0.5),), (False,)))
    with pytest.raises(SkillError, match="no dog was found"):
        model("sam")(noise, Boxes((), query="dog"))


# -- checkpoints that are wrong ----------------------------------------------------------------


def test_a_checkpoint_that_lacks_weights_is_refused_by_name(checkpoint, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(checkpoint("sam"), tmp_path / "sam")
    tensors = load_file(folder / "model.safetensors")
    gone = next(name for name in tensors if "neck" in name)
    del tensors[gone]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SetupError, match=r"lack 1 parts: .*neck.* Pull or copy them again"):
        named("sam").load(folder, "cpu")


@pytest.mark.parametrize("file", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_file_of_nonsense_is_a_sentence_and_other_skills_go_on(
    file, checkpoint, tmp_path, noise, own_choice
):
    import shutil

    folder = shutil.copytree(checkpoint("sam"), tmp_path / "sam")
    skills = with_backends(default_registry(), [f"segment=sam:{folder}"])
    (folder / file).write_text('{"model_type": "sam", ')
    artifacts = Artifacts()
    artifacts.add(noise)
    args = {"image": "img_1", "prompt": [0.1, 0.1, 0.6, 0.6]}
    runtime = Runtime(skills, artifacts)
    seen = asyncio.run(runtime.run(Call(id="c", skill="segment", args=args)))
    assert seen.error == "skill", seen.text
    assert f"The weights in {folder} cannot be loaded: " in seen.text
    assert seen.text.endswith("Pull or copy them again, or name other weights.")
    after = Call(id="d", skill="image_info", args={"image": "img_1"})
    assert asyncio.run(runtime.run(after)).ok


def test_a_device_that_is_not_there_is_a_sentence(checkpoint):
    with pytest.raises(SetupError, match=r"cannot run on 'xpu:9': .* LLAVA_PLUS_SKILL_DEVICE=cpu"):
        named("sam").load(checkpoint("sam"), "xpu:9")


def test_pickled_weights_are_never_read(checkpoint, tmp_path):
    import shutil

    import torch
    from safetensors.torch import load_file

    folder = shutil.copytree(checkpoint("sam"), tmp_path / "sam")
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert "model.safetensors in" in status_of(named("sam"), str(folder)).why
    with pytest.raises(SetupError, match="cannot be loaded"):
        named("sam").load(folder, "cpu")


# -- precision ---------------------------------------------------------------------------------


def test_the_precision_fits_the_device_and_can_be_named(monkeypatch):
    import torch

    from llava_plus.skills.backends.precision import calculating

    def kind():
        with calculating("cpu"):
            return torch.nn.Linear(2, 2)(torch.ones(1, 2)).dtype

    monkeypatch.delenv("LLAVA_PLUS_SKILL_PRECISION", raising=False)
    assert kind() == torch.float32
    monkeypatch.setenv("LLAVA_PLUS_SKILL_PRECISION", "bfloat16")
    assert kind() == torch.bfloat16
    monkeypatch.setenv("LLAVA_PLUS_SKILL_PRECISION", "half")
    with pytest.raises(SetupError, match="is 'half'; wanted float32, bfloat16, float16"):
        kind()


@pytest.mark.parametrize(
    ("device", "card", "named_one", "kept"),
    [
        ("cpu", None, "bfloat16", "float32"),
        ("cuda", (9, 0), "", "bfloat16"),
        ("cuda", (7, 5), "", "float16"),
        ("cuda:1", (9, 0), "float16", "float16"),
        ("cuda", (9, 0), "float32", "float32"),
    ],
)
def test_large_weights_are_kept_as_they_are_calculated_with(
    device, card, named_one, kept, monkeypatch
):
    import torch

    from llava_plus.skills.backends.precision import kept_precision

    monkeypatch.setenv("LLAVA_PLUS_SKILL_PRECISION", named_one)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: card is not None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: card)
    assert kept_precision(device) == kept


@pytest.mark.parametrize("name", ALL)
def test_models_work_with_fewer_digits_as_on_a_graphics_card(
    name, checkpoint, noise, own_choice, monkeypatch
):
    backend = named(name.replace("_", "-"))
    skills = with_backends(
        default_registry(), [f"{backend.skill}={backend.name}:{checkpoint(name)}"]
    )
    args = {"label": "dog"} if backend.skill == "detect" else {"prompt": [0.1, 0.1, 0.6, 0.6]}
    monkeypatch.setenv("LLAVA_PLUS_SKILL_PRECISION", "bfloat16")
    artifacts = Artifacts()
    artifacts.add(noise)
    call = Call(id="c", skill=backend.skill, args={"image": "img_1", **args})
    assert asyncio.run(Runtime(skills, artifacts).run(call)).ok
