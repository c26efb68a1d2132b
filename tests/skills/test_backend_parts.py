"""What else SAM is asked: all its masks for a point, all parts of a picture, and what is alike."""

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, Masks, Points
from llava_plus.skills.backends.masking import Seen
from llava_plus.skills.backends.sam import load_sam
from llava_plus.skills.backends.sam_alike import cells, outlined_alike
from llava_plus.skills.backends.sam_parts import every_part, grid, nested, ranked, steadiness

ON = Points(((0.4, 0.5),))


@pytest.fixture(scope="module")
def sam(checkpoint):
    return load_sam(checkpoint("sam"), "cpu")


@pytest.fixture(scope="module")
def sharp(checkpoint):
    """A model that is surer of what it says, so that some of its masks are stable."""
    made = load_sam(checkpoint("sam"), "cpu")
    for part in made._looker._model.mask_decoder.output_hypernetworks_mlps:
        part.proj_out.weight.data *= 1e6  # its masks are of some 1e-6
    return made


@pytest.fixture(scope="module")
def noise():
    """As large as the tiny model sees it, so that nothing is scaled twice."""
    return Image(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8))


def block(rows, columns, *, of=(8, 8)):
    mask = np.zeros(of, bool)
    mask[slice(*rows), slice(*columns)] = True
    return mask


class ByColor:
    """Takes for the thing whatever has the colour of the point on it: 8 cells to a picture's side.

    Stands for a trained model, which would tell things apart by more than that.
    """

    def __init__(self):
        self.asked = []

    def look(self, image):
        step = image.width // 8
        middles = image.rgb()[step // 2 :: step, step // 2 :: step] / 255.0
        embedding = torch.tensor(middles).permute(2, 0, 1)[None].float()
        size = (image.height, image.width)
        return Seen(embedding=embedding, size=size, scaled=size, square=image.width)

    def decoded(self, image, *, points, labels, boxes=None, multimask=True, **more):
        self.asked.append({"boxes": boxes, "multimask": multimask, **more})
        colors, choices = self.look(image).embedding[0], 3 if multimask else 1
        logits = []
        for places, on in zip(points, labels, strict=True):
            x, y = (places[on == 1][0] * 8).astype(int)
            unlike = (colors - colors[:, y, x][:, None, None]).abs().sum(0)
            logits.append((3 - 24 * unlike).expand(choices, 8, 8))
        scores = torch.linspace(0.5, 0.9, choices).expand(len(points), choices)
        return torch.stack(logits), scores

    def enlarged(self, image, logits, *, full=True):
        return torch.nn.functional.interpolate(logits[:, None], (image.height, image.width))[:, 0]

    def outlines(self, image, logits):
        return (self.enlarged(image, logits) > 0).numpy()


def painted(ground, *things):
    """Paint a square of 16 pixels for each (colour, left, top) on a ground of 64 pixels."""
    pixels = np.full((64, 64, 3), ground, np.uint8)
    for color, left, top in things:
        pixels[top : top + 16, left : left + 16] = color
    return Image(pixels)


# -- a point, three masks -------------------------------------------------------------------------


def test_all_three_masks_of_a_point_come_the_best_first(sam, noise):
    found = sam.choices(noise, ON)
    picture = Pillow.fromarray(noise.rgb())
    process = sam._looker._processor
    inputs = process(images=picture, input_points=[[[25.6, 24.0]]], return_tensors="pt")
    inputs["input_points"] = inputs["input_points"].float()
    sizes = (inputs.pop("original_sizes"), inputs.pop("reshaped_input_sizes"))
    with torch.inference_mode():
        output = sam._looker._model(**inputs)
    masks = sam._looker._processor.post_process_masks(output.pred_masks, *sizes)[0][0].numpy()
    order = output.iou_scores[0, 0].argsort(descending=True).numpy()
    assert (found.to_array() == masks[order]).all()
    assert found.scores == tuple(sorted(found.scores, reverse=True))


def test_one_look_serves_clicks_boxes_and_all_other_ways_of_asking(checkpoint, noise):
    sam = load_sam(checkpoint("sam"), "cpu")
    sam(noise, ON)
    sam(noise, Boxes(((0.1, 0.1, 0.9, 0.9),)))
    sam.choices(noise, ON)
    sam.levels(noise, ON)
    sam.everything(noise, density=4)
    sam.alike(noise, noise, Boxes(((0.1, 0.1, 0.5, 0.5),)))
    assert sam.looks == 1


def test_masks_of_a_point_lie_within_each_other_the_smallest_first(sam, noise):
    whole, half, same, beside = (
        block((0, 8), (0, 8)),
        block((0, 8), (0, 4)),
        block((0, 8), (0, 4)) ^ block((0, 1), (3, 4)),
        block((0, 8), (3, 6)),
    )
    masks = np.stack([whole, half, same, beside, np.zeros((8, 8), bool)])
    found = nested(masks, [0.5, 0.9, 0.8, 0.2, 0.99])
    assert (found.to_array() == masks[[1, 0]]).all()
    assert found.scores == (0.9, 0.5)
    found = nested(masks, [0.5, 0.2, 0.1, 0.9, 0.99])
    assert (found.to_array() == masks[[3, 0]]).all()
    sizes = sam.levels(noise, ON).to_array().sum((1, 2)).tolist()
    assert sizes == sorted(sizes)


def test_scores_are_shown_within_0_and_1():
    masks = np.stack([block((0, 1), (0, 1))] * 2)
    assert ranked(masks, [-0.2, 1.3]).scores == (1.0, 0.0)


# -- everything -----------------------------------------------------------------------------------


def test_the_grid_stands_in_the_middles_of_cells_row_by_row():
    assert grid(2).tolist() == [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]


def test_stability_is_what_a_higher_cut_leaves_of_what_a_lower_one_leaves():
    logits = torch.tensor([[[2.0, 0.5], [-0.5, -2.0]], [[2.0, 2.0], [2.0, -3.0]]])
    assert steadiness(logits).tolist() == pytest.approx([1 / 3, 1.0])
    assert steadiness(torch.full((1, 2, 2), -9.0)).tolist() == [0.0]


def test_everything_keeps_what_transformers_own_filters_keep(sharp, noise):
    """Grid, scores, stability and boxes by its own functions, overlaps by a loop of ours."""
    own = sharp._looker._processor.image_processor
    boxes, points, pictures, _ = own.generate_crop_boxes(
        Pillow.fromarray(noise.rgb()), 64, points_per_crop=8
    )
    pixels = own(pictures, return_tensors="pt")["pixel_values"]
    with torch.inference_mode():
        output = sharp._looker._model(pixels, points.float().transpose(1, 2).reshape(1, 64, 1, 2))
        logits = own.post_process_masks(output.pred_masks, [(48, 64)], [(48, 64)], binarize=False)
    scores = output.iou_scores[0]
    quality = float(scores.median())
    stability = float(steadiness(logits[0].flatten(0, 1)).median())
    codes, sure, places = own.filter_masks(
        logits[0], scores, (48, 64), boxes[0], quality, stability
    )
    kept = []
    for index in np.argsort(-sure.numpy(), kind="stable"):
        if all(_overlap(places[index], places[other]) <= 0.7 for other in kept):
            kept.append(index)
    wanted = {_runs(codes[index]) for index in kept}
    found = every_part(sharp, noise, density=8, quality=quality, stability=stability)
    assert 0 < len(wanted) < len(codes)
    assert {mask.tobytes() for mask in found.to_array()} == wanted
    sizes = found.to_array().sum((1, 2)).tolist()
    assert sizes == sorted(sizes, reverse=True)


def _overlap(one, other):
    low, high = torch.maximum(one[:2], other[:2]), torch.minimum(one[2:], other[2:])
    shared = float((high - low).clamp(min=0).prod())
    sizes = float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod())
    return shared / max(sizes - shared, 1e-9)


