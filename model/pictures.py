"""From a picture to the squares that a tower reads, as its layout wants them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .layout import Layout, Size, best_canvas, fitted

Pixels = NDArray[np.uint8]  # (height, width, 3)


def views_of(
    pixels: Pixels, layout: Layout, mean: Sequence[float], *, alone: bool = True
) -> Pixels:
    """The views (view, tile, tile, 3) of a picture.

    Args:
        pixels: The picture.
        layout: How it is shown.
        mean: The color of borders around a whole picture, each channel in 0..1.
        alone: Whether it is its sample's only picture; tiles are for those.
    """
    tile = layout.tile
    if layout.mode == "crop":
        return cropped(pixels, tile)[None]
    if layout.mode == "pad" or (layout.mode == "anyres" and not alone):
        side = max(pixels.shape[:2])
        color = np.array([int(channel * 255) for channel in mean], np.uint8)
        return resized(_centered(pixels, (side, side), color), (tile, tile))[None]
    if layout.mode == "anyres":
        size = (pixels.shape[0], pixels.shape[1])
        canvas = best_canvas(size, layout.pinpoints)
        black = np.zeros(3, np.uint8)
        whole = _centered(resized(pixels, fitted(size, canvas)), canvas, black)
        rows, columns = layout.tiles(size)
        cut = whole.reshape(rows, tile, columns, tile, 3).swapaxes(1, 2).reshape(-1, tile, tile, 3)
        return np.concatenate([resized(pixels, (tile, tile))[None], cut])
    return squared(pixels, tile)[None]


def resized(pixels: Pixels, size: Size) -> Pixels:
    """A picture at another size (height, width)."""
    picture = Image.fromarray(pixels).resize(size[::-1], Image.Resampling.BICUBIC)
    return np.asarray(picture)


def squared(pixels: Pixels, size: int) -> Pixels:
    """A whole picture (height, width, 3) squeezed to (size, size, 3)."""
    square = Image.fromarray(pixels).resize(
        (size, size), Image.Resampling.BICUBIC, reducing_gap=3.0
    )
    return np.asarray(square)


def cropped(pixels: Pixels, size: int) -> Pixels:
    """The middle square of a picture, its short side filling it."""
    height, width = pixels.shape[:2]
    short = min(height, width)
    large = resized(pixels, (size * height // short, size * width // short))
    top, left = (large.shape[0] - size) // 2, (large.shape[1] - size) // 2
    return large[top : top + size, left : left + size]


def _centered(pixels: Pixels, canvas: Size, color: Pixels) -> Pixels:
    """A picture in the middle of a canvas of one color."""
    height, width = pixels.shape[:2]
    whole = np.empty((*canvas, 3), np.uint8)
    whole[:] = color
    top, left = (canvas[0] - height) // 2, (canvas[1] - width) // 2
    whole[top : top + height, left : left + width] = pixels
    return whole
