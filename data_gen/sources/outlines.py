"""Masks from what COCO calls a segmentation: polygons, or run-length codes of two kinds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw

from llava_plus.skills.rle import RLE, checked_rle, encode

from .notes import MalformedError, numbers_of

_FINE = 4  # parts of a pixel on a side while polygons are filled


def mask_of(segmentation: Any, size: tuple[int, int]) -> RLE:
    """Return the mask of a segmentation for a picture of (width, height)."""
    if isinstance(segmentation, Mapping):
        return _coded(segmentation, size)
    if isinstance(segmentation, str | bytes) or not isinstance(segmentation, Sequence):
        raise MalformedError(
            "segmentation must be a list of polygons or an object with size and counts"
        )
    rings = [_ring(ring) for ring in segmentation]
    mask = filled(rings, size)
    if not mask.any():
        raise MalformedError("segmentation covers no pixel of the picture")
    return encode(mask)


def filled(rings: Sequence[NDArray[np.float64]], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return (height, width): pixels of which polygons, together, cover at least half.

    Args:
        rings: Corners (corner, 2) of each polygon, in pixels.
        size: Width and height.
    """
    width, height = size
    mask = np.zeros((height, width), bool)
    for ring in rings:
        low = np.clip(np.floor(ring.min(axis=0)).astype(int), 0, size)
        high = np.clip(np.ceil(ring.max(axis=0)).astype(int), 0, size)
        wide, tall = high - low
        if min(wide, tall) < 1:
            continue
        canvas = Pillow.new("1", (int(wide) * _FINE, int(tall) * _FINE))
        corners = (ring - low) * _FINE - 0.5
        ImageDraw.Draw(canvas).polygon([(x, y) for x, y in corners.tolist()], fill=1)
        parts = np.asarray(canvas).reshape(tall, _FINE, wide, _FINE)
        covered = parts.sum(axis=(1, 3)) * 2 >= _FINE * _FINE
        mask[low[1] : high[1], low[0] : high[0]] |= covered
    return mask


def _ring(values: Any) -> NDArray[np.float64]:
    numbers = numbers_of(values, "a polygon of segmentation")
    if len(numbers) < 6 or len(numbers) % 2:
        raise MalformedError(
            f"a polygon needs x, y of at least 3 corners, got {len(numbers)} numbers"
        )
    return np.array(numbers).reshape(-1, 2)


def _coded(code: Mapping[str, Any], size: tuple[int, int]) -> RLE:
    """Check a code; COCO writes its counts as letters, or as plain numbers for crowds."""
    height, width = numbers_of(code.get("size"), "size of segmentation", 2)
    if (width, height) != size:
        raise MalformedError(
            f"segmentation is for {width:g}x{height:g}, the picture is {size[0]}x{size[1]}"
        )
    counts = code.get("counts")
    if isinstance(counts, str):
        try:
            return checked_rle({"size": [int(height), int(width)], "counts": counts})
        except ValueError as error:
            raise MalformedError(f"segmentation: {error}") from error
    runs = numbers_of(counts, "counts of segmentation")
    if any(run < 0 or not run.is_integer() for run in runs) or sum(runs) != math.prod(size):
        raise MalformedError(f"counts of segmentation must add up to {width:g}x{height:g} pixels")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, [int(run) for run in runs])
    return encode(flat.reshape((int(height), int(width)), order="F"))
