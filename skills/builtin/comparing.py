"""Comparing two pictures pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from llava_plus.skills import Image, Table, skill
from llava_plus.skills.regions import coordinates
from llava_plus.skills.values import Cell

from .cutting import shrunk
from .likeness import ssim

Pixels = NDArray[np.uint8]  # (height, width, 3)

_SIDE = 2048  # pixels at which SSIM is taken of pictures of more than its square
_CHANGED = 25  # of 255 levels, a tenth: less may come from saving as JPEG
_ALIKE = 0.01  # of width by height: pictures of one shape differ by no more


@skill(examples=("are these two the same picture", "what changed between the two"))
def compare(image: Image, other: Image) -> Table:
    """Compare two pictures pixel by pixel: same size, identical, how different, where changed.

    Nothing is aligned: a picture moved by a few pixels differs nearly everywhere. Of two sizes of
    one shape the larger is scaled down first; pictures of different shapes are not compared
    further. "difference percent" is the mean over all pixels and channels, 100 from black to
    white; "similarity" is SSIM of the greys, 1 for equal, taken on copies of 2048 pixels where
    there are more than 4 megapixels; "changed percent" counts the pixels that differ by a tenth
    of the range or more in a channel, and "changed box" is the box around these, which crop and
    measure take as region. Transparent is taken as white; only "identical" compares it too.

    Args:
        image: One picture.
        other: The picture to compare it with.
    """
    sizes = {
        "same size": (image.width, image.height) == (other.width, other.height),
        "identical": image == other,
    }
    facts: dict[str, Cell] = {**sizes, **_differences(image, other)}
    return Table(("property", "value"), tuple(facts.items()))


def _differences(image: Image, other: Image) -> dict[str, Cell]:
    """Return what is measured where the pictures have one shape; unknown where they have not."""
    pair = _one_size(image.rgb(), other.rgb())
    if pair is None:
        sizes = f"{image.describe()} and {other.describe()}"
        missing = ("difference percent", "similarity", "changed percent", "changed box")
        unknown: dict[str, Cell] = dict.fromkeys(missing)
        return {"compared at": f"no size, {sizes} differ in shape", **unknown}
    one, two = pair
    height, width = one.shape[:2]
    steps = np.asarray(_largest_step(one, two))  # (height, width)
    changed = steps >= _CHANGED
    likeness = ssim(*_small_greys(one, two))
    return {
        "compared at": f"{width}x{height}",
        "difference percent": _rounded(100 * _mean_step(one, two) / 255),
        "similarity": None if likeness is None else round(likeness, 4),
        "changed percent": _rounded(100 * float(changed.mean())),
        "changed box": _box_around(changed),
    }


def _one_size(one: Pixels, two: Pixels) -> tuple[Pixels, Pixels] | None:
    """Scale the larger down to the smaller, or return None where their shapes differ."""
    import cv2

    if one.shape == two.shape:
        return one, two
    (high, wide), (height, width) = one.shape[:2], two.shape[:2]
    if abs(wide * height - width * high) > _ALIKE * max(wide * height, width * high):
        return None
    size = (min(wide, width), min(high, height))
    small, less = (cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in (one, two))
    return np.asarray(small, np.uint8), np.asarray(less, np.uint8)


def _largest_step(one: Pixels, two: Pixels) -> Pixels:
    """Return for each pixel how far the channels differ at most."""
    import cv2

    red, green, blue = cv2.split(cv2.absdiff(one, two))
    return np.asarray(cv2.max(cv2.max(red, green), blue), np.uint8)


def _mean_step(one: Pixels, two: Pixels) -> float:
    import cv2

    return float(cv2.norm(one, two, cv2.NORM_L1)) / one.size


def _small_greys(one: Pixels, two: Pixels) -> tuple[Pixels, Pixels]:
    """Return both as greys (height, width), of at most 2048 pixels a side if they are large."""
    import cv2

    side = _SIDE if one[..., 0].size > _SIDE**2 else max(one.shape)
    greys = [np.asarray(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), np.uint8) for p in (one, two)]
    return shrunk(greys[0], side), shrunk(greys[1], side)


def _box_around(changed: NDArray[np.bool_]) -> str:
    """Write the box around what changed as planners write boxes: [left, top, right, bottom]."""
    height, width = changed.shape
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    if not rows.size:
        return "none"
    left, right = columns[0] / width, (columns[-1] + 1) / width
    top, bottom = rows[0] / height, (rows[-1] + 1) / height
    outer = [math.floor(1000 * left), math.floor(1000 * top)]
    outer += [math.ceil(1000 * right), math.ceil(1000 * bottom)]
    return coordinates([number / 1000 for number in outer])


def _rounded(percent: float) -> float:
    return float(f"{percent:.3g}")
