"""Marks and words on a picture: draw and add_text."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw
from pydantic import Field

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, Points, Region, region_mask, skill

from .areas import Window, bounds, each_part, edited, parts_of
from .inking import Ink, color_of, inked, opposite
from .typefaces import SMALLEST, broken, extent, font_at, font_for, writable

_Shape = Literal["box", "outline", "circle", "arrow", "highlight"]
_Place = Literal[
    "top left", "top", "top right", "left", "center", "right", "bottom left", "bottom",
    "bottom right",
]  # fmt: skip
_LONGEST = 2000  # letters


@skill(examples=("draw a red box around the face", "point an arrow at it", "highlight the text"))
def draw(
    image: Image,
    region: Region | Points,
    *,
    shape: _Shape = "box",
    color: str = "red",
    thickness: Annotated[float, Field(gt=0, le=10)] = 1.0,
) -> Image:
    """Draw boxes, outlines, circles, arrows or a highlight where a region or points are.

    Args:
        image: The picture to draw on.
        region: What to mark; each part or point gets a mark of its own.
        shape: "box" is a rectangle around it, "outline" follows its exact edge, "circle" is an
            ellipse around it, "arrow" points at it, "highlight" tints it like a marker pen.
        color: A name such as "yellow" or "light blue", or a code such as "#ff8800".
        thickness: Of the lines; 1 suits the picture, 2 is twice as thick.
    """
    if not math.isfinite(thickness) or not 0 < thickness <= 10:
        raise SkillError(f"draw: thickness is above 0 and up to 10, got {thickness}. 1 is usual.")
    ink_color = color_of("draw", color)
    side = max(image.width, image.height)
    line = max(1, round(thickness * max(2, side / 250)))
    targets = _around(image, region) if isinstance(region, Points) else parts_of("draw", region)
    ink = np.zeros((image.height, image.width), np.uint8)
    for index, (window, _) in enumerate(each_part(targets, image)):
        if shape == "highlight":
            part = region_mask(targets.take([index]), image.width, image.height)
            ink[part] = 110
        elif shape == "outline":
            _outline(ink, targets.take([index]), line)
        elif shape == "arrow":
            _arrow(ink, window, round(1.6 * line), on=isinstance(region, Points))
        else:
            _ring(ink, window, line, shape)
    return edited(image, inked(image.pixels, ink, ink_color))


@skill(examples=("write 'Hello' at the top", "put the title SALE in the middle, in red"))
def add_text(
    image: Image,
    text: str,
    *,
    place: _Place = "bottom",
    region: Region | None = None,
    size: Annotated[float, Field(ge=0.1, le=10)] = 1.0,
    color: str = "white",
    outline: bool = True,
) -> Image:
    """Write words onto the picture, at a place such as the top or into a region.

    Long texts are broken into lines and set smaller until they fit.

    Args:
        image: The picture to write on.
        text: What to write; a line break starts a new line.
        place: Where in the picture, or in the region.
        region: The box to write into; the whole picture where left out.
        size: 1 is a twelfth of the picture's shorter side, or as large as the region allows.
        color: A name such as "yellow", or a code such as "#ff8800".
        outline: True puts a thin rim around the letters, so that they can be read on anything.
    """
    words = "\n".join(line.strip() for line in writable(text).strip().splitlines())
    if not words:
        raise SkillError("add_text: there is nothing to write. Give text such as 'Hello'.")
    if len(words) > _LONGEST:
        raise SkillError(
            f"add_text: the text has {len(words)} letters, at most {_LONGEST} are written. "
            "Shorten it."
        )
    if not math.isfinite(size) or not 0.1 <= size <= 10:
        raise SkillError(f"add_text: size goes from 0.1 to 10, got {size}. 1 is usual.")
    ink_color = color_of("add_text", color)
    name = font_for("add_text", words)
    window = Window(0, 0, image.width, image.height)
    first = size * min(image.width, image.height) / 12
    if region is not None:
        window = bounds(parts_of("add_text", region), image)
        first = size * window.height
    letters, rim = _set(words, name, window, max(SMALLEST, round(first)), place, outline)
    pixels = image.pixels
    if outline:
        pixels = inked(pixels, _onto(image, window, rim), opposite(ink_color))
    return edited(image, inked(pixels, _onto(image, window, letters), ink_color))


def _around(image: Image, points: Points) -> Boxes:
    """Return a small square around each point, cut off at the picture's edge."""
    if not len(points):
        raise SkillError("draw: there are no points. Give one such as [0.5, 0.5].")
    reach = 0.03 * min(image.width, image.height)
    by_x, by_y = max(reach, 3) / image.width, max(reach, 3) / image.height
    squares = [(x - by_x, y - by_y, x + by_x, y + by_y) for x, y in points.xy]
    return Boxes(tuple(tuple(np.clip(square, 0, 1)) for square in squares))


