"""From a clicked point to the thing under it: many guesses at its extent, the best edged one wins.

Guesses are the connected areas around the point in the picture smoothed more and less: what has
nearly the point's colour, for many meanings of "nearly"; what falls into one class with it when
colours are parted into few; what is on its side of a threshold. A guess is the better the more of
its edge lies on edges of the picture.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .areas import Mask
from .cutting import TINY, Colors, cut_out, shrunk

Place = tuple[int, int]  # row, column
Floats = NDArray[np.float32]

_SIDE = 320  # pixels at which guesses are made
_TOLERANCES = (3, 5, 7, 10, 13, 17, 22, 28, 35, 45, 58)
_CLASSES = (2, 3, 4, 6)


def thing_at(rgb: Colors, on: list[Place], off: list[Place]) -> Mask:
    """Return the thing under the points: for each the guess whose edge fits best, put together."""
    import cv2

    full = rgb.shape[:2]
    if min(full) < TINY:
        return np.ones(full, bool)
    rgb = shrunk(rgb, _SIDE)
    height, width = rgb.shape[:2]
    strength = edges(rgb)
    avoid = [(y * height // full[0], x * width // full[1]) for y, x in off]
    best = np.zeros((height, width), bool)
    for y, x in on:
        best |= _best_guess(rgb, (y * height // full[0], x * width // full[1]), avoid, strength)
    large = cv2.resize(best.astype(np.float32), full[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(large >= 0.5)


def settled(rgb: Colors, start: Mask, on: list[Place], off: list[Place]) -> Mask:
    """Return the outline that GrabCut finds around a first guess, if it stays near it."""
    import cv2

    start = start.copy()
    reach = max(2, round(0.08 * float(start.sum()) ** 0.5))
    square = np.ones((2 * reach + 1,) * 2, np.uint8)
    wide = cv2.dilate(start.astype(np.uint8), square) > 0
    sure = cv2.erode(start.astype(np.uint8), square, borderValue=1) > 0
    for place in off:
        wide &= ~_beyond(start, place, on, reach)
    for place in on:
        start[place] = wide[place] = sure[place] = True
    found = cut_out(rgb, likely=start & wide, possible=wide, sure=sure & wide)
    found = _holding(found, on)
    alike = (found & start).sum() / max(1, (found | start).sum())
    return found if alike > 0.6 else start & wide


def _beyond(shape: Mask, off: Place, on: list[Place], reach: int) -> Mask:
    """Return what is out because of a negative point: its spot, or its side of a divided thing."""
    away = _distance(shape.shape, [off])
    near = _distance(shape.shape, on)
    side = (away < near) & ~shape
    return np.asarray((away <= reach) | (side & (away < near - reach)))


def _best_guess(rgb: Colors, at: Place, off: list[Place], strength: Floats) -> Mask:
    best, most = np.zeros(rgb.shape[:2], bool), -np.inf
    best[at] = True
    for guess in _guesses(rgb, [at]):
        shape = _rounded(guess, [at])
        if off and any(shape[place] for place in off):
            nearer = _distance(shape.shape, [at]) < _distance(shape.shape, off)
            shape = _holding(shape & nearer, [at])
        value = worth(shape, strength)
        if shape[at] and value > most:
            best, most = shape, value
    return best


def _distance(size: tuple[int, ...], places: list[Place]) -> Floats:
    import cv2

    canvas = np.ones(size, np.uint8)
    for place in places:
        canvas[place] = 0
    return np.asarray(cv2.distanceTransform(canvas, cv2.DIST_L2, 5), np.float32)


def _guesses(rgb: Colors, on: list[Place]) -> Iterator[Mask]:
    import cv2

    for spread in (0, 12, 25):
        smooth = cv2.pyrMeanShiftFiltering(rgb, 8, spread, maxLevel=2) if spread else rgb
        lab = cv2.cvtColor(smooth, cv2.COLOR_RGB2LAB)
        for tolerance in _TOLERANCES:
            yield _flooded(np.asarray(lab), on, tolerance)
    soft = cv2.cvtColor(cv2.GaussianBlur(rgb, (0, 0), 2), cv2.COLOR_RGB2LAB)
    colors = soft.reshape(-1, 3).astype(np.float32)
    for classes in _CLASSES:
        cv2.setRNGSeed(0)
        stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 1.0)
        few = min(classes, len(colors))
        _, labels, _ = cv2.kmeans(colors, few, None, stop, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
        parted = labels.reshape(soft.shape[:2])
        yield _holding(np.isin(parted, [parted[place] for place in on]), on)
    for channel in cv2.split(soft):
        for side in (15, 61, 151):
            local = cv2.blur(channel, (side, side))
            above = np.asarray(channel > local)
            yield _holding(above == above[on[0]], on)


def _flooded(lab: Colors, on: list[Place], tolerance: int) -> Mask:
    import cv2

    near = (1.5 * tolerance, tolerance, tolerance)  # light varies more over a thing than colour
    canvas = np.zeros((lab.shape[0] + 2, lab.shape[1] + 2), np.uint8)
    how = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (1 << 8)
    for row, column in on:
        canvas[row + 1, column + 1] = 0
        cv2.floodFill(lab.copy(), canvas, (column, row), 0, near, near, how)
    return canvas[1:-1, 1:-1] > 0


def _rounded(guess: Mask, on: list[Place]) -> Mask:
    """Close gaps, fill holes and cut thin bridges to other things."""
    import cv2

    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    closed = cv2.morphologyEx(guess.astype(np.uint8), cv2.MORPH_CLOSE, disc)
    shape = _filled(np.asarray(closed) > 0)
    opened = _opened(shape, 0.075 * float(shape.sum()) ** 0.5)
    return _holding(opened, on) if all(opened[place] for place in on) else shape


def _opened(shape: Mask, reach: float) -> Mask:
    """Leave out what a disc of this radius does not fit into."""
    import cv2

    inner = cv2.distanceTransform(shape.astype(np.uint8), cv2.DIST_L2, 5) > reach
    far = cv2.distanceTransform((~inner).astype(np.uint8), cv2.DIST_L2, 5)
    return np.asarray(shape & (far <= reach))


def _filled(shape: Mask) -> Mask:
    """Fill holes that do not touch the border of the picture."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats(
        (~shape).astype(np.uint8), connectivity=4
    )
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    large = [i for i in range(1, count) if stats[i, cv2.CC_STAT_AREA] > 0.5 * shape.sum()]
    holes = np.isin(labels, np.union1d(border, [0, *large]), invert=True)
    return np.asarray(shape | holes)


