"""Counting what was found, and measuring how large it is, where it lies and how far apart."""

from __future__ import annotations

import math

import numpy as np

from llava_plus.errors import SkillError
from llava_plus.skills import (
    Boxes,
    Image,
    Masks,
    Number,
    Region,
    Table,
    TextLines,
    region_boxes,
    region_mask,
    skill,
)
from llava_plus.skills.regions import Box
from llava_plus.skills.values import Cell
from llava_plus.skills.wording import counted, tally

from . import parts
from .areas import parts_of

_NOUNS: dict[type[Region], str] = {Boxes: "box", Masks: "mask", TextLines: "line"}
_SIDE = 1024  # pixels at which distances between shapes other than boxes are measured


@skill(examples=("how many faces are there", "count the lines that say total"))
def count(region: Region, *, label: str | None = None) -> Number:
    """Count the boxes, masks or lines that were found, all of them or those of one label.

    It counts results, not pictures: detect or read first. Nothing found is 0.

    Args:
        region: What to count.
        label: Count only parts whose label or text holds these words, one or many.
    """
    if label is None:
        return Number(len(region), _unit(len(region), _noun(region)))
    number = len(parts.named("count", region, label))
    if isinstance(region, TextLines):
        return Number(number, f'{_unit(number, "line")} with "{label.strip()}"')
    if not number and not parts.says(region.query, label):
        found = tally(region.labels, "thing without a label") or region.cite()
        raise SkillError(
            f"count: nobody looked for {label!r} here, there is {found}. "
            f"Detect {label!r} first, or leave the label out to count everything."
        )
    return Number(number, _unit(number, label.strip()))


@skill(examples=("how large is the face", "how far apart are the two signs"))
def measure(image: Image, region: Region, *, to: Region | None = None) -> Table:
    """Measure each part of a region: size, share of the picture, position, distance to others.

    Width, height and area are in pixels, percent is of the picture's area; width and height are
    those of the upright box around a part, the area is that of its true shape. With another
    region, distance is the shortest way from edge to edge in pixels, 0 where they touch, and
    center distance that between the middles; direction says where the other region lies, seen
    from the part. Distances between boxes are exact, others to a thousandth of the longer side.
    Nothing is known of metres, and depth is not measured.

    Args:
        image: The picture that the region belongs to.
        region: What to measure, one row for each part.
        to: Another region to measure the distance to; of several parts the nearest counts.
    """
    region = parts_of("measure", region)
    boxes = region_boxes(region).xyxy
    names = _names(region)
    rows = []
    for name, box, share in zip(names, boxes, parts.shares(region), strict=True):
        rows.append((name, *_size(box, share, image), _position(box)))
    columns: tuple[str, ...] = ("thing", "width", "height", "area", "percent", "position")
    if to is None:
        return Table(columns, tuple(rows))
    to = parts_of("measure", to)
    gaps = _gaps(region, to, image)
    far = [(gap, *_towards(box, to, image)) for gap, box in zip(gaps, boxes, strict=True)]
    columns += ("distance", "center distance", "direction")
    return Table(columns, tuple((*row, *more) for row, more in zip(rows, far, strict=True)))


def _unit(number: int, noun: str) -> str:
    """Return the noun as it stands behind a number: "faces", or "face" behind 1."""
    return counted(1 if number == 1 else 2, noun).split(" ", 1)[1]


def _noun(region: Region) -> str:
    """Return what the parts have in common: their label, what was asked for, or their kind."""
    labels = set(region.labels)
    if isinstance(region, TextLines):
        return region.query if region.query == "code" else "line"
    return labels.pop() if len(labels) == 1 and "" not in labels else _kind(region)


def _kind(region: Region) -> str:
    return region.query if region.query and not region.labels else _NOUNS[type(region)]


def _names(region: Region) -> list[str]:
    """Call each part by its words and, where there are several, its number: "face 2"."""
    if isinstance(region, TextLines):
        return [f'"{text}"' for text in region.texts]
    nouns = [label or _kind(region) for label in region.labels or ("",) * len(region)]
    many = len(nouns) > 1
    return [f"{noun} {index}" if many else noun for index, noun in enumerate(nouns, 1)]


def _size(box: Box, share: float, image: Image) -> tuple[Cell, ...]:
    """Return width, height and area in pixels, and the percentage of the picture."""
    width, height = (box[2] - box[0]) * image.width, (box[3] - box[1]) * image.height
    area = share * image.width * image.height
    return max(1, round(width)), max(1, round(height)), max(1, round(area)), _percent(share)


def _percent(share: float) -> float:
    return float(f"{100 * share:.3g}")


def _position(box: Box) -> str:
    """Name the ninth of the picture that holds the middle of a box."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    across = ("left", "", "right")[min(int(3 * x), 2)]
    down = ("top", "", "bottom")[min(int(3 * y), 2)]
    return f"{down} {across}".strip() or "center"


def _gaps(region: Region, to: Region, image: Image) -> list[int]:
    """Return for each part the shortest way to the other region, in pixels."""
    if isinstance(region, Boxes) and isinstance(to, Boxes):
        return [round(min(_gap(one, other, image) for other in to.xyxy)) for one in region.xyxy]
    import cv2

    scale = min(1.0, _SIDE / max(image.width, image.height))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    there = region_mask(to, *size)  # (height, width)
    way = cv2.distanceTransform((~there).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    pieces = [region_mask(region.take([index]), *size) for index in range(len(region))]
    steps = [float(np.min(way[piece], initial=math.inf)) for piece in pieces]
    return [round(max(0.0, step - 1) / scale) if math.isfinite(step) else 0 for step in steps]


def _gap(one: Box, other: Box, image: Image) -> float:
    across = max(0.0, other[0] - one[2], one[0] - other[2]) * image.width
    down = max(0.0, other[1] - one[3], one[1] - other[3]) * image.height
    return math.hypot(across, down)


def _towards(box: Box, to: Region, image: Image) -> tuple[int, str]:
    """Return the way to the nearest middle of the other region in pixels, and its direction."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    steps = [
        (((x0 + x1) / 2 - x) * image.width, ((y0 + y1) / 2 - y) * image.height)
        for x0, y0, x1, y1 in region_boxes(to).xyxy
    ]
    across, down = min(steps, key=lambda step: math.hypot(*step))
    length = math.hypot(across, down)
    if length < 0.5:
        return 0, "same place"
    words = ["below" if down > 0 else "above"] if abs(down) > 0.38 * length else []
    words += ["right" if across > 0 else "left"] if abs(across) > 0.38 * length else []
    return round(length), " ".join(words)
