"""Finding the exact outline of a thing from a box around it or a point on it."""

from __future__ import annotations

import numpy as np

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, Masks, Points, skill

from . import growing
from .areas import Mask, Window, each_part, parts_of
from .cutting import cut_out, enlarged, shrunk

_SLIGHT = 0.2  # of a box: a thing that fills less of it is looked for once more
_SIDE = 320  # pixels at which outlines are solved; they are then refined to full size


@skill(examples=("cut out the face", "outline what I clicked"), time_limit=60, isolation="worker")
def segment(image: Image, prompt: Boxes | Points) -> Masks:
    """Find the exact outline of the thing inside a box or under a clicked point.

    Things that stand out from their surroundings in colour or by their edges come out well; what
    looks like its background does not.

    Args:
        image: The picture to look at.
        prompt: Boxes, each around one thing, or points on one thing; points marked as negative
            say what does not belong to it.
    """
    if isinstance(prompt, Points):
        return _from_points(image, prompt)
    boxes = parts_of("segment", prompt)
    assert isinstance(boxes, Boxes)
    side = round(max(_SIDE / len(boxes) ** 0.5, 160))
    found = [_from_box(image, window, side) for window, _ in each_part(boxes, image)]
    return Masks.from_array(
        np.stack(found), labels=boxes.labels, scores=boxes.scores, query=boxes.query
    )


def _from_box(image: Image, window: Window, side: int) -> Mask:
    """Solve in the box and some of its surroundings, which show what the background is like."""
    margin = max(4, 0.25 * window.size)
    around = window.grown(margin, margin, image)
    rgb = image.rgb()[around.cut]
    small = shrunk(rgb, side)
    scale = np.array([small.shape[1] / around.width, small.shape[0] / around.height])
    x0, y0 = np.floor(np.array([window.left - around.left, window.top - around.top]) * scale)
    x1, y1 = np.ceil(np.array([window.right - around.left, window.bottom - around.top]) * scale)
    inside = np.zeros(small.shape[:2], bool)
    inside[int(y0) : int(y1), int(x0) : int(x1)] = True
    found = cut_out(small, likely=inside, possible=inside)
    if found.sum() < _SLIGHT * inside.sum():  # lost, or thin: start from the middle of the box
        middle = _ellipse(inside)
        other = cut_out(small, likely=middle, possible=inside)
        found = max((found, other), key=lambda mask: growing.worth(mask, growing.edges(small)))
    if not found.any():
        raise SkillError(
            "segment: nothing in the box stands out from what surrounds it. "
            "Draw the box a little larger, click on the thing, or use the box itself as region."
        )
    mask = np.zeros((image.height, image.width), bool)
    mask[around.cut] = enlarged(found, small, rgb)
    return mask


def _ellipse(box: Mask) -> Mask:
    import cv2

    y, x = np.nonzero(box)
    middle = (int(x.mean()), int(y.mean()))
    half = (max(1, int(np.ptp(x) * 0.35)), max(1, int(np.ptp(y) * 0.35)))
    canvas = np.zeros(box.shape, np.uint8)
    return np.asarray(cv2.ellipse(canvas, middle, half, 0, 0, 360, 1, -1)) > 0


def _from_points(image: Image, points: Points) -> Masks:
    if not any(points.positive):
        raise SkillError("segment: needs a point on the thing. Click on what is meant.")
    rgb = image.rgb()
    small = shrunk(rgb, _SIDE)
    height, width = small.shape[:2]
    places = [
        (min(int(y * height), height - 1), min(int(x * width), width - 1)) for x, y in points.xy
    ]
    on = [place for place, positive in zip(places, points.positive, strict=True) if positive]
    off = [place for place, positive in zip(places, points.positive, strict=True) if not positive]
    start = growing.thing_at(small, on, off)
    found = growing.settled(small, start, on, off)
    return Masks.from_array(enlarged(found, small, rgb)[None])
