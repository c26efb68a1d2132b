import numpy as np
import pytest

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image
from llava_plus.skills.builtin.combining import combine


def plain(width, height, color, channels=3):
    return Image(np.full((height, width, channels), (*color, 255)[:channels], np.uint8))


RED, GREEN, BLUE = (
    plain(60, 40, (255, 0, 0)),
    plain(30, 40, (0, 255, 0)),
    plain(40, 80, (0, 0, 255)),
)


def colors_at(image, *places):
    return [tuple(int(v) for v in image.pixels[y, x]) for x, y in places]


@pytest.mark.parametrize(
    ("pictures", "how", "size"),
    [
        ({}, {}, "90x40"),
        ({}, {"gap": 0.5}, "110x40"),
        ({}, {"layout": "below"}, "60x120"),
        ({}, {"layout": "grid"}, "90x40"),
        ({"third": BLUE}, {}, "220x80"),
        ({"third": BLUE}, {"layout": "grid"}, "120x160"),
        ({"third": BLUE, "fourth": RED}, {"layout": "grid", "gap": 0.1}, "124x164"),
    ],
)
def test_sizes_of_what_is_put_together(pictures, how, size):
    assert combine(RED, GREEN, **pictures, **how).describe() == size


def test_pictures_come_in_their_order_and_none_is_squeezed(astronaut, coffee):
    new = combine(RED, GREEN)
    assert colors_at(new, (5, 20), (85, 20)) == [(255, 0, 0), (0, 255, 0)]
    grid = combine(RED, RED, third=GREEN, layout="grid", color="black")
    assert colors_at(grid, (30, 60), (2, 60), (90, 60)) == [(0, 255, 0), (0, 0, 0), (0, 0, 0)]
    both = combine(astronaut, coffee)
    assert both.describe() == "1280x512"
    assert (both.pixels[:, :512] == astronaut.pixels).all()


def test_a_grid_has_no_empty_bands_between_pictures_of_other_shapes():
    tall, flat = plain(40, 60, (255, 0, 0)), plain(60, 20, (0, 255, 0))
    grid = combine(tall, tall, third=flat, fourth=flat, layout="grid", color="black")
    assert grid.describe() == "120x80"
    assert colors_at(grid, (60, 59), (2, 61), (118, 78)) == [(0, 0, 0), (0, 255, 0), (0, 255, 0)]


def test_one_picture_goes_into_a_region_of_another_and_the_rest_stays(coffee):
    box = Boxes(((0.5, 0.5, 1.0, 1.0),))
    new = combine(coffee, RED, region=box)
    assert new.describe() == coffee.describe()
    assert (new.pixels[:200] == coffee.pixels[:200]).all()
    assert colors_at(new, (450, 300)) == [(255, 0, 0)]
    clear = Image(np.zeros((10, 10, 4), np.uint8))
    assert combine(coffee, clear, region=box) == coffee


def test_transparency_stays_where_a_picture_has_it():
    clear = Image(np.zeros((40, 40, 4), np.uint8))
    new = combine(RED, clear).pixels
    assert new.shape == (40, 100, 4)
    assert new[20, 80, 3] == 0
    assert new[20, 20].tolist() == [255, 0, 0, 255]


def test_huge_and_tiny_pictures_make_one_of_bearable_size(odd_pictures):
    wide = odd_pictures["very wide"]
    assert combine(wide, wide).width <= 8192
    big = plain(3000, 3000, (9, 9, 9))
    new = combine(big, odd_pictures["one pixel"], third=big, fourth=big)
    assert new.width * new.height <= 25_000_000


@pytest.mark.parametrize(
    "how",
    [
        {"layout": "onto"},
        {"region": Boxes(())},
        {"region": Boxes(((0, 0, 1, 1),)), "layout": "grid"},
        {"region": Boxes(((0, 0, 1, 1),)), "third": BLUE},
        {"gap": float("nan")},
        {"color": "transparentish"},
    ],
)
def test_what_cannot_be_combined_is_said(how):
    with pytest.raises(SkillError, match=r"^combine: .+\."):
        combine(RED, GREEN, **how)
