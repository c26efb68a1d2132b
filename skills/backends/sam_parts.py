"""All that SAM finds in a picture, or around a point: which of its many masks count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from llava_plus.skills import Image, Masks
from llava_plus.skills.rle import encode, share

from .finds import kept

if TYPE_CHECKING:
    from .outlining import Outliner


# As in SAM's paper, appendix B ("Automatic Mask Generation"), and in its code: a grid of 32 points
# a side, masks whose predicted and whose measured quality are above the two limits, and none whose
# box overlaps that of a better one by more than the third. Its crops of the picture are left out.
DENSITY = 32
QUALITY = 0.88  # predicted overlap with the true outline
STABILITY = 0.95  # overlap of what two cuts leave, a little above and below 0
CUT = 1.0  # how far above and below
OVERLAP = 0.7
POINTS_AT_ONCE = 64
PIXELS_AT_ONCE = 2**25  # of enlarged masks, 4 bytes each
# Our choice: two masks that share this much are one, and a mask lies in another from this share on.
SAME = 0.9
WITHIN = 0.9
Edges = tuple[int, int, int, int]  # first and last column and row: left, top, right, bottom


def ranked(masks: NDArray[np.bool_], scores: Sequence[float]) -> Masks:
    """Return (n, height, width) masks, the best one first."""
    order = np.argsort(-np.array(scores), kind="stable")
    return Masks.from_array(masks[order], scores=tuple(_shown(scores[i]) for i in order))


def nested(masks: NDArray[np.bool_], scores: Sequence[float]) -> Masks:
    """Return a chain of (n, height, width) masks, each within the next, the smallest first.

    The better ones are taken first; one that is as good as another, or neither around it nor
    within it, is left out, as are empty ones.
    """
    chain: list[int] = []
    for index in np.argsort(-np.array(scores), kind="stable"):
        if masks[index].any() and all(_fits(masks[index], masks[other]) for other in chain):
            chain.append(int(index))
    chain.sort(key=lambda index: int(masks[index].sum()))
    return Masks.from_array(masks[chain], scores=tuple(_shown(scores[i]) for i in chain))


def every_part(
    model: Outliner,
    image: Image,
    *,
    density: int = DENSITY,
    quality: float = QUALITY,
    stability: float = STABILITY,
    overlap: float = OVERLAP,
) -> Masks:
    """Return the masks that a grid of points finds, the largest first.

    Args:
        model: What outlines.
        image: The picture.
        density: Points a side.
        quality: Masks that the model takes for worse are left out.
        stability: Masks are left out of which a little higher cut leaves less than this share of
            what a little lower one leaves.
        overlap: Of two masks whose boxes overlap by more, the worse one is left out.
    """
    found = list(_stable(model, image, density, quality, stability))
    corners = np.array([box for _, box, _ in found], np.float32).reshape(-1, 4)
    sure = np.array([score for _, _, score in found], np.float32)
    stay = kept(corners, sure, np.zeros(len(found), np.int64), overlap)
    codes = [encode(model.outlines(image, found[i][0][None])[0]) for i in stay]
    order = sorted(range(len(stay)), key=lambda n: -share(codes[n]))
    return Masks(
        tuple(codes[n] for n in order),
        scores=tuple(_shown(sure[stay[n]]) for n in order),
        query="part",
    )


def grid(density: int) -> NDArray[np.float64]:
    """Return (density * density, 2) points in the middles of the cells of a picture, row by row."""
    middles = (np.arange(density) + 0.5) / density
    return np.stack(np.meshgrid(middles, middles), axis=-1).reshape(-1, 2)


def steadiness(logits: Any) -> Any:
    """Return (n,) shares of (n, height, width) that a lower cut leaves and a higher one, too."""
    high = (logits > CUT).sum((1, 2))
    low = (logits > -CUT).sum((1, 2))
    return high / low.clamp(min=1)


def _stable(
    model: Outliner, image: Image, density: int, quality: float, stability: float
) -> Iterator[tuple[Any, Edges, float]]:
    """Yield the small logits, the box and the score of each mask that is good and stable enough.

    Both are measured at the size that the model sees, where SAM's code measures them at that of
    the picture, which takes minutes for a large one.
    """
    points = grid(density)
    room = max(1, PIXELS_AT_ONCE // model.look(image).square ** 2)
    for start in range(0, len(points), POINTS_AT_ONCE):
        batch = points[start : start + POINTS_AT_ONCE, None]  # (prompt, 1, 2)
        labels = np.ones(batch.shape[:2], np.int64)
        logits, scores = model.decoded(image, points=batch, labels=labels)
        logits, scores = logits.flatten(0, 1), scores.flatten()
        good = (scores > quality).nonzero()[:, 0]
        for part in good.split(room) if len(good) else ():
            seen = model.enlarged(image, logits[part], full=False)
            steady = steadiness(seen) > stability
            shapes = (seen[steady] > 0).cpu().numpy()
            for index, shape in zip(part[steady], shapes, strict=True):
                if shape.any():
                    yield logits[index], _edges(shape), float(scores[index])


def _fits(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> bool:
    """Whether one mask lies in the other, and they are not the same."""
    shared = int((mask & other).sum())
    small, large = sorted((int(mask.sum()), int(other.sum())))
    return shared >= WITHIN * small and shared <= SAME * (small + large - shared)


def _edges(mask: NDArray[np.bool_]) -> Edges:
    """Return the first and last column and row that a mask has, as SAM's code counts them."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def _shown(score: float) -> float:
    return round(min(max(float(score), 0.0), 1.0), 3)
