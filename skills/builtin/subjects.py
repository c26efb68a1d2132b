"""Which thing a picture shows, when nobody says: what several guesses come to agree on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .areas import Mask
from .cutting import TINY, Colors, cut_out, enlarged, shrunk

_GUESSED = 240  # pixels of the longer side at which guesses are made
_SOLVED = 512  # pixels at which the outline is solved
_AGREED = 0.8  # intersection over union of any two guesses


def subject(rgb: Colors) -> Mask | None:
    """Return the thing that stands in the picture, or None where guesses do not agree on one.

    GrabCut starts from the middle, from the lower middle and from nearly all of the picture. Where
    a thing stands out, it ends at the same outline each time.
    """
    import cv2

    small = shrunk(rgb, _GUESSED)
    if min(small.shape[:2]) < 4 * TINY:
        return None
    guesses = [cut_out(small, likely=likely, possible=able) for likely, able in _starts(small)]
    if not all(guess.any() for guess in guesses) or _least_agreement(guesses) < _AGREED:
        return None
    middle = shrunk(rgb, _SOLVED)
    size = (middle.shape[1], middle.shape[0])
    start = cv2.resize(guesses[0].astype(np.uint8), size, interpolation=cv2.INTER_LINEAR)
    reach = max(2, round(0.05 * float(start.sum()) ** 0.5))
    square = np.ones((2 * reach + 1,) * 2, np.uint8)
    wide, sure = cv2.dilate(start, square), cv2.erode(start, square, borderValue=1)
    found = cut_out(middle, likely=start > 0, possible=wide > 0, sure=sure > 0)
    return enlarged(found, middle, rgb) if found.any() else None


def _starts(small: Colors) -> Iterator[tuple[Mask, Mask]]:
    """Yield where the thing may be, likely and at all; it may be cut off below only."""
    height, width = small.shape[:2]
    x = (np.arange(width)[None] + 0.5) / width
    y = (np.arange(height)[:, None] + 0.5) / height
    inside = (abs(x - 0.5) < 0.47) & (y > 0.03)
    yield _oval(x, y, 0.5, 0.35), inside
    yield _oval(x, y, 0.65, 0.5), inside
    yield (abs(x - 0.5) < 0.38) & (y > 0.08), (abs(x - 0.5) < 0.45) & (y > 0.05)


def _oval(x: NDArray[np.float64], y: NDArray[np.float64], middle: float, half: float) -> Mask:
    return np.asarray(((x - 0.5) / 0.3) ** 2 + ((y - middle) / half) ** 2 < 1)


def _least_agreement(guesses: list[Mask]) -> float:
    pairs = [(a, b) for i, a in enumerate(guesses) for b in guesses[:i]]
    return float(min((a & b).sum() / (a | b).sum() for a, b in pairs))
