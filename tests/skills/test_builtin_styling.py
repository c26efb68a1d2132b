from typing import get_args

import cv2
import numpy as np
import pytest

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image
from llava_plus.skills.builtin.styling import _Style, stylize

STYLES = get_args(_Style)


@pytest.fixture(scope="module")
def small(astronaut):
    return Image(cv2.resize(astronaut.pixels, (256, 256), interpolation=cv2.INTER_AREA))


@pytest.fixture(scope="module")
def styled(small):
    return {style: stylize(small, style).pixels for style in STYLES}


def likeness(one, other):
    """Return the correlation of the edges of two pictures, 1 where they show the same."""
    greys = [cv2.GaussianBlur(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), (0, 0), 2) for p in (one, other)]
    edges = [cv2.Laplacian(grey.astype(np.float32), -1).ravel() for grey in greys]
    return abs(float(np.corrcoef(*edges)[0, 1]))


@pytest.mark.parametrize("style", STYLES)
def test_every_style_changes_the_picture_and_still_shows_it(small, styled, style):
    new = styled[style]
    assert np.abs(new.astype(int) - small.pixels).mean() > 3
    assert likeness(new, small.pixels) > 0.4
    assert likeness(np.ascontiguousarray(new[::-1]), small.pixels) < 0.2


def test_styles_have_the_colours_that_they_are_known_for(small, styled):
    sketch, sepia = styled["sketch"], styled["sepia"].astype(int)
    assert (np.ptp(sketch, axis=2) == 0).all()
    assert np.median(sketch) > 200  # paper
    assert (sepia[..., 0] >= sepia[..., 1]).all()
    assert (sepia[..., 1] >= sepia[..., 2]).all()
    assert (styled["negative"] == 255 - small.pixels).all()
    assert len(np.unique(styled["poster"].reshape(-1, 3), axis=0)) <= 8
    for patch, least, most in ((np.s_[120:136, 120:136], 0.98, 1), (np.s_[:8, -8:], 0.1, 0.4)):
        light = styled["vignette"][patch].mean() / small.pixels[patch].mean()
        assert least < light <= most
    levels = [len(np.unique(p.reshape(-1, 3), axis=0)) for p in (styled["oil"], small.pixels)]
    assert levels[0] < levels[1]


def test_strength_goes_from_nothing_to_the_whole_effect(small, styled):
    assert stylize(small, "cartoon", strength=0) == small
    half = stylize(small, "cartoon", strength=0.5).pixels.astype(int)
    middle = (small.pixels.astype(int) + styled["cartoon"]) / 2
    assert np.abs(half - middle).max() <= 1


def test_only_the_region_is_drawn_and_transparency_stays(small):
    image = Image(np.dstack([small.pixels, np.full((256, 256), 99, np.uint8)]))
    box = Boxes(((0.25, 0.25, 0.75, 0.75),))
    new = stylize(image, "negative", region=box).pixels
    assert (new[:64] == image.pixels[:64]).all()
    assert (new[64:192, 64:192, :3] != image.pixels[64:192, 64:192, :3]).any()
    assert (new[..., 3] == 99).all()


@pytest.mark.parametrize("name", ["one pixel", "one row", "one column", "transparent", "plain"])
@pytest.mark.parametrize("style", STYLES)
def test_odd_pictures_keep_their_size(odd_pictures, name, style):
    image = odd_pictures[name]
    assert stylize(image, style).pixels.shape == image.pixels.shape


@pytest.mark.parametrize(
    "how",
    [
        {"style": "cubism"},
        {"style": "oil", "strength": float("nan")},
        {"style": "oil", "strength": -1},
        {"style": "oil", "region": Boxes(())},
        {"style": "oil", "outside": True},
    ],
)
def test_what_cannot_be_done_is_said(small, how):
    with pytest.raises(SkillError, match=r"^stylize: .+\."):
        stylize(small, **how)
