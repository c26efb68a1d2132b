"""Reading what is written in a picture: printed text, and codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from llava_plus.skills import Image, Region, TextLines, region_mask, skill
from llava_plus.skills.regions import Polygon

from . import lettering, scanning
from .areas import Window, bounds, parts_of


@skill(examples=("what does the sign say", "read the text in the box"), time_limit=60)
def ocr(image: Image, *, region: Region | None = None) -> TextLines:
    """Read printed text in the picture, line by line in reading order.

    Latin letters, digits and Chinese are read; handwriting seldom.

    Args:
        image: The picture to read.
        region: Where to read; everywhere where left out.
    """
    window = _window("ocr", image, region, 0.02)
    lines = lettering.read(image.rgb()[window.cut])
    polygons = [_polygon(line.corners, window, image) for line in lines]
    kept = _inside(polygons, region, image)
    return TextLines(
        tuple(line.text for line in lines),
        tuple(polygons),
        scores=tuple(round(line.score, 3) for line in lines),
        query="text",
    ).take(kept)


@skill(examples=("scan the QR code", "where does this code lead"))
def read_codes(image: Image, *, region: Region | None = None) -> TextLines:
    """Read the contents of QR codes and bar codes in the picture.

    Args:
        image: The picture to scan.
        region: Where to look; everywhere where left out.
    """
    window = _window("read_codes", image, region, 0.1)
    codes = scanning.read(image.rgb()[window.cut])
    polygons = [_polygon(code.corners, window, image) for code in codes]
    kept = _inside(polygons, region, image)
    return TextLines(
        tuple(code.text for code in codes),
        tuple(polygons),
        labels=tuple(code.format for code in codes),
        query="code",
    ).take(sorted(kept, key=lambda index: polygons[index][0]))


def _window(name: str, image: Image, region: Region | None, margin: float) -> Window:
    if region is None:
        return Window(0, 0, image.width, image.height)
    window = bounds(parts_of(name, region), image)
    return window.grown(margin * window.width, margin * window.height, image)


def _polygon(corners: NDArray[np.float64], window: Window, image: Image) -> Polygon:
    corner = np.array([window.left, window.top])
    places = (corners + corner) / np.array([image.width, image.height])
    return tuple((float(x), float(y)) for x, y in np.clip(places, 0, 1))


def _inside(polygons: Sequence[Polygon], region: Region | None, image: Image) -> list[int]:
    """Return which polygons have their middle in the region."""
    if region is None:
        return list(range(len(polygons)))
    mask = region_mask(region, image.width, image.height)
    kept = []
    for index, polygon in enumerate(polygons):
        x, y = np.mean(polygon, axis=0)
        column, row = int(x * image.width), int(y * image.height)
        if mask[min(row, image.height - 1), min(column, image.width - 1)]:
            kept.append(index)
    return kept