def _ring(ink: Ink, window: Window, line: int, shape: _Shape) -> None:
    import cv2

    if shape == "box":
        corner = (window.right - 1, window.bottom - 1)
        cv2.rectangle(ink, (window.left, window.top), corner, 255, line)
        return
    middle = ((window.left + window.right) // 2, (window.top + window.bottom) // 2)
    half = (round(window.width / 2**0.5), round(window.height / 2**0.5))  # holds the corners
    cv2.ellipse(ink, middle, half, 0, 0, 360, 255, line, cv2.LINE_AA)


def _outline(ink: Ink, part: Region, line: int) -> None:
    import cv2

    mask = region_mask(part, ink.shape[1], ink.shape[0]).astype(np.uint8)
    outlines, _ = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(ink, outlines, -1, 255, line, cv2.LINE_AA)


def _arrow(ink: Ink, window: Window, line: int, *, on: bool) -> None:
    """Draw an arrow from the side with more room; its tip is on a point, or at a part's edge."""
    import cv2

    height, width = ink.shape
    x, y = (window.left + window.right) / 2, (window.top + window.bottom) / 2
    way = np.array([1.0 if x < width / 2 else -1.0, 1.0 if y < height / 2 else -1.0])
    way /= np.hypot(*way)
    half = np.array([window.width, window.height]) / 2
    tip = np.array([x, y]) + (0 if on else way * float(np.min(half / np.abs(way))))
    length = max(8.0 * line, 0.18 * min(height, width))
    tail = tip + way * length
    tip_at, tail_at = np.rint(tip).astype(int).tolist(), np.rint(tail).astype(int).tolist()
    cv2.arrowedLine(ink, tail_at, tip_at, 255, line, cv2.LINE_AA, tipLength=0.3)


def _set(
    words: str, name: str, window: Window, size: int, place: _Place, outline: bool
) -> tuple[Ink, Ink]:
    """Set words into a window as large as they fit; return the ink of letters and of their rim."""
    align = "left" if "left" in place else "right" if "right" in place else "center"
    while True:
        font = font_at(name, size)
        stroke = max(1, round(size / 14)) if outline else 0
        margin = round(0.3 * size)
        room = window.width - 2 * margin
        lines = broken(words, font, room)
        left, top, right, bottom = extent(lines, font, stroke, align)
        if right - left <= room and bottom - top <= window.height - 2 * margin:
            break
        if size == SMALLEST:
            raise SkillError(
                f"add_text: {len(words)} letters do not fit into {window.width}x{window.height} "
                "pixels. Shorten the text, or write it onto a larger part."
            )
        size = max(SMALLEST, int(size * 0.92))
    x = {"left": margin, "right": window.width - margin - (right - left)}.get(
        align, (window.width - (right - left)) / 2
    )
    y = (window.height - (bottom - top)) / 2
    y = (
        margin
        if "top" in place
        else window.height - margin - (bottom - top)
        if "bottom" in place
        else y
    )
    canvas = Pillow.new("RGB", (window.width, window.height))  # red is all ink, green the letters
    at, red, yellow = (x - left, y - top), (255, 0, 0), (255, 255, 0)
    ImageDraw.Draw(canvas).multiline_text(
        at, lines, yellow, font, align=align, stroke_width=stroke, stroke_fill=red
    )
    inks = np.array(canvas)
    return inks[..., 1], inks[..., 0]


def _onto(image: Image, window: Window, ink: Ink) -> Ink:
    """Return the ink of a window as ink of the whole picture."""
    whole = np.zeros((image.height, image.width), np.uint8)
    whole[window.cut] = ink
    return whole
