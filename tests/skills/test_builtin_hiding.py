import time

import cv2
import numpy as np
import pytest

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, Masks, TextLines, region_mask
from llava_plus.skills.builtin import blur, detect, erase, pixelate

HIDE = [blur, pixelate]


def in_pixels(region, image):
    return region_mask(region, image.width, image.height)


def changed(one, other):
    return (one.pixels != other.pixels).any(axis=2)


def detail(image, where):
    """Return how much of the picture changes from pixel to pixel."""
    grey = cv2.cvtColor(image.rgb(), cv2.COLOR_RGB2GRAY).astype(np.float32)
    return np.abs(cv2.Laplacian(grey, cv2.CV_32F))[where].mean()


@pytest.mark.parametrize("hide", HIDE)
@pytest.mark.parametrize("scale", [0.3, 1, 3])
def test_a_hidden_face_is_not_found_again_whatever_its_size(astronaut, her_face, hide, scale):
    pixels = cv2.resize(astronaut.pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    image = Image(pixels)
    assert len(detect(image, "face")) == 1
    hidden = hide(image, region=her_face)
    assert len(detect(hidden, "face")) == 0
    assert changed(hidden, image)[in_pixels(her_face, image)].mean() > 0.9


@pytest.mark.parametrize("hide", HIDE)
def test_at_half_strength_all_sizes_of_a_face_keep_as_little(astronaut, her_face, hide):
    """What is left of a face depends on its picture, not on how many pixels it has."""
    x0, y0, x1, y1 = (round(n * 512) for n in her_face.xyxy[0])
    left = []
    for scale in (0.5, 2):
        image = Image(cv2.resize(astronaut.pixels, None, fx=scale, fy=scale))
        face = cv2.resize(hide(image, region=her_face).pixels, (512, 512))[y0:y1, x0:x1]
        left.append(cv2.resize(face, (32, 32), interpolation=cv2.INTER_AREA).astype(float))
    assert np.abs(left[0] - left[1]).mean() < 6


@pytest.mark.parametrize("hide", HIDE)
def test_nothing_far_from_the_region_changes(astronaut, her_face, hide):
    around = Boxes(((0.3, 0.06, 0.57, 0.39),))
    assert not changed(hide(astronaut, region=her_face), astronaut)[
        ~in_pixels(around, astronaut)
    ].any()


@pytest.mark.parametrize("hide", HIDE)
def test_outside_leaves_exactly_the_region(astronaut, her_face, hide):
    hidden, inside = hide(astronaut, region=her_face, outside=True), in_pixels(her_face, astronaut)
    assert not changed(hidden, astronaut)[inside].any()
    assert detail(hidden, ~inside) < 0.7 * detail(astronaut, ~inside)


@pytest.mark.parametrize("hide", HIDE)
def test_without_a_region_the_whole_picture_is_hidden(astronaut, hide):
    hidden = hide(astronaut)
    everywhere = np.ones((512, 512), bool)
    assert detail(hidden, everywhere) < 0.5 * detail(astronaut, everywhere)


@pytest.mark.parametrize("hide", HIDE)
def test_strength_hides_more_and_none_changes_nothing(astronaut, her_face, hide):
    assert hide(astronaut, region=her_face, strength=0) == astronaut
    assert hide(astronaut, strength=0) == astronaut
    where = in_pixels(Boxes(((0.38, 0.15, 0.49, 0.3),)), astronaut)
    far = [
        np.abs(hide(astronaut, region=her_face, strength=s).pixels.astype(int) - astronaut.pixels)
        for s in (0.1, 0.5, 1.0)
    ]
    means = [gap[where].mean() for gap in far]
    assert means[0] < means[1] < means[2]


@pytest.mark.parametrize("hide", HIDE)
def test_a_mask_is_hidden_to_its_edge_and_a_line_along_its_polygon(coffee, hide):
    shape = np.zeros((coffee.height, coffee.width), np.uint8)
    cv2.circle(shape, (300, 200), 80, 1, -1)
    hidden = hide(coffee, region=Masks.from_array(shape[None] > 0))
    apart = cv2.dilate(shape, np.ones((25, 25), np.uint8)) == 0
    assert not changed(hidden, coffee)[apart].any()
    assert changed(hidden, coffee)[shape > 0].mean() > 0.8
    slanted = TextLines(("x",), (((0.1, 0.1), (0.5, 0.5), (0.45, 0.6), (0.05, 0.2)),))
    corner = Boxes(((0.35, 0.1, 0.5, 0.25),))
    assert not changed(hide(coffee, region=slanted), coffee)[in_pixels(corner, coffee)].any()


@pytest.mark.slow
def test_blurred_letters_cannot_be_read():
    page = np.full((120, 700, 3), 255, np.uint8)
    cv2.putText(page, "ACCOUNT 4711 0815", (20, 80), cv2.FONT_HERSHEY_SIMPLEX, 1.8, (0, 0, 0), 4)
    image, line = Image(page), Boxes(((0.01, 0.2, 0.95, 0.8),))
    assert len(detect(image, "text")) == 1
    for hide in HIDE:
        assert len(detect(hide(image, region=line), "text")) == 0


def test_transparency_stays_and_hidden_colours_do_not_bleed():
    pixels = np.zeros((60, 60, 4), np.uint8)
    pixels[:, 30:] = (200, 100, 50, 255)
    pixels[:, :30, :3] = (0, 255, 0)  # green that nobody sees
    for hide in (*HIDE, lambda image, **_: erase(image, Boxes(((0.6, 0.4, 0.8, 0.6),)))):
        hidden = hide(Image(pixels), region=Boxes(((0.3, 0.3, 0.9, 0.9),)), strength=1.0)
        assert (hidden.pixels[..., 3] == pixels[..., 3]).all()
    soft = blur(Image(pixels), strength=1.0).pixels[:, 31:, :3].astype(int)
    assert np.abs(soft - (200, 100, 50)).max() < 12


@pytest.mark.parametrize(
    "where", [(0.3, 0.3, 0.5, 0.6), (0.0, 0.0, 0.2, 0.2), (0.7, 0.5, 1.0, 1.0)]
)
def test_a_thing_on_plain_ground_is_gone(where):
    ground = np.full((200, 300, 3), (90, 140, 200), np.uint8)
    things = ground.copy()
    x0, y0, x1, y1 = (round(n * s) for n, s in zip(where, (300, 200, 300, 200), strict=True))
    things[y0:y1, x0:x1] = (250, 30, 30)
    assert np.abs(erase(Image(things), Boxes((where,))).pixels.astype(int) - ground).max() <= 3


def test_a_ramp_goes_on_through_the_hole():
    ramp = np.linspace(60, 200, 240).astype(np.uint8)[None, :, None] * np.ones(
        (160, 1, 3), np.uint8
    )
    spot = ramp.copy()
    cv2.circle(spot, (120, 80), 15, (255, 0, 0), -1)
    gap = np.abs(erase(Image(spot), Boxes(((0.42, 0.38, 0.58, 0.62),))).pixels.astype(int) - ramp)
    assert gap.max() < 25


@pytest.mark.slow
def test_texture_is_continued_with_its_grain():
    from skimage import data

    grass = Image.from_array(data.grass())
    hole = Boxes(((0.4, 0.4, 0.55, 0.55),))
    filled, where = erase(grass, hole), in_pixels(hole, grass)
    assert changed(filled, grass)[where].mean() > 0.9
    assert 0.5 < detail(filled, where) / detail(grass, where) < 1.3
    assert filled.pixels[where].mean() == pytest.approx(grass.pixels[where].mean(), abs=15)


def test_a_rocket_vanishes_from_the_sky():
    from skimage import data

    rocket = Image(data.rocket())
    filled = erase(rocket, Boxes(((0.45, 0.1, 0.56, 0.7),)))
    sky = filled.pixels[120:260, 300:350].astype(float)
    assert sky.max() < 140 < rocket.pixels[120:260, 300:350].max()  # the rocket is white
    assert not changed(filled, rocket)[:, :250].any()


@pytest.mark.slow
def test_a_hole_in_a_large_picture_is_filled_sharply_and_in_time(coffee):
    large = Image(cv2.resize(coffee.pixels, (4000, 2667), interpolation=cv2.INTER_CUBIC))
    start = time.process_time()
    filled = erase(large, Boxes(((0.85, 0.05, 0.95, 0.2),)))
    assert time.process_time() - start < 15
    assert filled.pixels.shape == large.pixels.shape


def test_too_large_a_hole_is_refused(coffee):
    with pytest.raises(SkillError, match=r"covers 8.% of the picture, at most 60%"):
        erase(coffee, Boxes(((0.05, 0.05, 0.95, 0.95),)))


@pytest.mark.parametrize("edit", [*HIDE, erase])
@pytest.mark.parametrize(
    ("region", "says"),
    [
        (Boxes((), query="face"), "the region is empty, no face was found"),
        (Boxes(((1.2, 1.2, 1.5, 1.5),)), "covers nothing of the picture"),
        (TextLines((), ()), "it holds nothing"),
    ],
)
def test_empty_regions_are_refused_with_a_way_out(coffee, edit, region, says):
    with pytest.raises(SkillError, match=f"{edit.__name__}: .*{says}"):
        edit(coffee, region=region)


@pytest.mark.parametrize("hide", HIDE)
def test_outside_of_nothing_is_refused(coffee, hide):
    with pytest.raises(SkillError, match="needs a region"):
        hide(coffee, outside=True)


def test_odd_pictures_keep_their_shape_and_stay_as_they_were(odd_pictures):
    half = Boxes(((-0.2, -0.2, 0.5, 0.5),))  # partly outside
    for name, image in odd_pictures.items():
        before = image.pixels.copy()
        edits = [
            blur(image),
            blur(image, region=half),
            pixelate(image),
            pixelate(image, region=half),
        ]
        if name != "one pixel":
            edits.append(erase(image, half))
        assert all(edited.pixels.shape == before.shape for edited in edits), name
        assert (image.pixels == before).all(), name


def test_camera_and_date_stay_with_an_edited_picture():
    image = Image(
        np.zeros((9, 9, 3), np.uint8), meta={"format": "JPEG", "camera": "Box", "taken": "1"}
    )
    assert dict(blur(image).meta) == {"camera": "Box", "taken": "1"}
