"""Filling a hole with pieces of its surroundings that fit together: image completion by patches.

Coarse to fine, every spot in and around the hole looks for the patch outside it that resembles it
most (PatchMatch, Barnes and others 2009), then the spots vote for the new colours (Wexler,
Shechtman and Irani 2007). At full size the grain is copied from the same places, so that the
filling is as sharp as what surrounds it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .areas import Mask, Pixels, Window, mixed
from .patches import Floats, PatchSearch, Places

_SIDE = 256  # pixels at which pieces are fitted together
_DEEP = 2  # pixels from the rim to the middle of the hole, where the search starts
_COARSEST = 16  # pixels
_CONTEXT = 0.5  # of the hole's length: what is farther away is another thing


def filled(pixels: Pixels, mask: Mask, window: Window) -> Pixels:
    """Return the pixels with what the mask covers, and its edge, painted anew."""
    import cv2

    height, width = mask.shape
    rim = max(2, round(0.03 * window.size))
    context = max(16, round(_CONTEXT * max(window.width, window.height))) + rim
    cut = (
        slice(max(0, window.top - context), min(height, window.bottom + context)),
        slice(max(0, window.left - context), min(width, window.right + context)),
    )
    old, hole = pixels[cut], _widened(mask[cut], rim)
    if hole.all():  # its edge took the last of it
        hole = mask[cut]
    new = _painted(old[..., :3], hole)
    soft = cv2.GaussianBlur(hole.astype(np.float32), (0, 0), max(0.7, rim / 3))
    result = pixels.copy()
    result[cut] = mixed(old, new, np.maximum(soft, hole).astype(np.float32))
    return result


def _widened(mask: Mask, by: int) -> Mask:
    import cv2

    far = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(far <= by)


def _painted(colors: NDArray[np.uint8], hole: Mask) -> NDArray[np.uint8]:
    """Fill the hole of (height, width, 3) at a bounded size, then bring the grain back."""
    height, width = hole.shape
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small, gap = _scaled(colors.astype(np.float32), hole, size)
    filling, origin = _completed(small, gap)
    wide = _resized(filling, (width, height))
    if scale < 1 and origin is not None:
        wide += _grain(colors, small, origin, hole)
    return np.asarray(np.clip(np.rint(wide), 0, 255), np.uint8)


def _completed(colors: Floats, gap: Mask) -> tuple[Floats, Places | None]:
    """Return the filled (height, width, 3), and the origin of each patch (height, width, 2)."""
    draw = np.random.default_rng(0)
    height, width = gap.shape
    guess = _flowing(colors, gap)
    origin: Places | None = None
    for level in range(_levels(gap), -1, -1):
        scene, hole = _scaled(colors, gap, (width >> level, height >> level))
        scene[hole] = _resized(guess, (width >> level, height >> level))[hole]
        search = PatchSearch(scene, hole, draw)
        if not search.possible or not hole.any():
            origin = None
            continue
        origin = search.started(origin)
        for _ in range(5 if level else 3):
            origin, distance = search.improved(origin)
            scene = search.voted(origin, distance)
        guess = scene if level else search.voted(origin, distance, reach=1)
    return _resized(guess, (width, height)), origin


def _levels(gap: Mask) -> int:
    """Return how often to halve the picture until the hole is no deeper than a patch."""
    import cv2

    framed = np.pad(gap.astype(np.uint8), 1)
    deepest = float(cv2.distanceTransform(framed, cv2.DIST_L2, 3).max())
    wanted = round(np.log2(max(deepest, _DEEP) / _DEEP))
    return min(int(wanted), max(0, int(np.log2(max(1, min(gap.shape)) / _COARSEST))))


def _flowing(colors: Floats, gap: Mask) -> Floats:
    """Return colours that flow into the hole from its rim, a start without edges."""
    import cv2

    known = (~gap).astype(np.float32)
    blank = colors * known[..., None]
    result, empty = blank.copy(), gap.copy()
    sigma = 2.0
    while empty.any() and sigma < 4 * max(gap.shape):
        weight = np.asarray(cv2.GaussianBlur(known, (0, 0), sigma))
        flow = np.asarray(cv2.GaussianBlur(blank, (0, 0), sigma))
        reached = empty & (weight >= 1e-3)
        result[reached] = flow[reached] / weight[reached][..., None]
        empty &= ~reached
        sigma *= 2
    return result


def _grain(colors: NDArray[np.uint8], small: Floats, origin: Places, hole: Mask) -> Floats:
    """Return for each full-size pixel what its low-resolution origin lacks of the original."""
    height, width = hole.shape
    rows, columns = origin.shape[:2]
    detail = np.asarray(colors - _resized(small, (width, height)), np.float32)
    detail[hole] = 0
    y, x = np.nonzero(hole)
    low_y = np.minimum(y * rows // height, rows - 1)
    low_x = np.minimum(x * columns // width, columns - 1)
    shift = origin[low_y, low_x] - np.stack([low_y, low_x], axis=1)  # (pixel, 2)
    from_y = np.clip(np.rint(y + shift[:, 0] * height / rows), 0, height - 1).astype(int)
    from_x = np.clip(np.rint(x + shift[:, 1] * width / columns), 0, width - 1).astype(int)
    grain = np.zeros_like(detail)
    grain[y, x] = detail[from_y, from_x]
    return grain


def _scaled(colors: Floats, gap: Mask, size: tuple[int, int]) -> tuple[Floats, Mask]:
    """Return a smaller copy and its hole; the colours in the hole do not bleed into the copy."""
    import cv2

    if size == gap.shape[::-1]:
        return colors.copy(), gap
    known = (~gap).astype(np.float32)
    share = np.asarray(cv2.resize(known, size, interpolation=cv2.INTER_AREA), np.float32)
    blank = cv2.resize(colors * known[..., None], size, interpolation=cv2.INTER_AREA)
    return np.asarray(blank / np.maximum(share, 1e-3)[..., None], np.float32), share < 0.5


def _resized(colors: Floats, size: tuple[int, int]) -> Floats:
    import cv2

    return np.asarray(cv2.resize(colors, size, interpolation=cv2.INTER_CUBIC), np.float32)