def _runs(code):
    flat = np.repeat(np.arange(len(code["counts"])) % 2 == 1, code["counts"])
    return flat.reshape(code["size"], order="F").tobytes()


def test_a_picture_of_squares_falls_into_its_squares_and_the_ground():
    picture = painted((0, 0, 0), ((255, 0, 0), 8, 8), ((0, 0, 255), 40, 32))
    found = every_part(ByColor(), picture, density=8, quality=0.0, stability=0.5)
    assert found.to_array().sum((1, 2)).tolist() == [64 * 64 - 512, 256, 256]


def test_where_nothing_is_good_enough_nothing_is_found(sam, noise):
    assert sam.everything(noise, density=2).cite() in ("no part", "1 part", "2 parts", "3 parts")
    none = every_part(sam, noise, density=2, quality=2.0)
    assert (len(none), none.describe()) == (0, "0 masks: nothing found")


def test_a_large_picture_is_outlined_in_its_own_size(sharp):
    picture = Image(np.random.default_rng(1).integers(0, 255, (600, 300, 3), np.uint8))
    found = every_part(sharp, picture, density=3, quality=-9.0, stability=0.0)
    assert found.to_array().shape[1:] == (600, 300)


# -- what is alike --------------------------------------------------------------------------------


def test_what_is_like_the_marked_thing_is_found_in_another_picture():
    red, blue = (255, 0, 0), (0, 0, 255)
    reference = painted((20, 20, 20), (red, 8, 8), (blue, 40, 40))
    picture = painted((30, 30, 30), (blue, 8, 40), (red, 40, 16))
    model = ByColor()
    found = outlined_alike(model, picture, reference, Boxes(((0.125, 0.125, 0.375, 0.375),)))
    mask = found.to_array()[0]
    assert mask.sum() == 256
    assert mask[16:32, 40:56].all()
    assert found.scores == (1.0,)
    first, second, third = model.asked
    assert (first["multimask"], second["multimask"], third["multimask"]) == (False, True, True)
    assert first["attention_similarity"].shape == (1, 1, 1, 64)
    assert third["boxes"].tolist() == [[40 / 64, 16 / 64, 56 / 64, 32 / 64]]
    assert all("input_masks" in asked for asked in (second, third))


