"""Setting a leaning picture upright: straighten."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import SkillError
from llava_plus.skills import Image, skill

from .areas import Pixels, edited
from .cutting import shrunk

_Floats = NDArray[np.float64]

_SIDE = 800  # pixels of the longer side at which the tilt is looked for
_MOST = 15.0  # degrees to either side
_WIDEST = 18.0  # degrees: segments that lean this far still vote, to tell 15 from 17
_STEP = 0.1  # degrees
_GRID = np.arange(-_WIDEST, _WIDEST + _STEP / 2, _STEP)  # the tilts that are tried
_SPREAD = 0.3  # degrees by which segments of one tilt differ
_SHORTEST = 0.02  # of the longer side: shorter segments are texture
# What share of all votes must lie within a degree of the tilt, and how long their segments must be
# together, in longer sides: many lines among others, or one horizon nearly alone.
_SURE = ((0.17, 1.15), (0.5, 0.5))
_LEVEL = 0.25  # degrees: less is no tilt that anybody sees
_ROWS = 4.0  # times as uneven as at most angles: so much the rows of text are at theirs


@skill(examples=("straighten the horizon", "the scan is crooked, set it straight"))
def straighten(image: Image) -> Image:
    """Set a leaning picture upright by its horizon, its edges or its lines of text.

    Finds a tilt of up to 15 degrees, turns the picture back and cuts it to the largest upright
    rectangle. Says so where nothing in the picture tells how it leans, or where it is level.

    Args:
        image: The picture to set upright.
    """
    tilt = tilt_of(image.rgb())
    if tilt is None:
        raise SkillError(
            "straighten: no tilt found, no horizon, straight edges or lines of text say how the "
            "picture leans. It is left as it is; to turn it by eye use rotate with degrees."
        )
    if abs(tilt) < _LEVEL:
        raise SkillError(f"straighten: nothing to do, the picture is level to {_LEVEL} degrees.")
    return edited(image, upright(image.pixels, -tilt))


def tilt_of(rgb: NDArray[np.uint8]) -> float | None:
    """Return by how many degrees a picture leans clockwise, or None where nothing tells."""
    import cv2

    grey = np.asarray(cv2.cvtColor(shrunk(rgb, _SIDE), cv2.COLOR_RGB2GRAY), np.uint8)
    tilt = _tilt_of_lines(grey)
    if tilt is None:
        tilt = _tilt_of_rows(grey)
    return tilt if tilt is not None and abs(tilt) <= _MOST else None


def _tilt_of_lines(grey: NDArray[np.uint8]) -> float | None:
    """Return the tilt on which most straight segments agree, if enough do.

    Segments (LSD, Grompone von Gioi et al. 2012) that are nearly level or upright vote with their
    length.
    """
    angles, lengths = _segments(grey)
    votes = lengths**1.5
    if not len(angles):
        return None
    edges = np.append(_GRID, _WIDEST + _STEP) - _STEP / 2
    counted, _ = np.histogram(angles, bins=edges, weights=votes)
    bell = np.exp(-0.5 * (np.arange(-1, 1 + _STEP / 2, _STEP) / _SPREAD) ** 2)
    tilt = float(_GRID[np.convolve(counted, bell, mode="same").argmax()])
    agree = np.abs(angles - tilt) < 1
    share, length = votes[agree].sum() / votes.sum(), lengths[agree].sum()
    return tilt if any(share > part and length > least for part, least in _SURE) else None


def _tilt_of_rows(grey: NDArray[np.uint8]) -> float | None:
    """Return the angle at which edges fall into rows, as the lines of a text do.

    Counted along the right angle the rows are full and the gaps between them empty (projection
    profiles, Postl 1986).
    """
    import cv2

    steep = np.abs(np.asarray(cv2.Sobel(grey, cv2.CV_32F, 0, 1)))
    y, x = np.nonzero(steep > max(40.0, float(np.percentile(steep, 90))))
    if len(y) < 200:
        return None
    uneven = []
    for angle in np.radians(_GRID):
        rows = np.rint(y * np.cos(angle) - x * np.sin(angle)).astype(np.int64)
        full = np.bincount(rows - rows.min()).astype(np.float64)
        uneven.append(float((np.diff(full) ** 2).sum()))
    best = int(np.argmax(uneven))
    return float(_GRID[best]) if uneven[best] > _ROWS * float(np.median(uneven)) else None


def _segments(grey: NDArray[np.uint8]) -> tuple[_Floats, _Floats]:
    """Return degrees off level or upright, and lengths as shares of the longer side.

    Upright segments, which may lean by perspective alone, are taken for a little shorter.
    """
    import cv2

    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_STD).detect(grey)[0]
    if found is None:
        return np.zeros(0), np.zeros(0)
    x0, y0, x1, y1 = found.reshape(-1, 4).T.astype(np.float64)
    lengths = np.hypot(x1 - x0, y1 - y0) / max(grey.shape)
    angles = np.degrees(np.arctan2(y1 - y0, x1 - x0))
    off = (angles + 45) % 90 - 45
    lengths *= np.where(np.abs((angles + 90) % 180 - 90) > 45, 0.8, 1.0)
    kept = (lengths > _SHORTEST) & (np.abs(off) < _WIDEST)
    return off[kept], lengths[kept]


def upright(pixels: Pixels, degrees: float) -> Pixels:
    """Turn clockwise and cut to the largest upright rectangle that is all picture."""
    import cv2

    height, width = pixels.shape[:2]
    wide, high = _inner(width, height, math.radians(abs(degrees)))
    middle = ((width - 1) / 2, (height - 1) / 2)
    turn = cv2.getRotationMatrix2D(middle, -degrees, 1.0)
    turn[:, 2] += (wide - 1) / 2 - middle[0], (high - 1) / 2 - middle[1]
    how, rim = cv2.INTER_CUBIC, cv2.BORDER_REPLICATE
    turned = cv2.warpAffine(pixels, turn, (wide, high), flags=how, borderMode=rim)
    return np.asarray(turned, np.uint8)


def _inner(width: int, height: int, angle: float) -> tuple[int, int]:
    """Return the size of the largest upright rectangle in a turned one, angle below 45 degrees.

    Either two corners touch the longer sides only, or all four sides are touched; both follow
    from setting the corners of the inner rectangle onto the sides of the outer one.
    """
    sin, cos = math.sin(angle), math.cos(angle)
    longer, shorter = max(width, height), min(width, height)
    if shorter <= 2 * sin * cos * longer:
        half = 0.5 * shorter
        wide, high = (half / sin, half / cos) if width >= height else (half / cos, half / sin)
    else:
        double = cos * cos - sin * sin
        wide, high = (width * cos - height * sin) / double, (height * cos - width * sin) / double
    return max(1, math.floor(wide)), max(1, math.floor(high))