def _holding(shape: Mask, on: list[Place]) -> Mask:
    """Return the connected areas that hold the points."""
    import cv2

    _, labels = cv2.connectedComponents(shape.astype(np.uint8), connectivity=4)
    held = [labels[place] for place in on if shape[place]]
    return np.asarray(np.isin(labels, held))


def edges(rgb: Colors) -> Floats:
    """Return how strong an edge each pixel is on, 1 for the strongest twentieth."""
    import cv2

    lab = cv2.cvtColor(cv2.GaussianBlur(rgb, (0, 0), 1.2), cv2.COLOR_RGB2LAB).astype(np.float32)
    steps = [cv2.Sobel(lab, cv2.CV_32F, *way) for way in ((1, 0), (0, 1))]
    strength = np.sqrt(sum((step * step).sum(axis=2) for step in steps))
    strength /= max(8.0, float(np.percentile(strength, 95)))
    wide = cv2.dilate(np.minimum(strength, 1).astype(np.float32), np.ones((3, 3), np.uint8))
    return np.asarray(wide, np.float32)


def worth(shape: Mask, strength: Floats) -> float:
    """Say how much of the outline lies on edges, a little more for larger and rounder shapes."""
    import cv2

    size = float(shape.sum())
    outlines, _ = cv2.findContours(shape.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines or size < 9:
        return -np.inf
    x, y = np.concatenate(outlines)[:, 0].T
    height, width = shape.shape
    free = (x > 0) & (y > 0) & (x < width - 1) & (y < height - 1)
    if free.sum() < 8:
        return -1.0
    on_edge = float(strength[y[free], x[free]].mean())
    round_ = min(1.0, 4 * np.pi * size / max(1.0, float(len(x))) ** 2)
    at_border = 1 - free.mean()
    share = size / shape.size
    return float(
        on_edge
        + 0.25 * round_
        + 0.1 * np.log10(share * 1e4 + 1) / 4
        - 0.4 * at_border
        - max(0.0, share - 0.5)
    )
