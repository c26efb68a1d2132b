"""What drawn things are to each other, where nobody could doubt it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from llava_plus.skills.regions import Box

from .item import Relation, Thing

Window = tuple[slice, slice]  # rows and columns of a canvas
HOLDERS = frozenset({"tray"})  # what things can be in
_INSIDE = 0.995  # of a thing lies on the other: pixels at the edge may differ
_COVERS = 0.02  # of the other: less is a touch


@dataclass(frozen=True, kw_only=True)
class Silhouette:
    """Where a thing would be seen alone: a window of the canvas and the pixels set in it."""

    window: Window
    mask: NDArray[np.bool_]  # (height, width) of the window

    def count(self) -> int:
        return int(self.mask.sum())

    def shared(self, other: Silhouette) -> int:
        """Return how many pixels are set in both."""
        both = [
            slice(max(one.start, two.start), min(one.stop, two.stop))
            for one, two in zip(self.window, other.window, strict=True)
        ]
        if any(part.stop <= part.start for part in both):
            return 0
        return int((self._part(both) & other._part(both)).sum())

    def _part(self, window: Sequence[slice]) -> NDArray[np.bool_]:
        rows, columns = (
            slice(part.start - own.start, part.stop - own.start)
            for part, own in zip(window, self.window, strict=True)
        )
        return self.mask[rows, columns]


def relations_of(things: Sequence[Thing], wholes: Sequence[Silhouette]) -> tuple[Relation, ...]:
    """Return the relations of each pair, the lowest thing first.

    "left of" and "above" hold between things that do not overlap in that direction but do in the
    other; "inside" where a thing lies wholly in a tray; "in front of" where it covers a part of
    anything else.

    Args:
        things: What there is, the lowest first.
        wholes: Where each would be seen alone.
    """
    found: list[Relation] = []
    for one, other in permutations(range(len(things)), 2):
        found += _beside(one, other, things[one].box, things[other].box)
        if other < one and (word := _over(things[other].label, wholes[one], wholes[other])):
            found.append(Relation(subject=one, predicate=word, object=other))
    return tuple(found)


def _beside(one: int, other: int, a: Box, b: Box) -> Iterator[Relation]:
    if a[2] <= b[0] and a[1] < b[3] and b[1] < a[3]:
        yield Relation(subject=one, predicate="left of", object=other)
        yield Relation(subject=other, predicate="right of", object=one)
    if a[3] <= b[1] and a[0] < b[2] and b[0] < a[2]:
        yield Relation(subject=one, predicate="above", object=other)
        yield Relation(subject=other, predicate="below", object=one)


def _over(under: str, top: Silhouette, beneath: Silhouette) -> str:
    shared = top.shared(beneath)
    if under in HOLDERS and shared >= _INSIDE * top.count():
        return "inside"
    return "in front of" if shared >= _COVERS * beneath.count() else ""
