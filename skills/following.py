"""Numbers for things that are found in several pictures in a row, such as those of a video."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .regions import Boxes

OVERLAP = 0.3  # intersection over union, as in SORT
PATIENCE = 5  # pictures


@dataclass(kw_only=True)
class _Track:
    """A thing, where it was seen last."""

    name: str
    label: str
    box: tuple[float, float, float, float]
    missed: int = 0  # pictures since then


def followed(
    found: Iterable[Boxes], *, overlap: float = OVERLAP, patience: int = PATIENCE
) -> list[Boxes]:
    """Number what was found in pictures in a row, so that "car 1" stays "car 1".

    A box is the thing with the same label whose newest box it overlaps most, pair by pair, the
    closest pair first; what overlaps none is a new thing. This is SORT (Bewley et al. 2016, arXiv
    1602.00763) without its motion model and with a greedy assignment.

    Not covered: what moves by more than its own size from picture to picture, and things of one
    label that cross: these take each other's numbers.

    Args:
        found: What one detector found in each picture, in order.
        overlap: The least intersection over union of a thing's boxes in two pictures.
        patience: In so many pictures a thing may be missing before its number is given up.

    Returns:
        The same boxes, labelled "car 1", "car 2"; a box without a label is a "thing".
    """
    tracks: list[_Track] = []
    counts: Counter[str] = Counter()
    named = []
    for boxes in found:
        for track in tracks:
            track.missed += 1
        tracks = [track for track in tracks if track.missed <= patience + 1]
        chosen = _matched(tracks, boxes, overlap)
        for index, box in enumerate(boxes.xyxy):
            label = _label(boxes, index)
            if index not in chosen:
                counts[label] += 1
                name = f"{label} {counts[label]}"
                chosen[index] = _Track(name=name, label=label, box=box)
                tracks.append(chosen[index])
            chosen[index].box, chosen[index].missed = box, 0
        named.append(replace(boxes, labels=tuple(chosen[n].name for n in range(len(boxes)))))
    return named


def _matched(tracks: Sequence[_Track], boxes: Boxes, overlap: float) -> dict[int, _Track]:
    """Return for each box that continues a track that track."""
    shares = _shares([track.box for track in tracks], boxes.xyxy)  # (track, box)
    for row, track in enumerate(tracks):
        for column in range(len(boxes)):
            if track.label != _label(boxes, column):
                shares[row, column] = 0
    chosen: dict[int, _Track] = {}
    taken: set[int] = set()
    for place in np.argsort(-shares, axis=None, kind="stable"):
        row, column = divmod(int(place), len(boxes))
        if shares[row, column] < overlap or shares[row, column] == 0:
            break
        if row not in taken and column not in chosen:
            taken.add(row)
            chosen[column] = tracks[row]
    return chosen


def _shares(
    before: Sequence[tuple[float, ...]], now: Sequence[tuple[float, ...]]
) -> NDArray[np.float64]:
    """Return the intersection over union of each box with each: (before, now)."""
    first = np.array(before, np.float64).reshape(-1, 1, 4)
    second = np.array(now, np.float64).reshape(1, -1, 4)
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:], second[..., 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=-1)
    sizes = [np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1) for boxes in (first, second)]
    union = sizes[0] + sizes[1] - shared
    shares: NDArray[np.float64] = np.zeros_like(shared)
    np.divide(shared, union, out=shares, where=union > 0)
    return shares


def _label(boxes: Boxes, index: int) -> str:
    return (boxes.labels[index] if boxes.labels else "") or "thing"
