"""Choosing among things found: by place, by size, by what they are called or say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Masks, Region, TextLines, region_boxes, skill
from llava_plus.skills.wording import counted, listed

from . import parts
from .layout import rows

Order = Literal["left", "right", "top", "bottom", "center", "largest", "smallest"]

_WHERE = {
    "left": "from the left",
    "right": "from the right",
    "top": "from the top",
    "bottom": "from the bottom",
    "center": "from the center",
    "largest": "largest",
    "smallest": "smallest",
}


@skill(
    examples=("the second face from the right", "the line that says TOTAL", "all but the biggest")
)
def select(
    region: Region,
    *,
    by: Order | None = None,
    nth: Annotated[int, Field(ge=1)] = 1,
    count: Annotated[int, Field(ge=1)] = 1,
    label: str | None = None,
    invert: bool = False,
) -> Region:
    """Keep some of the boxes, masks or lines that were found.

    With only a label all that match are kept. Otherwise one is, or as many as count says, in the
    order that by names, or in reading order. What is kept stays in the order in which it came.

    Args:
        region: What to choose from.
        by: Which comes first: the leftmost, rightmost, topmost, bottommost, most central one,
            the largest or the smallest.
        nth: Where to begin in that order: 2 with by="right" is the second from the right.
        count: How many to keep: 2 with by="largest" keeps the two largest.
        label: Keep those whose label or text matches; reading mistakes are forgiven.
        invert: True keeps the others instead.
    """
    if not len(region):
        raise SkillError(
            f"select: there is nothing to choose from, {region.cite()} was found. "
            "Detect or read something first."
        )
    chosen = list(range(len(region)))
    if label is not None:
        chosen = _called(region, label)
    if by is not None or label is None or (nth, count) != (1, 1):
        ordered = _ordered(region, chosen, by)
        chosen = ordered[nth - 1 : nth - 1 + count]
        if len(chosen) < count:
            raise SkillError(_too_few(region, len(ordered), by, nth, count))
    kept = [index for index in range(len(region)) if (index in chosen) != invert]
    if not kept:
        raise SkillError(
            f"select: there is only {region.cite()}, so leaving that out leaves nothing. "
            "Use it without invert."
        )
    return region.take(kept)


def _ordered(region: Region, chosen: list[int], by: Order | None) -> list[int]:
    boxes = np.array(region_boxes(region).xyxy)  # (part, 4)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    if by is None:
        in_rows = [index for row in rows(boxes, chosen) for index in row]
        return chosen if isinstance(region, TextLines) else in_rows
    sizes = parts.shares(region)
    keys: dict[str, Callable[[int], float]] = {
        "left": lambda i: middle[i, 0],
        "right": lambda i: -middle[i, 0],
        "top": lambda i: middle[i, 1],
        "bottom": lambda i: -middle[i, 1],
        "center": lambda i: float(np.hypot(*(middle[i] - 0.5))),
        "largest": lambda i: -sizes[i],
        "smallest": lambda i: sizes[i],
    }
    return sorted(chosen, key=keys[by])


def _called(region: Region, label: str) -> list[int]:
    """Return what the label names, or say what there is instead."""
    chosen = parts.called("select", region, label)
    if chosen:
        return chosen
    said = listed([f'"{words[-1]}"' for words in parts.names(region) if words[-1]], words=40)
    there = f" There is: {said}." if said else ""
    raise SkillError(
        f"select: none of {_many(region)} is called or says {label!r}.{there} "
        "Choose by place or size, or with another label."
    )


def _too_few(region: Region, there: int, by: Order | None, nth: int, count: int) -> str:
    which = _WHERE[by] if by else "in reading order"
    wanted = (
        f"number {nth} {which}" if count == 1 else f"{count} beginning with number {nth} {which}"
    )
    return (
        f"select: cannot take {wanted}: there {'is' if there == 1 else 'are'} only {there} "
        f"of {_many(region)} to choose from. Take a smaller nth or count."
    )


def _many(region: Region) -> str:
    nouns = {Boxes: "box", Masks: "mask", TextLines: "line"}
    return counted(len(region), nouns[type(region)])
