"""Simple charts on a board, with the numbers that they show."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import pairwise

from llava_plus.skills import Table

from . import vocabulary
from .geometry import rectangle
from .panels import Ink, Sheet
from .stage import FINE, Figures, Layer

_INKS: tuple[Ink, ...] = (
    (31, 98, 170), (214, 96, 24), (44, 138, 72), (180, 40, 60), (120, 72, 150), (200, 160, 20),
)  # fmt: skip
_LINE: Ink = (60, 60, 64)
_SHARE = 5  # percent: slices are multiples of it


def chart(rng: random.Random, width: int) -> Layer:
    """Paint a bar, line or pie chart of so many fine pixels across."""
    kind = rng.choice(("bar", "bar", "line", "pie"))
    height = int(width * 0.72)
    sheet = Sheet(width=width, height=height, ground=rng.choice(((255, 255, 255), (246, 244, 236))))
    measure = rng.choice(vocabulary.MEASURES)
    title = f"{measure} {rng.randint(1995, 2029)}"
    size = max(10 * FINE, width // 22)
    sheet.write(title, width / 2, height * 0.03, int(size * 1.25), bold=True, anchor="m")
    if kind == "pie":
        names, values = _pie(rng, sheet, size)
    else:
        names, values = _upright(rng, sheet, size, bars=kind == "bar")
    table = Table(("name", "value"), tuple(zip(names, values, strict=True)))
    corners = rectangle(0, 0, width, height)
    sheet.figures.append(Figures(kind=kind, title=title, corners=corners, table=table))
    return sheet.layer("chart", color="white")


def _upright(
    rng: random.Random, sheet: Sheet, size: int, *, bars: bool
) -> tuple[Sequence[str], list[float]]:
    """Draw bars or a line over months or towns, each with its number above it."""
    names: Sequence[str] = rng.sample(vocabulary.CITIES, rng.randint(3, 5))
    if not bars or rng.random() < 0.5:
        start, count = rng.randint(0, 6), rng.randint(4, 6)
        names = vocabulary.MONTHS[start : start + count]
    step = rng.choice((1, 5, 10))
    values = [rng.randint(2, 20) * step for _ in names]
    left, right = sheet.width * 0.08, sheet.width * 0.95
    top, bottom = sheet.height * 0.26, sheet.height * 0.84
    room = (right - left) / len(names)
    ink = rng.choice(_INKS)
    sheet.brush.line((left, top, left, bottom, right, bottom), fill=_LINE, width=3)
    points = []
    for index, (name, value) in enumerate(zip(names, values, strict=True)):
        x = left + (index + 0.5) * room
        y = bottom - (bottom - top) * value / max(values)
        points.append((x, y))
        if bars:
            sheet.brush.rectangle((x - 0.32 * room, y, x + 0.32 * room, bottom), fill=ink)
        sheet.write(name, x, bottom + size * 0.35, size, anchor="m")
        sheet.write(str(value), x, y - size * 1.5, size, anchor="m")
    if not bars:
        sheet.brush.line(points, fill=ink, width=size // 5, joint="curve")
        for x, y in points:
            sheet.brush.ellipse((x - size / 4, y - size / 4, x + size / 4, y + size / 4), fill=ink)
    return names, [float(value) for value in values]


def _pie(rng: random.Random, sheet: Sheet, size: int) -> tuple[Sequence[str], list[float]]:
    """Draw shares of a whole, clockwise from the top, with a legend that names them."""
    names = rng.sample(vocabulary.GOODS, rng.randint(3, 5))
    cuts = sorted(rng.sample(range(2, 100 // _SHARE - 1), len(names) - 1))
    edges = [0, *cuts, 100 // _SHARE]
    values = [(high - low) * _SHARE for low, high in pairwise(edges)]
    inks = rng.sample(_INKS, len(names))
    radius = sheet.height * 0.36
    x, y = sheet.width * 0.32, sheet.height * 0.58
    angle = -90.0
    around = (x - radius, y - radius, x + radius, y + radius)
    for index, (name, value, ink) in enumerate(zip(names, values, inks, strict=True)):
        sheet.brush.pieslice(around, angle, angle + 3.6 * value, fill=ink, outline="white", width=3)
        angle += 3.6 * value
        row = sheet.height * 0.3 + index * size * 1.9
        left = sheet.width * 0.63
        sheet.brush.rectangle((left, row, left + size, row + size), fill=ink)
        sheet.write(f"{name} {value}%", left + size * 1.5, row, size)
    assert math.isclose(angle, 270)
    return names, [float(value) for value in values]
