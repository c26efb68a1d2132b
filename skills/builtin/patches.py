"""Patches of a picture that resemble patches in and around its hole, found by PatchMatch.

Patches are compared along the principal axes in which those of the picture differ, which takes a
sixth of the numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .areas import Mask

Floats = NDArray[np.float32]
Places = NDArray[np.int64]  # (..., 2): row, column

REACH = 3  # of a patch, to each side of its middle
_NUMBERS = 3 * (2 * REACH + 1) ** 2  # in a patch
_SAMPLE = 2000  # patches that say along which axes patches differ
_AXES = 24  # principal ones, along which they are compared
_NEARBY = 2500  # squared grey levels that a patch at the other end of the picture must be better


class PatchSearch:
    """One level of the search: which patch outside the hole resembles each patch in and near it."""

    def __init__(self, scene: Floats, hole: Mask, draw: np.random.Generator) -> None:
        import cv2

        self._scene, self._hole, self._draw = scene, hole, draw
        self._axes: Floats | None = None
        self._height, self._width = hole.shape
        square = np.ones((2 * REACH + 1,) * 2, np.uint8)
        near = cv2.dilate(hole.astype(np.uint8), square, borderValue=0) > 0
        inside = np.zeros_like(hole)
        inside[REACH:-REACH, REACH:-REACH] = True
        self._usable = ~near & inside
        self._sources = np.argwhere(self._usable)
        self._targets = np.argwhere(near)
        self.possible = len(self._sources) > 0
        rim = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, 3)
        self._trust = np.asarray(
            1.3 ** -np.asarray(rim), np.float32
        )  # what lies near the rim is surer

    def started(self, coarse: Places | None) -> Places:
        """Return an origin for every pixel: twice the coarser level's, else drawn."""
        size = (self._height, self._width)
        origin = self._sources[self._draw.integers(len(self._sources), size=size)]
        if coarse is None:
            return origin
        rows = np.minimum(np.arange(self._height) // 2, coarse.shape[0] - 1)
        columns = np.minimum(np.arange(self._width) // 2, coarse.shape[1] - 1)
        finer = 2 * coarse[np.ix_(rows, columns)]
        finer += np.indices(size).transpose(1, 2, 0) % 2
        return np.where(self._allowed(finer)[..., None], finer, origin)

    def improved(self, origin: Places) -> tuple[Places, Floats]:
        """Return better origins, and how far (height, width) each patch is from its origin."""
        patches = self._patches()
        y, x = self._targets.T
        here = patches[y * self._width + x]  # (target, axis)
        best = origin[y, x]
        cost = self._cost(patches, here, best, self._targets)
        for stride in (4, 2, 1, 1):
            for step in stride * np.array([(0, 1), (1, 0), (0, -1), (-1, 0)]):
                origin[y, x] = best
                from_y = np.clip(y - step[0], 0, self._height - 1)
                from_x = np.clip(x - step[1], 0, self._width - 1)
                self._better(patches, here, best, cost, origin[from_y, from_x] + step)
        radius = max(self._height, self._width)
        while radius >= 1:
            moved = best + self._draw.integers(-radius, radius + 1, size=best.shape)
            self._better(patches, here, best, cost, moved)
            radius //= 3
        origin[y, x] = best
        distance = np.zeros((self._height, self._width), np.float32)
        distance[y, x] = cost
        return origin, distance

    def voted(self, origin: Places, distance: Floats, reach: int = REACH) -> Floats:
        """Return the scene with each pixel of the hole as the patches over it have it.

        Args:
            origin: Where the patch that resembles each pixel's lies (height, width, 2).
            distance: How little it resembles it (height, width).
            reach: How far from its middle a patch has a vote; the less, the sharper.
        """
        y, x = self._targets.T
        typical = float(np.percentile(distance[y, x], 75)) + 1e-3
        wide = self._width + 2 * reach  # with a frame, where nobody votes
        weight = np.zeros((self._height + 2 * reach, wide), np.float32)
        weight[y + reach, x + reach] = np.exp(-distance[y, x] / (2 * typical)) * self._trust[y, x]
        source = np.zeros(weight.shape, np.int64)
        source[y + reach, x + reach] = origin[y, x] @ (self._width, 1)
        colors, weight, source = self._scene.reshape(-1, 3), weight.ravel(), source.ravel()
        at = np.flatnonzero(self._hole)
        middle = (at // self._width + reach) * wide + at % self._width + reach
        total = np.zeros((len(at), 3), np.float32)
        votes = np.zeros((len(at), 1), np.float32)
        for down in range(-reach, reach + 1):
            for right in range(-reach, reach + 1):
                voter = middle - (down * wide + right)
                share = weight.take(voter)[:, None]
                place = source.take(voter) + down * self._width + right
                total += colors.take(place, axis=0, mode="clip") * share
                votes += share
        painted = votes[:, 0] > 0
        result = self._scene.copy()
        result.reshape(-1, 3)[at[painted]] = total[painted] / votes[painted]
        self._scene = result
        return result

    def _patches(self) -> Floats:
        """Return (pixel, axis): each pixel's neighbourhood, along the axes where these differ."""
        wide = np.pad(self._scene, ((REACH,) * 2, (REACH,) * 2, (0, 0)), mode="edge")
        side = 2 * REACH + 1
        windows = np.lib.stride_tricks.sliding_window_view(wide, (side, side), axis=(0, 1))
        rows = np.ascontiguousarray(windows).reshape(self._height * self._width, -1)
        if self._axes is None:
            some = rows[:: max(1, len(rows) // _SAMPLE)]
            some = some - some.mean(0)
            self._axes = np.linalg.eigh(some.T @ some).eigenvectors[:, -_AXES:]
        return np.asarray(rows @ self._axes, np.float32)

    def _better(
        self, patches: Floats, here: Floats, best: Places, cost: Floats, moved: Places
    ) -> None:
        """Take other origins (target, 2) where these are better, and what they cost."""
        tried = np.flatnonzero(self._allowed(moved) & (moved != best).any(1))
        new = self._cost(patches, here[tried], moved[tried], self._targets[tried])
        better = new < cost[tried]
        wins = tried[better]
        best[wins], cost[wins] = moved[wins], new[better]

    def _allowed(self, places: Places) -> NDArray[np.bool_]:
        y, x = places[..., 0], places[..., 1]
        fits = (y >= 0) & (y < self._height) & (x >= 0) & (x < self._width)
        return np.asarray(fits & self._usable[np.where(fits, y, 0), np.where(fits, x, 0)])

    def _cost(self, patches: Floats, here: Floats, places: Places, targets: Places) -> Floats:
        """Return how little each patch resembles the one at its place; far ones count for less."""
        gap = here - patches.take(places @ (self._width, 1), axis=0)
        apart = np.einsum("na,na->n", gap, gap) / _NUMBERS
        far = ((places - targets) ** 2).sum(axis=1) / (self._height**2 + self._width**2)
        return np.asarray(apart + _NEARBY * far, np.float32)
