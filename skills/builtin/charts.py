"""Drawing charts with Pillow: at twice the size, then halved, so that edges are smooth."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from llava_plus.skills.drawing import COLORS, Color

from .scales import Scale, scaled, shown

Pixels = NDArray[np.uint8]  # (height, width, 3)

_WIDTH, _HEIGHT = 1920, 1200  # of the canvas; the picture is half as large
_EDGE = 50
_TOP = 200  # where the plot begins, below title and name of the y axis
_LARGE, _SMALL = 50, 32  # letters
_LABELS = 420  # pixels that labels below the plot may take
_INK, _GREY, _LINE, _OTHER = (30, 30, 30), (95, 95, 95), (220, 220, 220), (150, 150, 150)
_BLUE: Color = (0, 114, 178)
_LONGEST = 200  # letters of a title or a name
_SLICES = 7  # as many colours can be told apart; the rest is "other"
_WRITTEN = 16  # bars at most that have their values written on them


@dataclass(frozen=True, kw_only=True)
class Series:
    """What a chart shows: one number for each name or each place on the x axis.

    ``x`` is empty where the names are the x axis; ``colors`` where the chart has its own.
    """

    title: str
    x_name: str
    y_name: str
    names: tuple[str, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    colors: tuple[Color, ...] = ()
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """The rectangle of the plot on the canvas, and what its sides stand for."""

    bottom: int
    left: int
    x: Scale
    y: Scale

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the pixel of a place."""
        right = _WIDTH - _EDGE
        across, down = self.x.share(x), self.y.share(y)
        return (
            self.left + across * (right - self.left),
            self.bottom - down * (self.bottom - _TOP),
        )


def draw_bars(series: Series) -> Pixels:
    """Draw an upright bar for each name, from zero."""
    picture, brush = _page(series)
    count, low, high = len(series.y), min(0.0, *series.y), max(0.0, *series.y)
    room = 0.08 * (high - low)  # for the values written on the bars
    up = scaled([low - room if low else 0, high + room if high else 0])
    frame = _framed(brush, series, Scale(-0.5, count - 0.5), up)
    _name_places(picture, frame, series.names)
    half = 0.36
    for index, value in enumerate(series.y):
        (left, zero), (right, end) = frame.at(index - half, 0), frame.at(index + half, value)
        color = series.colors[index] if series.colors else _BLUE
        corners = (left, min(zero, end), right, max(zero, end))
        brush.rectangle(corners, fill=color, outline=_OTHER if series.colors else None, width=2)
        if count <= _WRITTEN:
            anchor, gap = ("ms", -8) if value >= 0 else ("mt", 8)
            brush.text(((left + right) / 2, end + gap), shown(value), _INK, _font(_SMALL), anchor)
    brush.line((*frame.at(-0.5, 0), *frame.at(count - 0.5, 0)), fill=_INK, width=3)
    return _halved(picture)


def draw_line(series: Series) -> Pixels:
    """Join the numbers by a line, left to right."""
    picture, brush = _page(series)
    places = series.x or tuple(range(len(series.y)))
    across = scaled(places) if series.x else Scale(-0.5, len(places) - 0.5)
    frame = _framed(brush, series, across, scaled(series.y))
    if not series.x:
        _name_places(picture, frame, series.names)
    points = [frame.at(x, y) for x, y in sorted(zip(places, series.y, strict=True))]
    brush.line(points, fill=_BLUE, width=6, joint="curve" if len(points) <= 500 else None)
    if len(points) <= 60:
        _dot(brush, points, series.colors)
    return _halved(picture)


def draw_dots(series: Series) -> Pixels:
    """Draw a dot at each pair of numbers."""
    picture, brush = _page(series)
    frame = _framed(brush, series, scaled(series.x), scaled(series.y))
    points = [frame.at(x, y) for x, y in zip(series.x, series.y, strict=True)]
    _dot(brush, points, series.colors)
    return _halved(picture)


def draw_slices(series: Series) -> Pixels:
    """Draw each number's share of their sum, clockwise from the top, with a legend."""
    picture, brush = _page(series)
    total, start = sum(series.y), -90.0
    radius = (_HEIGHT - _TOP - 2 * _EDGE) // 2
    middle = (_EDGE + 80 + radius, _TOP - 20 + radius)
    box = (middle[0] - radius, middle[1] - radius, middle[0] + radius, middle[1] + radius)
    left, top = box[2] + 120, max(_TOP, middle[1] - 36 * len(_slices(series)))
    for index, (name, value, color) in enumerate(_slices(series)):
        end = start + 360 * value / total
        if value:
            brush.pieslice(box, start, end, fill=color, outline=(255, 255, 255), width=4)
        start = end
        y = top + 72 * index
        brush.rectangle((left, y, left + 44, y + 44), fill=color, outline=_OTHER, width=2)
        text = f"{_fit(name, _SMALL + 4, 480)}  {100 * value / total:.1f} %"
        brush.text((left + 70, y + 22), text, _INK, _font(_SMALL + 4), "lm")
    brush.ellipse(box, outline=_OTHER, width=2)
    return _halved(picture)


