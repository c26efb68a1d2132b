"""Choosing among things found: by place, by size, by what they are called or say."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Masks, Region, TextLines, region_boxes, skill
from llava_plus.skills.wording import counted, listed

from .layout import rows

Order = Literal["left", "right", "top", "bottom", "center", "largest", "smallest"]

_ALIKE = 0.75  # of letters, for words that were read a little wrong
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
    sizes = _sizes(region)
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


def _sizes(region: Region) -> list[float]:
    """Return the share of the picture that each part covers."""
    if isinstance(region, Masks):
        return [float(region.take([i]).to_array().mean()) for i in range(len(region))]
    if isinstance(region, TextLines):
        return [_polygon_area(np.array(polygon)) for polygon in region.polygons]
    return [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in region.xyxy]


def _polygon_area(points: NDArray[np.float64]) -> float:
    x, y = points.T
    return abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2


def _called(region: Region, label: str) -> list[int]:
    """Return what the label names: whole words first, then parts of words, then what is close."""
    wanted = _plain(label)
    if not wanted:
        raise SkillError(f"select: label must be a word, got {label!r}.")
    names = [[_plain(word) for word in words] for words in _names(region)]
    for fits in (_has_words, _has_letters, _is_close):
        chosen = [i for i, words in enumerate(names) if any(fits(word, wanted) for word in words)]
        if chosen:
            return chosen
    said = listed([f'"{words[-1]}"' for words in _names(region) if words[-1]], words=40)
    there = f" There is: {said}." if said else ""
    raise SkillError(
        f"select: none of {_many(region)} is called or says {label!r}.{there} "
        "Choose by place or size, or with another label."
    )


def _names(region: Region) -> list[tuple[str, ...]]:
    labels = region.labels or ("",) * len(region)
    texts = region.texts if isinstance(region, TextLines) else ("",) * len(region)
    return [(label, text) if text else (label,) for label, text in zip(labels, texts, strict=True)]


def _plain(text: str) -> str:
    """Return the words of a text in small letters, without accents and signs."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(c for c in bare if not unicodedata.combining(c))
    return " ".join(re.findall(r"\w+", letters)) or letters.strip()


def _has_words(said: str, wanted: str) -> bool:
    return f" {wanted} " in f" {said} " or said == wanted.removesuffix("s") != ""


def _has_letters(said: str, wanted: str) -> bool:
    return wanted in said or wanted.replace(" ", "") in said.replace(" ", "")


def _is_close(said: str, wanted: str) -> bool:
    """Compare with every run of as many words, so that one misread letter does no harm."""
    words, length = said.split(), len(wanted.split())
    runs = [" ".join(words[i : i + length]) for i in range(max(1, len(words) - length + 1))]
    return any(difflib.SequenceMatcher(None, run, wanted).ratio() >= _ALIKE for run in runs)


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
