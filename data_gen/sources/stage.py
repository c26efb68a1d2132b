"""Laying flat layers on a ground, taking the picture, and knowing exactly what it shows.

Everything is drawn at twice the size. A pixel of the picture shows a thing where the thing has more
than half of its four parts; what is hidden follows from areas before and after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from llava_plus.skills import Image, Table
from llava_plus.skills.regions import Polygon
from llava_plus.skills.rle import encode

from .geometry import Corners, Matrix, areas_of, around, by_middles, hidden_share, moved, rectangle
from .item import Chart, Thing, Truth, Writing
from .relations import Silhouette, Window, relations_of

FINE = 2  # parts of a pixel on a side while drawing
MARGIN = 0.12  # of the picture's sides that is drawn beyond its edge, for what the edge cuts
_LEAST_SEEN = 0.4  # of a thing: no later layer may hide more
_SOFT, _CAST = 12 * FINE, 5 * FINE  # fine pixels: how far a shadow fades, and how far it falls
_UNSEEN = 0.98  # hidden: such a line is not in the picture

Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Something on a layer that can be read."""

    text: str
    corners: Corners
    format: str = ""  # of a code


@dataclass(frozen=True, kw_only=True)
class Figures:
    """A chart or a list of numbers on a layer."""

    kind: str
    title: str
    corners: Corners
    table: Table


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A flat thing: its pixels, its name and what is written on it.

    ``pixels`` are (height, width, 4), color times alpha and alpha, in 0..1.
    """

    pixels: Floats
    label: str
    color: str = ""
    attributes: tuple[str, ...] = ()
    lines: tuple[Mark, ...] = ()
    codes: tuple[Mark, ...] = ()
    figures: tuple[Figures, ...] = ()
    shadow: float = 0.35

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in fine pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def corners(self) -> Corners:
        return rectangle(0, 0, *self.size)


@dataclass(kw_only=True)
class _Placed:
    layer: Layer
    matrix: Matrix
    whole: Silhouette
    seen: int  # fine pixels of it that no later layer hides


@dataclass(kw_only=True)
class Stage:
    """A canvas a little larger than the picture, at twice its size.

    Args:
        canvas: (height, width, 3) in 0..1: the ground to begin with.
        owner: (height, width): which layer shows, 0 is the ground.
    """

    width: int
    height: int
    canvas: Floats
    owner: NDArray[np.uint8] = field(init=False)
    placed: list[_Placed] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.owner = np.zeros(self.canvas.shape[:2], np.uint8)

    def place(self, layer: Layer, matrix: Matrix, *, least_inside: float = 0.6) -> bool:
        """Lay a layer on top, unless it would hide too much or lie too far outside.

        Args:
            layer: What to lay.
            matrix: From the layer's pixels to those of the canvas.
            least_inside: The share of it that must lie in the picture.
        """
        window = _reached(layer, matrix, self.owner.shape)
        pixels = _warped(layer.pixels, matrix, window)
        whole = Silhouette(window=window, mask=pixels[..., 3] >= 0.5)
        covered = np.bincount(self.owner[window][whole.mask], minlength=len(self.placed) + 1)
        if not self._inside(whole, least_inside) or not self._bearable(covered[1:].tolist()):
            return False
        for hidden, one in zip(covered[1:].tolist(), self.placed, strict=True):
            one.seen -= hidden
        if layer.shadow:
            self._shade(pixels[..., 3], window, layer.shadow)
        self.canvas[window] *= 1 - pixels[..., 3:]
        self.canvas[window] += pixels[..., :3]
        self.placed.append(_Placed(layer=layer, matrix=matrix, whole=whole, seen=whole.count()))
        self.owner[window][whole.mask] = len(self.placed)
        return True

    def taken(self, camera: Matrix) -> tuple[Floats, Truth]:
        """Take the picture and say what it shows.

        Args:
            camera: From pixels of the canvas to fine pixels of the picture.
        """
        import cv2

        size = (self.width * FINE, self.height * FINE)
        way = by_middles(camera)
        fine = cv2.warpPerspective(self.canvas, way, size, borderMode=cv2.BORDER_REFLECT)
        owner = cv2.warpPerspective(self.owner, way, size, flags=cv2.INTER_NEAREST)
        pixels = cv2.resize(fine, (self.width, self.height), interpolation=cv2.INTER_AREA)
        return np.asarray(pixels, np.float32), self._truth(np.asarray(owner, np.uint8), camera)

    def _inside(self, whole: Silhouette, least: float) -> bool:
        """Whether at least a share of a layer lies in the picture, not on the margin."""
        edges = (round(side * MARGIN) * FINE for side in (self.height, self.width))
        cut = tuple(
            slice(max(edge - part.start, 0), max(side - edge - part.start, 0))
            for edge, side, part in zip(edges, self.owner.shape, whole.window, strict=True)
        )
        count = whole.count()
        return count > 0 and int(whole.mask[cut].sum()) >= least * count

    def _bearable(self, covered: Sequence[int]) -> bool:
        """Whether enough can still be seen of each layer of which so much is covered."""
        return all(
            not hidden or one.seen - hidden >= _LEAST_SEEN * one.whole.count()
            for hidden, one in zip(covered, self.placed, strict=True)
        )

    def _shade(self, alpha: Floats, window: Window, strength: float) -> None:
        """Darken what lies below and to the right of a layer."""
        import cv2

        shadow = cv2.GaussianBlur(np.pad(alpha, _SOFT), (0, 0), _SOFT / 3)
        top, left = (edge.start - _SOFT + _CAST for edge in window)
        bottom = min(top + shadow.shape[0], self.owner.shape[0])
        right = min(left + shadow.shape[1], self.owner.shape[1])
        cut = (slice(max(top, 0), bottom), slice(max(left, 0), right))
        if bottom > cut[0].start and right > cut[1].start:
            part = shadow[cut[0].start - top : bottom - top, cut[1].start - left : right - left]
            self.canvas[cut] *= 1 - strength * part[..., None]

    def _truth(self, owner: NDArray[np.uint8], camera: Matrix) -> Truth:
        things: list[Thing] = []
        wholes: list[Silhouette] = []
        lines: list[Writing] = []
        codes: list[Writing] = []
        charts: list[Chart] = []
        for number, placed in enumerate(self.placed, 1):
            seen = owner == number
            mask = _halved(seen)
            if not mask.any():
                continue
            area = float(areas_of(camera, placed.whole.window)[placed.whole.mask].sum())
            things.append(_thing(placed.layer, mask, float(seen.sum()), area))
            wholes.append(placed.whole)
            way = camera @ placed.matrix
            lines += self._writings(placed.layer.lines, way, seen)
            codes += self._writings(placed.layer.codes, way, seen)
            for figures in placed.layer.figures:
                box = around(self._polygon(figures.corners, way))
                charts.append(
                    Chart(kind=figures.kind, title=figures.title, box=box, table=figures.table)
                )
        return Truth(
            things=tuple(things),
            relations=relations_of(things, wholes),
            lines=tuple(lines),
            codes=tuple(codes),
            charts=tuple(charts),
            complete=frozenset({"things", "faces", "lines", "codes"}),
        )

    def _writings(
        self, marks: Sequence[Mark], way: Matrix, seen: NDArray[np.bool_]
    ) -> list[Writing]:
        found = []
        for mark in marks:
            hidden = hidden_share(moved(mark.corners, way), seen)
            if hidden < _UNSEEN:
                polygon = self._polygon(mark.corners, way)
                hidden = round(hidden, 4)
                found.append(
                    Writing(text=mark.text, polygon=polygon, format=mark.format, hidden=hidden)
                )
        return found

    def _polygon(self, corners: Corners, way: Matrix) -> Polygon:
        places = moved(corners, way) / (self.width * FINE, self.height * FINE)
        return tuple((round(float(x), 5), round(float(y), 5)) for x, y in np.clip(places, 0, 1))


def _reached(layer: Layer, matrix: Matrix, shape: tuple[int, ...]) -> Window:
    """Return the rows and columns of the canvas that a layer can reach; none where none."""
    ends = moved(layer.corners(), matrix)
    low = np.clip(np.floor(ends.min(axis=0)).astype(int) - 1, 0, (shape[1], shape[0]))
    high = np.clip(np.ceil(ends.max(axis=0)).astype(int) + 1, low, (shape[1], shape[0]))
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def _warped(pixels: Floats, matrix: Matrix, window: Window) -> Floats:
    """Return what a layer shows in a window of the canvas."""
    import cv2

    rows, columns = window
    size = (columns.stop - columns.start, rows.stop - rows.start)
    if not all(size):
        return np.zeros((size[1], size[0], 4), np.float32)
    shift = np.array([[1, 0, -columns.start], [0, 1, -rows.start], [0, 0, 1]], np.float64)
    part = cv2.warpPerspective(pixels, by_middles(shift @ matrix), size)
    return np.asarray(part, np.float32)


def _halved(fine: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels of which more than half of the four parts are set."""
    height, width = fine.shape
    parts = fine.reshape(height // FINE, FINE, width // FINE, FINE)
    most: NDArray[np.bool_] = parts.sum(axis=(1, 3)) * 2 > FINE * FINE
    return most


def _thing(layer: Layer, mask: NDArray[np.bool_], seen: float, area: float) -> Thing:
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    left, right = columns[0] / width, (columns[-1] + 1) / width
    top, bottom = rows[0] / height, (rows[-1] + 1) / height
    return Thing(
        label=layer.label,
        box=(float(left), float(top), float(right), float(bottom)),
        mask=encode(mask),
        hidden=round(min(max(1 - seen / area, 0.0), 1.0), 3),
        color=layer.color,
        attributes=layer.attributes,
    )


def picture_of(pixels: Floats) -> Image:
    """Return (height, width, 3) in 0..1 as a picture."""
    return Image(np.clip(pixels * 255 + 0.5, 0, 255).astype(np.uint8))
