"""Many pictures on one: each small, with a line below it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image as Pillow
from PIL import ImageDraw

from llava_plus.errors import SkillError
from llava_plus.skills import Image
from llava_plus.skills.builtin.inking import fitted, scaled
from llava_plus.skills.builtin.typefaces import Font, font_at, font_for

CELL = 256  # pixels each way
LINE = 28  # pixels of the line below
LETTERS = 18  # pixels high


def thumbnail(image: Image) -> Image:
    """Return the picture as small as a cell, its proportions kept; none is made larger."""
    most = min(CELL, max(image.width, image.height))
    return Image(scaled(image.rgb(), fitted(image.width, image.height, most, most)))


def sheet(cells: Sequence[tuple[Image, str, str]]) -> Image:
    """Put small pictures into a grid, on white.

    Args:
        cells: Of each picture what `thumbnail` gave, and the line below it: what must stand there,
            and what may be cut short, or left out where no font can write it.
    """
    columns = math.ceil(math.sqrt(len(cells)))
    size = (columns * CELL, math.ceil(len(cells) / columns) * (CELL + LINE))
    canvas = Pillow.new("RGB", size, "white")
    brush = ImageDraw.Draw(canvas)
    for index, (picture, lead, rest) in enumerate(cells):
        left, top = index % columns * CELL, index // columns * (CELL + LINE)
        middle = (left + (CELL - picture.width) // 2, top + (CELL - picture.height) // 2)
        canvas.paste(picture.to_pil(), middle)
        words, font = _line(lead, rest)
        brush.text((left + CELL // 2, top + CELL + 2), words, "black", font, anchor="ma")
    return Image(np.asarray(canvas))


def _line(lead: str, rest: str) -> tuple[str, Font]:
    """Return the words that fit below a cell, and a font that has their letters."""
    try:
        font = font_at(font_for("show_found", lead + rest), LETTERS)
    except SkillError:
        return lead, font_at("", LETTERS)
    while rest and font.getlength(f"{lead} {rest}") > CELL - 8:
        rest = f"…{rest.lstrip('…')[1:]}" if len(rest) > 2 else ""
    return f"{lead} {rest}".strip(), font
