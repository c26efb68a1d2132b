"""Several pictures into one: combine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from PIL import Image as Pillow
from pydantic import Field

from llava_plus.errors import SkillError
from llava_plus.skills import Image, Region, skill
from llava_plus.skills.images import MAX_SIDE

from .areas import bounds, edited, parts_of
from .inking import color_of, fitted, scaled

_Layout = Literal["beside", "below", "grid", "onto"]
_Size = tuple[int, int]  # width, height
_MOST = 24_000_000  # pixels of the result


@skill(examples=("put them side by side", "make a collage", "paste the logo into the corner"))
def combine(
    image: Image,
    other: Image,
    *,
    third: Image | None = None,
    fourth: Image | None = None,
    layout: _Layout | None = None,
    region: Region | None = None,
    gap: Annotated[float, Field(ge=0, le=0.5)] = 0.0,
    color: str = "white",
) -> Image:
    """Put two to four pictures side by side, below each other, into a grid, or one onto another.

    Side by side all get the same height, below each other the same width; none is squeezed.

    Args:
        image: The first picture.
        other: The second picture.
        third: A third one, where there is one.
        fourth: A fourth one, where there is one.
        layout: "beside", "below", "grid", or "onto", which puts the second picture into the
            region of the first; where left out "onto" with a region, else "beside".
        region: Where on the first picture the second one goes, its proportions kept.
        gap: Space between the pictures, as a share of the first picture's shorter side.
        color: Of the space between and beside the pictures.
    """
    if not math.isfinite(gap) or not 0 <= gap <= 0.5:
        raise SkillError(f"combine: gap goes from 0 to 0.5, got {gap}. 0.02 is a thin line.")
    layout = layout or ("beside" if region is None else "onto")
    images = [picture for picture in (image, other, third, fourth) if picture is not None]
    if layout == "onto":
        return _onto(image, images, region)
    if region is not None:
        raise SkillError(f"combine: layout={layout!r} takes no region. Leave one of them out.")
    background = color_of("combine", color)
    places, size = _placed(images, layout, gap)
    canvas = Pillow.new("RGBA", size, (*background, 255))
    for picture, (left, top, wide, high) in zip(images, places, strict=True):
        canvas.paste(_pillow(picture, (wide, high)), (left, top))
    clear = any(picture.pixels.shape[2] == 4 for picture in images)
    return edited(image, np.asarray(canvas if clear else canvas.convert("RGB")))


def _onto(image: Image, images: Sequence[Image], region: Region | None) -> Image:
    if region is None:
        raise SkillError("combine: layout='onto' needs a region. Give a box on the first picture.")
    if len(images) > 2:
        raise SkillError("combine: 'onto' takes two pictures. Put the others on afterwards.")
    window = bounds(parts_of("combine", region), image)
    wide, high = fitted(images[1].width, images[1].height, window.width, window.height)
    canvas = image.to_pil().convert("RGBA")
    left = window.left + (window.width - wide) // 2
    top = window.top + (window.height - high) // 2
    canvas.alpha_composite(_pillow(images[1], (wide, high)), (left, top))
    clear = image.pixels.shape[2] == 4
    return edited(image, np.asarray(canvas if clear else canvas.convert("RGB")))


def _placed(
    images: Sequence[Image], layout: _Layout, gap: float
) -> tuple[list[tuple[int, int, int, int]], _Size]:
    """Return left, top, width and height of each picture, and the size of all together.

    Everything is laid out in the pictures' own pixels first and then brought to a bearable size.
    """
    columns = {"beside": len(images), "below": 1, "grid": 2}[layout]
    space = gap * min(images[0].width, images[0].height)
    cells = _cells(images, layout, columns)
    rows = [list(range(i, min(i + columns, len(cells)))) for i in range(0, len(cells), columns)]
    total_x = max(sum(cells[i][0] for i in row) + space * (len(row) - 1) for row in rows)
    total_y = sum(max(cells[i][1] for i in row) for row in rows) + space * (len(rows) - 1)
    scale = min(1.0, MAX_SIDE / max(total_x, total_y), (_MOST / (total_x * total_y)) ** 0.5)
    places = []
    top = 0.0
    for row in rows:
        left = 0.0
        for index in row:
            cell = cells[index]
            picture = images[index]
            inner = fitted(picture.width, picture.height, cell[0] * scale, cell[1] * scale)
            x = round(left * scale + (cell[0] * scale - inner[0]) / 2)
            y = round(top * scale + (cell[1] * scale - inner[1]) / 2)
            places.append((x, y, *inner))
            left += cell[0] + space
        top += max(cells[index][1] for index in row) + space
    return places, (max(1, round(total_x * scale)), max(1, round(total_y * scale)))


def _cells(images: Sequence[Image], layout: _Layout, columns: int) -> list[tuple[float, float]]:
    """Return width and height of the place of each picture.

    In a grid every picture gets as large as fits into the widest by the highest of all; columns
    and rows are then no wider and higher than what stands in them.
    """
    wide, high = max(p.width for p in images), max(p.height for p in images)
    if layout == "beside":
        return [(p.width * high / p.height, high) for p in images]
    if layout == "below":
        return [(wide, p.height * wide / p.width) for p in images]
    scales = [min(wide / p.width, high / p.height) for p in images]
    widths = [p.width * scale for p, scale in zip(images, scales, strict=True)]
    heights = [p.height * scale for p, scale in zip(images, scales, strict=True)]
    firsts = [index // columns * columns for index in range(len(images))]  # of each one's row
    return [
        (max(widths[index % columns :: columns]), max(heights[first : first + columns]))
        for index, first in enumerate(firsts)
    ]


def _pillow(picture: Image, size: _Size) -> Pillow.Image:
    return Pillow.fromarray(scaled(picture.pixels, size)).convert("RGBA")
