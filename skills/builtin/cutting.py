"""Telling a thing from its background: GrabCut on a small copy, its edge refined on the large."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .areas import Mask

Colors = NDArray[np.uint8]  # (height, width, 3)

_ROUNDS = 5
TINY = 4  # pixels: nothing smaller has both a thing and a background
_LEAST = 0.02  # of what was possible: less is no thing but a leftover


def shrunk(rgb: Colors, side: int) -> Colors:
    """Return a copy whose longer side is at most so many pixels."""
    import cv2

    height, width = rgb.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) if scale < 1 else rgb
    return np.ascontiguousarray(small, np.uint8)


def cut_out(rgb: Colors, *, likely: Mask, possible: Mask, sure: Mask | None = None) -> Mask:
    """Return which pixels belong to the thing; where nothing can be told apart, none.

    Args:
        rgb: (height, width, 3), small.
        likely: Where the thing probably is.
        possible: Where it can be at all; the rest is background for certain.
        sure: Where it is for certain.
    """
    import cv2

    if min(rgb.shape[:2]) < TINY:
        return likely
    if possible.all():  # a thing that fills the picture: its rim may show the background
        likely = likely & _without_rim(likely)
    state = np.full(rgb.shape[:2], cv2.GC_BGD, np.uint8)
    state[possible] = cv2.GC_PR_BGD
    state[likely & possible] = cv2.GC_PR_FGD
    if sure is not None:
        state[sure] = cv2.GC_FGD
    front = np.isin(state, (cv2.GC_FGD, cv2.GC_PR_FGD))
    if not front.any() or front.all():
        return np.asarray(front)
    models = np.zeros((2, 1, 65))
    cv2.setRNGSeed(0)
    try:
        cv2.grabCut(rgb, state, (0, 0, 1, 1), models[0], models[1], _ROUNDS, cv2.GC_INIT_WITH_MASK)
    except cv2.error:  # fewer pixels than colours to tell apart
        return np.asarray(front)
    found = np.isin(state, (cv2.GC_FGD, cv2.GC_PR_FGD))
    found = _without_specks(found)
    return found if found.sum() >= _LEAST * likely.sum() else np.zeros_like(found)


def enlarged(mask: Mask, small: Colors, rgb: Colors) -> Mask:
    """Bring a mask to the size of the picture, its edge following the picture's own.

    Near the edge the mask is written as a linear function of the colours around (a guided filter,
    He, Sun and Tang 2010), solved on the small copy and applied to the large one.
    """
    import cv2

    height, width = rgb.shape[:2]
    if mask.shape == (height, width):
        return mask
    size = (width, height)
    guide = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    target = mask.astype(np.float32)
    reach = (5, 5)
    mean_i, mean_p = cv2.blur(guide, reach), cv2.blur(target, reach)
    variance = cv2.blur(guide * guide, reach) - mean_i * mean_i
    slope = (cv2.blur(guide * target, reach) - mean_i * mean_p) / (variance + 1e-3)
    shift = mean_p - slope * mean_i
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    slope_there, shift_there = (cv2.resize(cv2.blur(x, reach), size) for x in (slope, shift))
    large = slope_there * grey + shift_there
    square = np.ones((3, 3), np.uint8)
    shape = mask.astype(np.uint8)
    rim = np.asarray(cv2.morphologyEx(shape, cv2.MORPH_GRADIENT, square))
    smooth = cv2.resize(cv2.GaussianBlur(target, (0, 0), 0.8), size, interpolation=cv2.INTER_LINEAR)
    near = cv2.resize(rim, size, interpolation=cv2.INTER_NEAREST) > 0
    return np.asarray(np.where(near, 0.5 * (large + smooth), smooth) > 0.5)


def _without_rim(mask: Mask) -> Mask:
    rim = max(1, round(0.03 * min(mask.shape)))
    inner = np.zeros_like(mask)
    inner[rim:-rim, rim:-rim] = True
    return inner


def _without_specks(mask: Mask) -> Mask:
    """Leave out crumbs and fill pinholes, each under a fiftieth of the thing."""
    import cv2

    least = 0.02 * mask.sum()
    for value in (True, False):
        count, labels, stats, _ = cv2.connectedComponentsWithStats((mask == value).astype(np.uint8))
        small = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] < least]
        mask = np.where(np.isin(labels, small), not value, mask)
    return np.asarray(mask, bool)
