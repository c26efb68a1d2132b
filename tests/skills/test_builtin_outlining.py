import time

import cv2
import numpy as np
import pytest
from skimage import filters, measure
from skimage.segmentation import watershed

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, Points, region_boxes
from llava_plus.skills.builtin import segment


def overlap(one, other):
    return (one & other).sum() / (one | other).sum()


def scene(seed, shape, size=(360, 480)):
    """Draw one thing with an uneven light on an uneven ground; return it with its mask."""
    draw = np.random.default_rng(seed)
    height, width = size
    ramp = np.linspace(-25, 25, width)[None, :, None] * np.ones((height, 1, 1))
    ground = np.array([90, 120, 150]) + ramp
    mask = np.zeros(size, np.uint8)
    x, y, r = width // 2, height // 2, min(size) // 4
    if shape == "disc":
        cv2.circle(mask, (x, y), r, 1, -1)
    elif shape == "card":
        cv2.rectangle(mask, (x - r, y - r // 2), (x + r, y + r // 2), 1, -1)
    else:
        angle = np.linspace(0, 2 * np.pi, 200)
        reach = r * (1 + 0.25 * np.cos(5 * angle))
        petals = np.stack([x + reach * np.cos(angle), y + reach * np.sin(angle)], axis=1)
        cv2.fillPoly(mask, [petals.astype(np.int32)], 1)
    light = np.linspace(-20, 20, height)[:, None, None]
    picture = np.where(mask[..., None] > 0, np.array([200, 70, 60]) + light, ground)
    picture = cv2.GaussianBlur(picture, (0, 0), 0.8) + draw.normal(0, 5, picture.shape)
    return Image(np.clip(picture, 0, 255).astype(np.uint8)), mask > 0


def box_of(mask, margin=0.05):
    y, x = np.nonzero(mask)
    height, width = mask.shape
    more_x, more_y = margin * np.ptp(x), margin * np.ptp(y)
    box = (x.min() - more_x, y.min() - more_y, x.max() + 1 + more_x, y.max() + 1 + more_y)
    return Boxes((tuple(np.clip(np.divide(box, (width, height) * 2), 0, 1)),), labels=("thing",))


def point_in(mask, aside=0.0):
    """Return the middle of a shape, or a place so far from there towards its edge."""
    far = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    y, x = np.unravel_index(far.argmax(), far.shape)
    x += aside * far.max()
    return Points((((x + 0.5) / mask.shape[1], (y + 0.5) / mask.shape[0]),))


def coin_masks(coins):
    """The coins' outlines as scikit-image's own tutorial finds them, the touching rim left out."""
    grey = coins.pixels[..., 0]
    markers = np.zeros(grey.shape, int)
    markers[grey < 30], markers[grey > 150] = 1, 2
    labels = measure.label(watershed(filters.sobel(grey), markers) == 2)
    shapes = [r for r in measure.regionprops(labels) if r.area > 400]
    masks = []
    for shape in shapes:
        mask = np.zeros(grey.shape, bool)
        top, left, bottom, right = shape.bbox
        mask[top:bottom, left:right] = shape.image_filled
        masks.append(mask)
    return masks


@pytest.mark.parametrize("shape", ["disc", "card", "flower"])
@pytest.mark.parametrize("aside", [0.0, 0.6])
def test_what_is_clicked_is_outlined(shape, aside):
    image, mask = scene(1, shape)
    found = segment(image, point_in(mask, aside))
    assert len(found) == 1
    assert overlap(found.to_array()[0], mask) > 0.9


@pytest.mark.parametrize("shape", ["disc", "card", "flower"])
def test_what_is_in_a_box_is_outlined_and_keeps_its_label(shape):
    image, mask = scene(2, shape)
    found = segment(image, box_of(mask))
    assert found.labels == ("thing",)
    assert overlap(found.to_array()[0], mask) > 0.9


@pytest.mark.slow
def test_clicked_coins_are_outlined(coins):
    scores = [
        overlap(segment(coins, point_in(mask)).to_array()[0], mask)
        for mask in coin_masks(coins)[::6]
    ]
    assert len(scores) == 4
    assert min(scores) > 0.85
    assert np.mean(scores) > 0.95


@pytest.mark.slow
def test_boxed_coins_are_outlined_each(coins):
    masks = coin_masks(coins)[:4]
    boxes = Boxes(tuple(box_of(mask).xyxy[0] for mask in masks))
    found = segment(coins, boxes).to_array()
    assert len(found) == 4
    assert min(overlap(*pair) for pair in zip(found, masks, strict=True)) > 0.85


def test_the_edge_of_a_large_picture_is_exact():
    image, mask = scene(3, "flower", (900, 1200))
    found = segment(image, box_of(mask)).to_array()[0]
    assert found.shape == (900, 1200)
    assert overlap(found, mask) > 0.97


def test_a_negative_point_keeps_its_surroundings_out():
    image, left = scene(4, "disc")
    pixels = image.pixels.copy()
    right = np.zeros_like(left)
    right[:, 300:460] = left[:, 160:320]
    pixels[right & ~left] = pixels[left].mean(axis=0).astype(np.uint8)  # a second disc touches
    image = Image(pixels)
    off = point_in(right & ~left).xy[0]
    found = segment(image, Points((point_in(left).xy[0], off), (True, False))).to_array()[0]
    x, y = off
    assert not found[int(y * image.height), int(x * image.width)]
    assert overlap(found, left) > 0.7


def test_two_points_hold_two_things():
    image, mask = scene(5, "disc")
    pixels = image.pixels.copy()
    pixels[20:70, 20:70] = (60, 200, 60)
    found = segment(Image(pixels), Points((point_in(mask).xy[0], (45 / 480, 45 / 360))))
    assert found.to_array()[0][45, 45]
    assert found.to_array()[0][180, 240]


def test_a_photographed_head_is_cut_from_its_background(astronaut):
    found = segment(astronaut, Points(((0.44, 0.22),))).to_array()[0]
    face, hair, wall = found[80:160, 195:255], found[25:50, 190:250], found[:, 300:400]
    assert face.mean() > 0.95
    assert hair.mean() > 0.8
    assert wall.mean() < 0.02


@pytest.mark.slow
def test_twelve_megapixels_take_seconds(astronaut):
    large = Image(cv2.resize(astronaut.pixels, (3464, 3464), interpolation=cv2.INTER_CUBIC))
    start = time.process_time()
    found = segment(large, Points(((0.2, 0.65),)))
    assert time.process_time() - start < 10  # of processor time; about 2.5 on the clock
    assert 0.1 < region_boxes(found).xyxy[0][3] - region_boxes(found).xyxy[0][1] < 0.8


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        (Boxes(()), "region is empty"),
        (Boxes(((0.5, 0.5, 0.5, 0.5),)), "covers nothing"),
        (Points(((0.5, 0.5),), (False,)), "Click on what is meant"),
        (Points(()), "Click on what is meant"),
    ],
)
def test_a_prompt_that_says_nothing_is_refused(coffee, prompt, says):
    with pytest.raises(SkillError, match=says):
        segment(coffee, prompt)


def test_a_box_on_plain_ground_is_refused_with_a_way_out(odd_pictures):
    with pytest.raises(SkillError, match=r"stands out from .* use the box itself"):
        segment(odd_pictures["plain"], Boxes(((0.2, 0.2, 0.6, 0.6),)))


def test_odd_pictures_can_be_clicked(odd_pictures):
    for name, image in odd_pictures.items():
        found = segment(image, Points(((0.5, 0.5), (1.0, 1.0)))).to_array()
        assert found.shape == (1, image.height, image.width), name
        assert found[0, -1, -1], name


@pytest.mark.slow
def test_the_same_click_gives_the_same_outline(coins):
    click = Points(((0.3, 0.4),))
    assert segment(coins, click) == segment(coins, click)
