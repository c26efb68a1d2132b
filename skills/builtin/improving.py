"""Making a photograph better by itself: denoise and enhance."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from llava_plus.errors import SkillError
from llava_plus.skills import Image, Region, skill

from .inking import kept_to, share_of

_Strength = Annotated[float, Field(ge=0, le=1)]
_Colors = NDArray[np.uint8]  # (height, width, 3)

_CLEAN = 1.0  # grey levels of noise below which there is nothing to take away
_SMALL = 2_000_000  # pixels: up to here the search for alike patches goes wide


@skill(examples=("remove the noise", "it is grainy, clean it up"), time_limit=60)
def denoise(
    image: Image,
    *,
    strength: _Strength = 0.5,
    region: Region | None = None,
    outside: bool = False,
) -> Image:
    """Take grain and noise out of the picture or a region of it, edges stay.

    How much there is to take away is measured first, so a clean picture stays nearly as it is.

    Args:
        image: The picture to clean.
        strength: 0 changes nothing, 0.5 fits what was measured, 1 also smooths fine texture.
        region: Where to clean; the whole picture where left out.
        outside: True cleans everything except the region.
    """
    strength = share_of("denoise", "strength", strength)
    colors = np.ascontiguousarray(image.pixels[..., :3])
    noise = noise_of(colors)
    if strength and noise >= _CLEAN and min(colors.shape[:2]) > 2:
        colors = _smoothed(colors, 2 * strength * noise)
    return kept_to("denoise", image, colors, region, outside)


@skill(examples=("improve the picture", "it looks dull, fix the colours", "auto enhance"))
def enhance(
    image: Image,
    *,
    strength: _Strength = 0.5,
    region: Region | None = None,
    outside: bool = False,
) -> Image:
    """Improve a dull, dark or tinted photograph: levels, white balance and local contrast.

    Args:
        image: The picture to improve.
        strength: 0 changes nothing, 0.5 is a visible but natural change, 1 all that is possible.
        region: Where to improve; the whole picture where left out.
        outside: True improves everything except the region.
    """
    strength = share_of("enhance", "strength", strength)
    colors = np.ascontiguousarray(image.pixels[..., :3])
    if strength:
        seen = colors if image.pixels.shape[2] == 3 else colors[image.pixels[..., 3] > 127][None]
        if not seen.size:
            raise SkillError("enhance: the picture is transparent everywhere. Give another one.")
        colors = _local_contrast(_leveled(colors, seen, strength), strength)
    return kept_to("enhance", image, colors, region, outside)


def noise_of(colors: _Colors) -> float:
    """Return the standard deviation of the noise in grey levels.

    The median over small tiles of what a Laplacian-like mask leaves (Immerkær 1996), which plain
    areas decide and busy ones do not.
    """
    import cv2

    grey = cv2.cvtColor(colors, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mask = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    rest = np.abs(cv2.filter2D(grey, -1, mask, borderType=cv2.BORDER_REFLECT))
    tiles = (max(1, grey.shape[1] // 16), max(1, grey.shape[0] // 16))
    means = cv2.resize(rest, tiles, interpolation=cv2.INTER_AREA)
    return float(np.percentile(means, 25) * np.sqrt(np.pi / 2) / 6)


def _smoothed(colors: _Colors, width: float) -> _Colors:
    """Average alike patches (non-local means); colour, which is seen coarsely, at half the size."""
    import cv2

    height, wide = colors.shape[:2]
    lab = cv2.cvtColor(colors, cv2.COLOR_RGB2YCrCb)
    reach = 15 if height * wide <= _SMALL else 7
    grey = cv2.fastNlMeansDenoising(np.ascontiguousarray(lab[..., 0]), None, width, 5, reach)
    half = (max(1, wide // 2), max(1, height // 2))
    result = [grey]
    for channel in (1, 2):
        small = cv2.resize(lab[..., channel], half, interpolation=cv2.INTER_AREA)
        small = cv2.fastNlMeansDenoising(small, None, 0.7 * width, 5, reach)
        result.append(cv2.resize(small, (wide, height), interpolation=cv2.INTER_LINEAR))
    return np.asarray(cv2.cvtColor(np.dstack(result), cv2.COLOR_YCrCb2RGB), np.uint8)


def _leveled(colors: _Colors, seen: _Colors, strength: float) -> _Colors:
    """Balance the colours and stretch the levels, by one table of 256 for each channel.

    Args:
        colors: What is changed.
        seen: (height, width, 3), the part of it that can be seen, from which the levels come.
        strength: 0 to 1.
    """
    sample = seen.reshape(-1, 3)[:: max(1, seen.size // 600_000)].astype(np.float64)
    gains = _balance(sample) ** strength
    grey = sample * gains @ np.array([0.299, 0.587, 0.114])
    low, high = np.percentile(grey, (0.5, 99.5))
    ramp = np.arange(256, dtype=np.float64)[:, None] * gains  # (256, 3)
    if high - low > 8:
        factor, middle = min(3.0, 255 / (high - low)), (low + high) / 2
        spread = (ramp - middle) * factor + 127.5
        median = (float(np.median(grey)) - middle) * factor + 127.5
        ramp = ramp + strength * (255 * _lifted(spread / 255, median / 255) - ramp)
    table = np.clip(np.rint(ramp), 0, 255).astype(np.uint8)
    return np.stack([table[colors[..., c], c] for c in range(3)], axis=2)


def _balance(sample: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what each channel is multiplied with, at most a third more or less.

    Shades of grey (Finlayson and Trezzi 2004): the sixth-power means of the channels become equal.
    """
    usable = sample[(sample.max(axis=1) < 250) & (sample.max(axis=1) > 5)]
    if len(usable) < 16:
        return np.ones(3)
    light = np.power(np.mean(usable**6, axis=0), 1 / 6)
    return np.asarray(np.clip(light.mean() / np.maximum(light, 1), 0.75, 1.33))


def _lifted(levels: NDArray[np.float64], median: float) -> NDArray[np.float64]:
    """Bend the levels so that a dark or pale picture's middle comes halfway to a medium grey."""
    wanted = median + 0.5 * (0.45 - median)
    gamma = np.clip(np.log(wanted) / np.log(np.clip(median, 0.02, 0.98)), 0.5, 1.6)
    return np.asarray(np.clip(levels, 0, 1) ** gamma)


def _local_contrast(colors: _Colors, strength: float) -> _Colors:
    """Equalise lightness within an eighth of the picture, with bounded contrast (CLAHE)."""
    import cv2

    if min(colors.shape[:2]) < 16:
        return colors
    lab = cv2.cvtColor(colors, cv2.COLOR_RGB2LAB)
    light = np.ascontiguousarray(lab[..., 0])
    equal = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(light)
    lab[..., 0] = cv2.addWeighted(equal, 0.5 * strength, light, 1 - 0.5 * strength, 0)
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)