def _slices(series: Series) -> list[tuple[str, float, Color]]:
    """Return names, numbers and colours; the smallest are one slice where they are too many."""
    own = series.colors or tuple(COLORS[i % len(COLORS)] for i in range(len(series.y)))
    parts = list(zip(series.names, series.y, own, strict=True))
    if len(parts) <= _SLICES:
        return parts
    least = sorted(series.y, reverse=True)[_SLICES - 1]
    kept = [part for part in parts if part[1] > least]
    kept += [part for part in parts if part[1] == least][: _SLICES - len(kept)]
    colors = [part[2] if series.colors else COLORS[i] for i, part in enumerate(kept)]
    rest = sum(series.y) - sum(part[1] for part in kept)
    named = [(name, value, color) for (name, value, _), color in zip(kept, colors, strict=True)]
    return [*named, (f"other ({len(parts) - len(kept)})", rest, _OTHER)]


def _page(series: Series) -> tuple[Pillow.Image, ImageDraw.ImageDraw]:
    """Return a white canvas with the title, and the note in its lower right corner."""
    picture = Pillow.new("RGB", (_WIDTH, _HEIGHT), (255, 255, 255))
    brush = ImageDraw.Draw(picture)
    room = _WIDTH - 2 * _EDGE
    brush.text((_EDGE, 36), _fit(series.title, _LARGE, room), _INK, _font(_LARGE))
    if series.note:
        place = (_WIDTH - _EDGE, _HEIGHT - 16)
        brush.text(place, _fit(series.note, _SMALL, room // 2), _GREY, _font(_SMALL), "rs")
    return picture, brush


def _framed(brush: ImageDraw.ImageDraw, series: Series, across: Scale, up: Scale) -> _Frame:
    """Draw the axes with their names and marks, and return where things go between them."""
    wide = max(brush.textlength(words, _font(_SMALL)) for _, words in up.marks)
    left = round(_EDGE + wide + 24)
    slot = (_WIDTH - _EDGE - left) / max(1, len(series.names))
    room = 60 if across.marks else _room_below(series.names, slot)
    frame = _Frame(bottom=_HEIGHT - 90 - room, left=left, x=across, y=up)
    right = _WIDTH - _EDGE
    brush.text((_EDGE, 130), _fit(series.y_name, _SMALL, right - _EDGE), _GREY, _font(_SMALL))
    for mark, words in up.marks:
        y = frame.at(across.low, mark)[1]
        brush.line((left, y, right, y), fill=_LINE, width=2)
        brush.text((left - 18, y), words, _GREY, _font(_SMALL), "rm")
    for mark, words in across.marks:
        x = frame.at(mark, up.low)[0]
        brush.line((x, frame.bottom, x, frame.bottom + 12), fill=_GREY, width=2)
        brush.text((x, frame.bottom + 20), words, _GREY, _font(_SMALL), "ma")
    brush.line((left, frame.bottom, right, frame.bottom), fill=_GREY, width=3)
    middle = ((left + right) / 2, _HEIGHT - 60)
    brush.text(middle, _fit(series.x_name, _SMALL, right // 2), _GREY, _font(_SMALL), "mm")
    return frame


def _room_below(names: Sequence[str], slot: float) -> int:
    """Return how many pixels the names need below the plot, lying or standing."""
    widest = max((_font(_SMALL).getlength(_latin(name)) for name in names), default=0)
    return 60 if widest <= 0.92 * slot else round(min(widest, _LABELS)) + 30


def _name_places(picture: Pillow.Image, frame: _Frame, names: Sequence[str]) -> None:
    """Write the names below the plot; standing where they are long, thinned out where many."""
    slot = frame.at(1, 0)[0] - frame.at(0, 0)[0]
    standing = _room_below(names, slot) > 60
    every = max(1, math.ceil(1.2 * _SMALL / slot)) if standing else 1
    brush = ImageDraw.Draw(picture)
    for index in range(0, len(names), every):
        x, y = round(frame.at(index, 0)[0]), frame.bottom + 18
        if not standing:
            brush.text((x, y), _latin(names[index]), _INK, _font(_SMALL), "ma")
            continue
        text = _fit(names[index], _SMALL, _LABELS)
        label = Pillow.new("L", (round(_font(_SMALL).getlength(text)) + 4, _SMALL + 12))
        ImageDraw.Draw(label).text((0, 2), text, 255, _font(_SMALL))
        label = label.transpose(Pillow.Transpose.ROTATE_90)
        picture.paste(_INK, (x - label.width // 2, y), label)


def _dot(
    brush: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]], colors: Sequence[Color]
) -> None:
    radius = 11 if len(points) <= 200 else 6
    for index, point in enumerate(points):
        color = colors[index] if colors else _BLUE
        brush.circle(point, radius, fill=color, outline=(255, 255, 255), width=2)


def _fit(text: str, size: int, room: float) -> str:
    """Cut a text with an ellipsis where it is longer than so many pixels."""
    text = _latin(text)
    if _font(size).getlength(text) <= room:
        return text
    while text and _font(size).getlength(text + "...") > room:
        text = text[:-1]
    return text.rstrip() + "..."


def _latin(text: str) -> str:
    """Replace what the font has no letters for by "?"; nobody reads more than so many letters."""
    plain = "".join(letter if letter.isprintable() else " " for letter in text[:_LONGEST])
    return " ".join(plain.split()).encode("latin-1", "replace").decode("latin-1")


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont)  # Pillow comes with FreeType
    return font


def _halved(picture: Pillow.Image) -> Pixels:
    return np.asarray(picture.reduce(2))
