"""From what an open-vocabulary detector puts out to boxes, whichever detector it was."""

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image
from llava_plus.skills.original_calls import phrases

Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

MOST = 100  # boxes of one call
LEAST_SIDE = 8  # pixels
LEAST_PART = 0.001  # of the picture; a box that is thinner shows nothing
LONGEST = 20  # times as long as it is high, or the other way round


def wanted_phrases(label: str) -> tuple[str, ...]:
    """Return what a label names; " . " stands between several things.

    Raises:
        SkillError: It names nothing.
    """
    found = phrases(" ".join(label.split()))
    if not found or not all(any(letter.isalnum() for letter in phrase) for phrase in found):
        raise SkillError(f"detect: label must name something, got {label!r}. Try 'red car'.")
    return found


def check_picture(skill: str, image: Image) -> None:
    """Refuse a picture in which a model sees nothing."""
    short, long = sorted((image.width, image.height))
    if short < LEAST_SIDE or long > LONGEST * short:
        raise SkillError(
            f"{skill}: the picture is {image.describe()} pixels; wanted at least {LEAST_SIDE} each "
            f"way, and one side at most {LONGEST} times the other. Take a larger part of it."
        )


def corners(boxes: Floats) -> Floats:
    """Turn (n, 4) of middle x, middle y, width, height into left, top, right, bottom."""
    middle, half = boxes[:, :2], boxes[:, 2:] / 2
    return np.concatenate([middle - half, middle + half], axis=1)


def kept(boxes: Floats, scores: Floats, groups: Indices, overlap: float) -> Indices:
    """Return which boxes stay, surest first: none that overlaps a surer one of its group.

    Greedy non-maximum suppression, of which no more than `MOST` come out.

    Args:
        boxes: (n, 4) of left, top, right, bottom.
        scores: (n,)
        groups: (n,); boxes of different groups may lie on each other.
        overlap: Intersection over union above which the less sure one goes.
    """
    sizes = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    left = np.argsort(-scores, kind="stable")
    chosen: list[np.intp] = []
    while len(left) and len(chosen) < MOST:
        best, rest = left[0], left[1:]
        chosen.append(best)
        low = np.maximum(boxes[best, :2], boxes[rest, :2])
        high = np.minimum(boxes[best, 2:], boxes[rest, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        union = sizes[best] + sizes[rest] - shared
        same = groups[rest] == groups[best]
        left = rest[~(same & (shared > overlap * union))]
    return np.array(chosen, np.int64)


def found_boxes(
    boxes: Floats, scores: Floats, which: Indices, names: tuple[str, ...], *, overlap: float
) -> Boxes:
    """Return the boxes of a picture, left to right: cut at its edges, each thing once.

    Args:
        boxes: (n, 4) of middle x, middle y, width, height in 0..1 of the picture.
        scores: (n,) in 0..1.
        which: (n,) indices into the names.
        names: What was looked for.
        overlap: See `kept`.
    """
    within = np.clip(corners(boxes), 0, 1)
    there = np.flatnonzero((within[:, 2:] - within[:, :2] >= LEAST_PART).all(axis=1))
    within, scores, which = within[there], scores[there], which[there]
    stay = kept(within, scores, which, overlap)[:MOST]
    stay = stay[np.argsort(within[stay, 0] + within[stay, 2], kind="stable")]
    return Boxes(
        tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in within[stay]),
        labels=tuple(names[index] for index in which[stay]),
        scores=tuple(round(float(score), 3) for score in scores[stay]),
        query=" and ".join(names),
    )
