import math

import cv2
import numpy as np
import pytest
from skimage import data

from llava_plus.errors import SkillError
from llava_plus.skills import Image
from llava_plus.skills.builtin import ocr
from llava_plus.skills.builtin.leveling import straighten, tilt_of, upright


@pytest.fixture(scope="module")
def level():
    """Pictures that stand upright, with what is known of how they lean by themselves."""
    y, _ = np.mgrid[:300, :450]
    sea = np.where((y > 170)[..., None], [40, 70, 110], [170, 200, 230])
    draw = np.random.default_rng(1)
    sea = np.clip(sea + draw.normal(0, 4, sea.shape), 0, 255).astype(np.uint8)
    page = np.full((500, 400, 3), 250, np.uint8)
    for line in range(14):
        words = "the quick brown fox jumps over it"[line % 5 :]
        cv2.putText(page, words, (20, 40 + 32 * line), 0, 0.6, (20, 20, 20), 1, cv2.LINE_AA)
    camera = np.repeat(data.camera()[..., None], 3, axis=2)
    return {"sea": sea, "page": page, "camera": camera}


@pytest.mark.parametrize("name", ["sea", "page", "camera"])
@pytest.mark.parametrize("angle", [-13, -4, 1.5, 8])
def test_the_tilt_of_a_picture_turned_by_a_known_angle_is_found(level, name, angle):
    leaning = upright(level[name], angle)
    assert tilt_of(leaning) == pytest.approx(angle, abs=0.6)


def test_a_leaning_page_becomes_level(level):
    leaning = Image(upright(level["page"], 6))
    straight = straighten(leaning)
    assert abs(tilt_of(straight.rgb())) < 0.5
    lines = ocr(straight)
    assert len(lines) >= 5
    for polygon in lines.polygons:
        (x0, y0), (x1, y1) = polygon[0], polygon[1]
        rise = (y1 - y0) * straight.height / ((x1 - x0) * straight.width)
        assert abs(math.degrees(math.atan(rise))) < 1.5


@pytest.mark.parametrize("size", [(300, 200), (200, 300), (500, 60)])
@pytest.mark.parametrize("angle", [-15, 3, 11])
def test_the_cut_holds_no_corner_from_outside_and_is_as_large_as_can_be(size, angle):
    """One rim pixel of slack: a rectangle two pixels larger would show what is outside."""
    width, height = size
    white = np.full((height, width), 255, np.uint8)
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -angle, 1)
    turn[:, 2] += 200
    turned = cv2.warpAffine(white, turn, (width + 400, height + 400), flags=cv2.INTER_NEAREST)
    high, wide = upright(np.dstack([white] * 3), angle).shape[:2]

    def covered(high, wide):
        top, left = 200 + (height - high) / 2, 200 + (width - wide) / 2
        rows = slice(round(top), round(top + high))
        return (turned[rows, round(left) : round(left + wide)] > 0).all()

    assert covered(high - 4, wide - 4)
    assert not covered(high + 6, wide + 6)


@pytest.mark.parametrize("name", ["one pixel", "one row", "one column", "plain", "transparent"])
def test_where_nothing_tells_it_says_so(odd_pictures, name):
    with pytest.raises(SkillError, match=r"^straighten: no tilt found.+rotate"):
        straighten(odd_pictures[name])


def test_photographs_without_a_straight_line_are_not_turned(coins):
    for picture in (data.cat(), data.coffee(), coins.pixels):
        assert tilt_of(picture) is None


def test_a_level_picture_is_not_turned(level):
    with pytest.raises(SkillError, match=r"^straighten: nothing to do"):
        straighten(Image(level["sea"]))


def test_transparency_stays(level):
    leaning = upright(level["sea"], 5)
    image = Image(np.dstack([leaning, np.full(leaning.shape[:2], 77, np.uint8)]))
    assert (straighten(image).pixels[..., 3] == 77).all()