def test_the_score_is_low_where_the_thing_is_not_there():
    reference = painted((0, 255, 0), ((255, 0, 0), 8, 8))
    found = outlined_alike(
        ByColor(), painted((0, 255, 0)), reference, Boxes(((0.125, 0.125, 0.375, 0.375),))
    )
    assert found.scores[0] < 0.1


def test_three_steps_with_transformers_own_model_give_the_same_outline(sam, noise):
    """PerSAM without training, written out with pixels instead of what is kept of a look."""
    other = Image(np.random.default_rng(5).integers(0, 255, (48, 64, 3), np.uint8))
    region = Boxes(((0.25, 0.25, 0.75, 0.75),))
    found = sam.alike(other, noise, region)
    look = sam._looker._processor(images=[Pillow.fromarray(noise.rgb())], return_tensors="pt")
    pixels = sam._looker._processor(images=[Pillow.fromarray(other.rgb())], return_tensors="pt")[
        "pixel_values"
    ]
    with torch.inference_mode():
        there = sam._looker._model.get_image_embeddings(look["pixel_values"])[0]
        here = sam._looker._model.get_image_embeddings(pixels)[0]
        target = there[:, 2:5, 2:6].flatten(1).mean(1)  # rows 12..36 and columns 16..48 of 8 each
        like = torch.nn.functional.cosine_similarity(here, target[:, None, None], dim=0)
        fine = torch.nn.functional.interpolate(like[None, None], (64, 64), mode="bilinear")
        fine = fine[0, 0, :48]
        spots = [divmod(int(spot), 64) for spot in (fine.argmax(), fine.argmin())]
        points = torch.tensor([[[[x + 0.5, y + 0.5] for y, x in spots]]])
        attention = torch.sigmoid((like - like.mean()) / like.std()).reshape(1, 1, 1, -1)
        ask = {"pixel_values": pixels, "input_points": points}
        ask["input_labels"] = torch.tensor([[[1, 0]]])
        guide = {"attention_similarity": attention, "target_embedding": target.reshape(1, 1, -1)}
        first = sam._looker._model(**ask, multimask_output=False, **guide).pred_masks[0]
        second = sam._looker._model(**ask, input_masks=first)
        logits = second.pred_masks[:, :, second.iou_scores[0, 0].argmax()]  # (1, 1, row, column)
        outline = _upscaled(logits)
        rows, columns = np.flatnonzero(outline.any(1)), np.flatnonzero(outline.any(0))
        edges = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        box = torch.tensor([[edges]], dtype=torch.float32)
        third = sam._looker._model(**ask, input_masks=logits, input_boxes=box)
        logits = third.pred_masks[:, :, third.iou_scores[0, 0].argmax()]
    assert (found.to_array()[0] == _upscaled(logits)).all()


def _upscaled(logits):
    large = torch.nn.functional.interpolate(logits, (64, 64), mode="bilinear")
    return (large[0, 0, :48] > 0).numpy()


def test_cells_are_those_half_covered_or_of_small_things_the_one_most_covered():
    seen = Seen(embedding=torch.zeros(1, 3, 8, 8), size=(24, 32), scaled=(48, 64), square=64)
    covered = cells(seen, block((0, 8), (0, 16), of=(24, 32)))
    assert covered.nonzero().tolist() == [[y, x] for y in range(2) for x in range(4)]
    assert cells(seen, block((9, 10), (5, 6), of=(24, 32))).nonzero().tolist() == [[2, 1]]


# -- what cannot be done --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (7, 100)])
def test_a_picture_in_which_nothing_can_be_seen_is_refused(sam, noise, size):
    tiny = Image(np.full((*size, 3), 7, np.uint8))
    whole = Boxes(((0, 0, 1, 1),))
    for name, args in (
        ("choices", (tiny, ON)),
        ("levels", (tiny, ON)),
        ("everything", (tiny,)),
        ("alike", (noise, tiny, whole)),
        ("alike", (tiny, noise, whole)),
    ):
        with pytest.raises(SkillError, match=f"segment_{name}: the picture is {size[1]}x{size[0]}"):
            getattr(sam, name)(*args)


@pytest.mark.parametrize("points", [Points(()), Points(((0.5, 0.5),), (False,))])
@pytest.mark.parametrize("name", ["choices", "levels"])
def test_without_a_point_on_the_thing_there_is_no_answer(sam, noise, name, points):
    with pytest.raises(SkillError, match=f"segment_{name}: needs a point on the thing"):
        getattr(sam, name)(noise, points)


@pytest.mark.parametrize("region", [Boxes((), query="dog"), Masks.from_array(np.zeros((1, 4, 4)))])
def test_a_reference_in_which_nothing_is_marked_is_refused(sam, noise, region):
    with pytest.raises(SkillError, match="segment_alike: the region"):
        sam.alike(noise, noise, region)
