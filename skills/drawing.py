"""Drawing values onto pixels: arrays in, a new array out."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

Pixels = NDArray[np.uint8]  # (height, width, 3 or 4)
Color = tuple[int, int, int]

# Told apart by colour-blind eyes as well (Okabe and Ito), brightest first.
COLORS: tuple[Color, ...] = (
    (230, 159, 0),
    (86, 180, 233),
    (0, 158, 115),
    (240, 228, 66),
    (213, 94, 0),
    (204, 121, 167),
    (0, 114, 178),
)


def draw_boxes(
    pixels: Pixels, boxes: Sequence[Sequence[float]], labels: Sequence[str] = ()
) -> Pixels:
    """Outline rectangles given in 0..1, each with its label."""
    picture, brush, line = _canvas(pixels)
    for index, (x0, y0, x1, y1) in enumerate(boxes):
        color = COLORS[index % len(COLORS)]
        left, top = x0 * (picture.width - 1), y0 * (picture.height - 1)
        corner = (x1 * (picture.width - 1), y1 * (picture.height - 1))
        brush.rectangle(((left, top), corner), outline=color, width=line)
        if labels and labels[index]:
            _write(brush, (left, top), labels[index], color, line)
    return np.asarray(picture)


def draw_polygons(pixels: Pixels, polygons: Sequence[Sequence[tuple[float, float]]]) -> Pixels:
    """Outline polygons given in 0..1, numbered from 1 before them where there is room."""
    picture, brush, line = _canvas(pixels)
    for index, polygon in enumerate(polygons):
        color = COLORS[index % len(COLORS)]
        corners = [(x * (picture.width - 1), y * (picture.height - 1)) for x, y in polygon]
        brush.line([*corners, *corners[:1]], fill=color, width=line, joint="curve")
        if corners:
            _write(brush, corners[0], str(index + 1), color, line, before=True)
    return np.asarray(picture)


def draw_masks(pixels: Pixels, masks: Sequence[NDArray[np.bool_]]) -> Pixels:
    """Tint shapes of the picture's own size, each in a colour of its own."""
    tinted = pixels.copy()
    for index, mask in enumerate(masks):
        color = np.array(COLORS[index % len(COLORS)], np.uint16)
        tinted[mask, :3] = ((tinted[mask, :3] + color) // 2).astype(np.uint8)
    return tinted


def draw_points(
    pixels: Pixels, points: Sequence[tuple[float, float]], filled: Sequence[bool]
) -> Pixels:
    """Draw dots at places given in 0..1, some of them hollow."""
    picture, brush, line = _canvas(pixels)
    for index, ((x, y), full) in enumerate(zip(points, filled, strict=True)):
        color = COLORS[index % len(COLORS)]
        middle = (x * (picture.width - 1), y * (picture.height - 1))
        brush.circle(middle, 3 * line, fill=color if full else None, outline=color, width=line)
    return np.asarray(picture)


def _canvas(pixels: Pixels) -> tuple[Pillow.Image, ImageDraw.ImageDraw, int]:
    """Return a copy to draw on, its brush, and a line width that suits its size."""
    picture = Pillow.fromarray(pixels)
    return picture, ImageDraw.Draw(picture), max(2, round(max(picture.size) / 300))


def _write(
    brush: ImageDraw.ImageDraw,
    corner: tuple[float, float],
    text: str,
    color: Color,
    line: int,
    *,
    before: bool = False,
) -> None:
    """Write black on a patch of colour. The font knows Latin letters; others become "?".

    Args:
        brush: Of the picture.
        corner: Where the words begin, in pixels.
        text: What to write.
        color: Of the patch.
        line: Width of the lines of the picture, in pixels; letters are five times as high.
        before: Whether the words end at the corner, as far as the picture has room to the left.
    """
    font = ImageFont.load_default(max(10, 5 * line))
    text = text.encode("latin-1", "replace").decode("latin-1")
    if before:
        corner = (max(0.0, corner[0] - brush.textlength(text, font=font) - line), corner[1])
    brush.rectangle(brush.textbbox(corner, text, font=font), fill=color)
    brush.text(corner, text, fill=(0, 0, 0), font=font)
