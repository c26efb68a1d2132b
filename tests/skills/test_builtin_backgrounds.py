import numpy as np
import pytest
from skimage import data

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, Masks, Points
from llava_plus.skills.builtin.backgrounds import remove_background, replace_background


def thing(channels=3):
    """Draw a red disc on a ground of blue and green, with its mask."""
    y, x = np.mgrid[:180, :240]
    disc = (x - 130) ** 2 + (y - 95) ** 2 < 50**2
    ground = np.dstack([np.full_like(x, 60), 90 + x // 6, 150 - y // 6])
    pixels = np.where(disc[..., None], [200, 60, 50], ground)
    pixels = pixels + np.random.default_rng(0).normal(0, 4, pixels.shape)
    pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    if channels == 4:
        pixels = np.dstack([pixels, np.full((180, 240), 200, np.uint8)])
    return Image(pixels), disc


IMAGE, DISC = thing()
BOX = Boxes(((0.3, 0.22, 0.78, 0.83),))


def overlap(alpha, truth):
    found = alpha > 127
    return (found & truth).sum() / (found | truth).sum()


@pytest.mark.parametrize(
    "region", [None, BOX, Points(((0.54, 0.53),)), Masks.from_array(DISC[None])]
)
def test_a_thing_is_cut_out_by_itself_by_a_box_a_point_or_its_mask(region):
    cut = remove_background(IMAGE, region=region)
    assert cut.pixels.shape == (180, 240, 4)
    assert overlap(cut.pixels[..., 3], DISC) > 0.93
    assert (cut.pixels[..., :3] == IMAGE.pixels).all()


def test_the_edge_is_soft_and_the_rest_is_not():
    alpha = remove_background(IMAGE, region=Masks.from_array(DISC[None])).pixels[..., 3]
    between = (alpha > 10) & (alpha < 245)
    assert 0.2 * 2 * np.pi * 50 < between.sum() < 4 * 2 * np.pi * 50


def test_a_photograph_is_cut_out_by_a_box(coffee):
    """The cup with its saucer is an ellipse of wood's own colours; the figure is in docs."""
    box = Boxes(((0.11, 0.03, 0.82, 0.98),))
    y, x = np.mgrid[:400, :600]
    saucer = ((x / 600 - 0.465) / 0.335) ** 2 + ((y / 400 - 0.55) / 0.43) ** 2 < 1
    assert overlap(remove_background(coffee, region=box).pixels[..., 3], saucer) > 0.8


def test_where_no_one_thing_stands_out_a_box_is_asked_for():
    draw = np.random.default_rng(0)
    noise = Image(draw.integers(0, 255, (80, 90, 3), np.uint8))
    for image in (Image(data.astronaut()[::4, ::4].copy()), noise):
        with pytest.raises(SkillError, match=r"^remove_background: cannot tell .+ a box"):
            remove_background(image)


def test_what_was_transparent_stays_so():
    image, _ = thing(channels=4)
    cut = remove_background(image, region=BOX).pixels
    assert cut[95, 130, 3] == 200
    assert cut[5, 5, 3] == 0


@pytest.mark.parametrize(
    ("how", "corner"),
    [
        ({"color": "#0080ff"}, (0, 128, 255)),
        ({"picture": Image(np.full((5, 300, 3), 17, np.uint8))}, (17, 17, 17)),
    ],
)
def test_another_background_is_behind_the_thing(how, corner):
    new = replace_background(IMAGE, region=BOX, **how).pixels
    assert new.shape == IMAGE.pixels.shape
    assert tuple(new[3, 3]) == corner
    assert (new[70:120, 110:150] == IMAGE.pixels[70:120, 110:150]).all()


def test_a_blurred_background_leaves_the_thing_sharp(astronaut):
    face = Masks.from_array(np.pad(np.ones((1, 120, 100), bool), ((0, 0), (60, 332), (175, 237))))
    new = replace_background(astronaut, blurred=0.5, region=face).pixels
    assert (new[70:170, 190:260] == astronaut.pixels[70:170, 190:260]).all()
    before, after = (
        np.abs(np.diff(p[300:].astype(int), axis=1)).mean() for p in (astronaut.pixels, new)
    )
    assert after < before / 3


def test_a_picture_cut_out_before_keeps_its_outline():
    cut = remove_background(IMAGE, region=BOX)
    again = replace_background(cut, color="white").pixels
    assert tuple(again[3, 3]) == (255, 255, 255)
    assert (again[70:120, 110:150] == IMAGE.pixels[70:120, 110:150]).all()


@pytest.mark.parametrize("name", ["one pixel", "one row", "plain", "transparent"])
def test_odd_pictures_get_a_result_or_an_answer(odd_pictures, name):
    image = odd_pictures[name]
    for region in (None, BOX, Points(((0.5, 0.5),))):
        try:
            cut = remove_background(image, region=region)
        except SkillError:
            continue
        assert cut.pixels.shape == (image.height, image.width, 4)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"color": "red", "blurred": 0.5},
        {"color": "no such colour"},
        {"color": "red", "region": Boxes(())},
        {"color": "red", "region": Points(())},
        {"blurred": float("nan")},
    ],
)
def test_what_cannot_be_replaced_is_said(how):
    with pytest.raises(SkillError, match=r"^(replace_background|segment): .+\."):
        replace_background(IMAGE, **how)
