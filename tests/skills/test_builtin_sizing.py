import numpy as np
import pytest

from llava_plus.errors import SkillError
from llava_plus.skills import Image
from llava_plus.skills.builtin.sizing import flip, resize


def test_flipping_swaps_sides_and_twice_gives_the_picture_back(astronaut):
    mirrored = flip(astronaut)
    assert (mirrored.pixels[:, 0] == astronaut.pixels[:, -1]).all()
    assert (flip(astronaut, direction="vertical").pixels[0] == astronaut.pixels[-1]).all()
    assert mirrored != astronaut
    assert flip(mirrored) == astronaut


@pytest.mark.parametrize(
    ("how", "size"),
    [
        ({"width": 300}, "300x200"),
        ({"height": 100}, "150x100"),
        ({"width": 300, "height": 300}, "300x200"),
        ({"width": 300, "height": 20}, "30x20"),
        ({"width": 300, "height": 300, "stretch": True}, "300x300"),
        ({"longest": 90}, "90x60"),
        ({"scale": 0.5}, "300x200"),
        ({"scale": 2}, "1200x800"),
        ({"scale": 0.0001}, "1x1"),
    ],
)
def test_sizes_come_out_as_asked_for_and_proportions_stay(coffee, how, size):
    assert resize(coffee, **how).describe() == size


def test_a_smaller_picture_shows_the_same(coffee):
    """Half the size and back again differs little; a picture flipped in between differs a lot."""
    back = resize(resize(coffee, scale=0.5), scale=2).pixels.astype(float)
    assert np.abs(back - coffee.pixels).mean() < 6
    assert np.abs(back[:, ::-1] - coffee.pixels).mean() > 30


def test_transparent_pixels_lend_no_colour():
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[:, :20] = (255, 0, 0, 255)
    pixels[:, 20:] = (0, 255, 0, 0)  # green that nobody sees
    small = resize(Image(pixels), longest=7).pixels
    assert small.shape == (7, 7, 4)
    assert small[small[..., 3] > 20][:, 1].max() < 20


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"width": 5, "scale": 2},
        {"scale": 50},
        {"scale": float("nan")},
        {"scale": float("inf")},
        {"width": 0},
        {"width": -3},
        {"width": 8192, "height": 8193, "stretch": True},
        {"width": 8192, "height": 8192, "stretch": True},
        {"width": 10, "stretch": True},
    ],
)
def test_what_cannot_be_made_is_said(coffee, how):
    with pytest.raises(SkillError, match=r"^resize: .+\."):
        resize(coffee, **how)
