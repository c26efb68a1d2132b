"""Outlines of the things that scenes are made of, in a unit square with y downwards.

A part is a polygon and the role of its colour: "main" is the colour that the thing is named by,
"hole" cuts through, the others are fixed or follow the main colour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Outline = NDArray[np.float64]  # (corner, 2) in 0..1
Part = tuple[str, Outline]


def corners(*places: float) -> Outline:
    """Return a polygon whose corners are given as x, y, x, y and so on."""
    return np.array(places, np.float64).reshape(-1, 2)


def oval(x: float, y: float, wide: float, high: float, turn: float = 0.0) -> Outline:
    """Return an ellipse about a middle, with its two radii, turned by degrees."""
    angles = np.linspace(0, 2 * math.pi, 64, endpoint=False)
    across, down = wide * np.cos(angles), high * np.sin(angles)
    sine, cosine = math.sin(math.radians(turn)), math.cos(math.radians(turn))
    return np.column_stack([x + across * cosine - down * sine, y + across * sine + down * cosine])


def box(left: float, top: float, right: float, bottom: float, round_: float = 0.0) -> Outline:
    """Return a rectangle, with rounded corners where a radius is given."""
    if not round_:
        return corners(left, top, right, top, right, bottom, left, bottom)
    pieces = []
    for x, y, start in (
        (right - round_, top + round_, -90),
        (right - round_, bottom - round_, 0),
        (left + round_, bottom - round_, 90),
        (left + round_, top + round_, 180),
    ):
        angles = np.radians(np.linspace(start, start + 90, 9))
        pieces.append(np.column_stack([x + round_ * np.cos(angles), y + round_ * np.sin(angles)]))
    return np.concatenate(pieces)


def regular(count: int, radius: float = 0.5, inner: float | None = None) -> Outline:
    """Return a regular polygon with a corner at the top, or a star with an inner radius."""
    radii = np.array([radius] * count if inner is None else [radius, inner] * count)
    angles = np.linspace(0, 2 * math.pi, len(radii), endpoint=False) - math.pi / 2
    across, down = radii * np.cos(angles), radii * np.sin(angles)
    return np.column_stack([0.5 + across, 0.5 + down])


def _heart() -> Outline:
    """The curve x = 16 sin^3 t, y = 13 cos t - 5 cos 2t - 2 cos 3t - cos 4t."""
    t = np.linspace(0, 2 * math.pi, 96, endpoint=False)
    x = 16 * np.sin(t) ** 3
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.column_stack([0.5 + x / 34, 0.46 - y / 34])


def _crescent() -> Outline:
    outer = oval(0.5, 0.5, 0.5, 0.5)
    angles = np.arctan2(outer[:, 1] - 0.5, outer[:, 0] - 0.5)
    outer = outer[np.argsort(angles % (2 * math.pi))]
    back = outer[(outer[:, 0] < 0.75)]
    inner = back[::-1].copy()
    inner[:, 0] = 0.75 - (0.75 - inner[:, 0]) * 0.5
    return np.concatenate([back, inner])


def _petals() -> list[Part]:
    turns = np.radians(np.arange(6) * 60)
    return [
        (
            "main",
            oval(0.5 + 0.25 * math.cos(t), 0.34 + 0.22 * math.sin(t), 0.16, 0.13, math.degrees(t)),
        )
        for t in turns
    ]


def _mirrored(outline: Outline) -> Outline:
    return np.column_stack([1 - outline[:, 0], outline[:, 1]])[::-1]


def _fan(count: int) -> list[Part]:
    """The segments of an open umbrella, light and dark by turns."""
    edges = np.linspace(0, math.pi, count + 1)
    parts: list[Part] = []
    for index, (start, end) in enumerate(pairwise(edges)):
        arc = np.linspace(start, end, 12)
        rim = np.column_stack([0.5 - 0.5 * np.cos(arc), 0.52 - 0.46 * np.sin(arc)])
        parts.append(("main" if index % 2 == 0 else "deep", np.vstack([rim, [(0.5, 0.5)]])))
    return parts


_WING = corners(0.5, 0.42, 0.72, 0.08, 0.98, 0.1, 0.96, 0.4, 0.78, 0.54, 0.92, 0.7, 0.8, 0.92,
                0.62, 0.86, 0.5, 0.6)  # fmt: skip

SHAPES: Mapping[str, Sequence[Part]] = {
    "circle": [("main", oval(0.5, 0.5, 0.5, 0.5))],
    "square": [("main", box(0.06, 0.06, 0.94, 0.94))],
    "triangle": [("main", corners(0.5, 0.04, 0.98, 0.92, 0.02, 0.92))],
    "star": [("main", regular(5, 0.5, 0.21))],
    "pentagon": [("main", regular(5))],
    "hexagon": [("main", regular(6))],
    "diamond": [("main", corners(0.5, 0.0, 0.86, 0.5, 0.5, 1.0, 0.14, 0.5))],
    "heart": [("main", _heart())],
    "cross": [("main", corners(0.34, 0, 0.66, 0, 0.66, 0.34, 1, 0.34, 1, 0.66, 0.66, 0.66, 0.66, 1,
                               0.34, 1, 0.34, 0.66, 0, 0.66, 0, 0.34, 0.34, 0.34))],
    "ring": [("main", oval(0.5, 0.5, 0.5, 0.5)), ("hole", oval(0.5, 0.5, 0.27, 0.27))],
    "arrow": [("main", corners(0, 0.36, 0.56, 0.36, 0.56, 0.14, 1, 0.5, 0.56, 0.86, 0.56, 0.64,
                               0, 0.64))],
    "crescent": [("main", _crescent())],
}  # fmt: skip
OBJECTS: Mapping[str, Sequence[Part]] = {
    "house": [
        ("main", box(0.12, 0.42, 0.88, 0.98)), ("roof", corners(0.5, 0.04, 1, 0.46, 0, 0.46)),
        ("brown", box(0.42, 0.66, 0.58, 0.98)), ("glass", box(0.2, 0.54, 0.36, 0.7)),
        ("glass", box(0.64, 0.54, 0.8, 0.7)),
    ],
    "car": [
        ("main", corners(0.02, 0.5, 0.2, 0.47, 0.34, 0.26, 0.7, 0.26, 0.83, 0.47, 0.97, 0.52, 0.98,
                         0.72, 0.02, 0.72)),
        ("glass", corners(0.27, 0.46, 0.37, 0.31, 0.5, 0.31, 0.5, 0.46)),
        ("glass", corners(0.54, 0.46, 0.54, 0.31, 0.68, 0.31, 0.76, 0.46)),
        ("black", oval(0.25, 0.72, 0.11, 0.11)), ("black", oval(0.76, 0.72, 0.11, 0.11)),
        ("grey", oval(0.25, 0.72, 0.05, 0.05)), ("grey", oval(0.76, 0.72, 0.05, 0.05)),
        ("yellow", oval(0.94, 0.56, 0.025, 0.03)),
    ],
    "tree": [
        ("brown", box(0.44, 0.6, 0.56, 1)), ("main", oval(0.5, 0.24, 0.28, 0.24)),
        ("main", oval(0.3, 0.46, 0.26, 0.22)), ("main", oval(0.7, 0.46, 0.26, 0.22)),
    ],
    "fish": [
        ("deep", corners(0.72, 0.5, 1, 0.24, 0.94, 0.5, 1, 0.76)),
        ("deep", corners(0.38, 0.3, 0.52, 0.12, 0.62, 0.34)), ("main", oval(0.42, 0.5, 0.4, 0.24)),
        ("white", oval(0.2, 0.44, 0.05, 0.05)), ("black", oval(0.19, 0.44, 0.025, 0.025)),
    ],
    "mug": [
        ("main", oval(0.74, 0.52, 0.22, 0.24)), ("hole", oval(0.74, 0.52, 0.12, 0.14)),
        ("main", box(0.1, 0.14, 0.72, 0.96, 0.08)), ("deep", oval(0.41, 0.17, 0.28, 0.06)),
    ],
    "balloon": [
        ("grey", corners(0.49, 0.74, 0.51, 0.74, 0.53, 1, 0.5, 1)),
        ("deep", corners(0.5, 0.7, 0.56, 0.79, 0.44, 0.79)), ("main", oval(0.5, 0.37, 0.31, 0.37)),
        ("light", oval(0.38, 0.24, 0.05, 0.1, 25)),
    ],
    "apple": [
        ("brown", corners(0.48, 0.24, 0.54, 0.04, 0.59, 0.06, 0.53, 0.26)),
        ("green", oval(0.68, 0.13, 0.14, 0.06, -25)), ("main", oval(0.36, 0.57, 0.29, 0.37)),
        ("main", oval(0.64, 0.57, 0.29, 0.37)),
    ],
    "umbrella": [
        ("brown", box(0.485, 0.4, 0.52, 0.94)), ("brown", oval(0.435, 0.93, 0.085, 0.07)),
        ("hole", oval(0.435, 0.92, 0.05, 0.045)), *_fan(6),
    ],
    "bottle": [
        ("deep", box(0.4, 0.02, 0.6, 0.14)),
        ("main", corners(0.42, 0.12, 0.58, 0.12, 0.59, 0.3, 0.72, 0.42, 0.73, 0.98, 0.27, 0.98,
                         0.28, 0.42, 0.41, 0.3)),
        ("white", box(0.28, 0.56, 0.72, 0.8)),
    ],
    "clock": [
        ("main", oval(0.5, 0.5, 0.48, 0.48)), ("white", oval(0.5, 0.5, 0.4, 0.4)),
        ("black", corners(0.48, 0.5, 0.49, 0.2, 0.51, 0.2, 0.52, 0.5)),
        ("black", corners(0.5, 0.48, 0.72, 0.58, 0.71, 0.61, 0.49, 0.53)),
        ("black", oval(0.5, 0.5, 0.035, 0.035)),
    ],
    "book": [
        ("main", box(0.14, 0.06, 0.86, 0.96, 0.03)), ("white", box(0.8, 0.1, 0.86, 0.92)),
        ("deep", box(0.14, 0.06, 0.24, 0.96, 0.03)), ("light", box(0.34, 0.22, 0.72, 0.38)),
    ],
    "mushroom": [
        ("cream", box(0.37, 0.44, 0.63, 0.98, 0.1)),
        ("main", np.vstack([oval(0.5, 0.5, 0.48, 0.46)[32:], [(0.98, 0.52), (0.02, 0.52)]])),
        ("white", oval(0.3, 0.32, 0.07, 0.06)), ("white", oval(0.56, 0.2, 0.08, 0.06)),
        ("white", oval(0.74, 0.38, 0.06, 0.05)),
    ],
    "sailboat": [
        ("brown", box(0.49, 0.04, 0.53, 0.72)),
        ("white", corners(0.55, 0.1, 0.92, 0.64, 0.55, 0.64)),
        ("light", corners(0.46, 0.2, 0.16, 0.64, 0.46, 0.64)),
        ("main", corners(0.02, 0.7, 0.98, 0.7, 0.82, 0.94, 0.18, 0.94)),
    ],
    "flower": [
        ("green", box(0.48, 0.4, 0.52, 1)), ("green", oval(0.62, 0.78, 0.14, 0.06, -30)),
        *_petals(), ("yellow", oval(0.5, 0.34, 0.13, 0.12)),
    ],
    "key": [
        ("main", oval(0.24, 0.5, 0.22, 0.22)), ("hole", oval(0.22, 0.5, 0.11, 0.11)),
        ("main", corners(0.42, 0.44, 0.98, 0.44, 0.98, 0.7, 0.9, 0.7, 0.9, 0.56, 0.8, 0.56, 0.8,
                         0.66, 0.72, 0.66, 0.72, 0.56, 0.42, 0.56)),
    ],
    "lamp": [
        ("grey", box(0.47, 0.4, 0.53, 0.92)), ("grey", box(0.28, 0.9, 0.72, 0.98, 0.03)),
        ("main", corners(0.32, 0.04, 0.68, 0.04, 0.86, 0.46, 0.14, 0.46)),
    ],
    "kite": [
        ("main", corners(0.5, 0.0, 0.84, 0.34, 0.5, 0.8, 0.16, 0.34)),
        ("light", corners(0.5, 0.0, 0.84, 0.34, 0.5, 0.34)),
        ("light", corners(0.5, 0.8, 0.16, 0.34, 0.5, 0.34)),
        ("deep", corners(0.49, 0.78, 0.52, 0.78, 0.6, 0.88, 0.52, 0.99, 0.49, 0.97, 0.55, 0.88)),
    ],
    "butterfly": [
        ("main", _WING), ("main", _mirrored(_WING)), ("light", oval(0.8, 0.28, 0.07, 0.08)),
        ("light", oval(0.2, 0.28, 0.07, 0.08)), ("black", oval(0.5, 0.5, 0.045, 0.32)),
    ],
    "ball": [
        ("main", oval(0.5, 0.5, 0.48, 0.48)), ("white", oval(0.5, 0.5, 0.16, 0.48, 18)),
        ("light", oval(0.34, 0.26, 0.09, 0.06, -35)),
    ],
    "envelope": [
        ("main", box(0.02, 0.2, 0.98, 0.82)), ("deep", corners(0.02, 0.2, 0.98, 0.2, 0.5, 0.58)),
    ],
}  # fmt: skip
KINDS: Mapping[str, Sequence[Part]] = {**SHAPES, **OBJECTS}
UPRIGHT = frozenset(OBJECTS) - {"fish", "key", "butterfly", "ball", "envelope", "book", "apple"}
