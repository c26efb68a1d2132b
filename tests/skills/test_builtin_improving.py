import cv2
import numpy as np
import pytest

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image
from llava_plus.skills.builtin.improving import denoise, enhance, noise_of

HALF = Boxes(((0.0, 0.0, 0.5, 1.0),))


def psnr(image, other):
    """Return the peak signal-to-noise ratio in decibels."""
    return cv2.PSNR(np.ascontiguousarray(image.rgb()), np.ascontiguousarray(other.rgb()))


@pytest.fixture(scope="module")
def small(astronaut):
    return Image(cv2.resize(astronaut.pixels, (256, 256), interpolation=cv2.INTER_AREA))


def noisy(image, sigma):
    draw = np.random.default_rng(0)
    pixels = image.pixels + draw.normal(0, sigma, image.pixels.shape)
    return Image(np.clip(pixels, 0, 255).astype(np.uint8))


@pytest.mark.parametrize(("sigma", "gain"), [(10, 2.0), (25, 5.0)])
def test_denoise_brings_a_noisy_photograph_nearer_to_the_clean_one(small, sigma, gain):
    grainy = noisy(small, sigma)
    assert psnr(denoise(grainy), small) > psnr(grainy, small) + gain


def test_denoise_leaves_a_clean_photograph_nearly_as_it_is(small, coffee):
    assert psnr(denoise(small), small) > 34
    plain = Image(np.full((40, 40, 3), 90, np.uint8))
    assert denoise(plain) == plain
    assert denoise(noisy(small, 20), strength=0) == noisy(small, 20)


def test_noise_is_measured_in_grey_levels():
    draw = np.random.default_rng(1)
    for sigma in (4, 12):
        grey = np.clip(draw.normal(128, sigma, (256, 256, 1)), 0, 255).astype(np.uint8)
        assert noise_of(np.repeat(grey, 3, axis=2)) == pytest.approx(sigma, rel=0.2)


def test_enhance_undoes_what_makes_a_photograph_dull(small):
    spoiled = {
        "flat": small.pixels * 0.35 + 60,
        "dark": small.pixels * 0.3,
        "tinted": small.pixels * [1.0, 0.85, 0.65],
    }
    for name, pixels in spoiled.items():
        image = Image(pixels.astype(np.uint8))
        assert psnr(enhance(image), small) > psnr(image, small) + 3, name


def test_enhance_changes_a_good_photograph_a_little_and_more_with_more_strength(small):
    changes = [psnr(enhance(small, strength=s), small) for s in (0.25, 0.5, 1.0)]
    assert changes == sorted(changes, reverse=True)
    assert changes[1] > 25
    assert enhance(small, strength=0) == small


@pytest.mark.parametrize("skill", [denoise, enhance])
def test_only_the_region_changes_and_transparency_stays(small, skill):
    alpha = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    image = Image(np.dstack([noisy(small, 20).pixels, alpha]))
    inside, outside = skill(image, region=HALF), skill(image, region=HALF, outside=True)
    assert (inside.pixels[:, 128:] == image.pixels[:, 128:]).all()
    assert (outside.pixels[:, :128] == image.pixels[:, :128]).all()
    assert (inside.pixels[:, :128, :3] != image.pixels[:, :128, :3]).any()
    assert (inside.pixels[..., 3] == alpha).all()


@pytest.mark.parametrize("skill", [denoise, enhance])
@pytest.mark.parametrize(
    "how",
    [
        {"strength": float("nan")},
        {"strength": 1.5},
        {"region": Boxes(())},
        {"region": Boxes(((0.5, 0.5, 0.5, 0.5),))},
        {"outside": True},
    ],
)
def test_what_cannot_be_done_is_said(small, skill, how):
    with pytest.raises(SkillError, match=rf"^{skill.__name__}: .+\."):
        skill(small, **how)


def test_a_picture_that_nobody_can_see_is_not_enhanced():
    with pytest.raises(SkillError, match="transparent everywhere"):
        enhance(Image(np.zeros((20, 20, 4), np.uint8)))
