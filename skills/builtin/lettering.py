"""Finding and reading printed text with RapidOCR, whose models come in its package."""

from __future__ import annotations

import threading
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llava_plus.skills.threads import cores_of_a_network

from .layout import reading_order

if TYPE_CHECKING:
    from rapidocr import RapidOCR
    from rapidocr.ch_ppocr_det import TextDetOutput
    from rapidocr.utils.output import RapidOCROutput

_LARGEST = 2000  # pixels of the longer side: larger pictures are scaled down
_SMALLEST = 900  # pixels: smaller pictures are enlarged, up to three times
_MARGIN = 16  # pixels put around the picture, since letters at the very edge are missed
_FIRST = 1.5  # a picture to be enlarged so much, or more, is looked at as it is before
_FAINT, _SURE = 0.15, 0.5  # how sure writing must be, 0..1, to be looked at, and to be read
_ENGINE = threading.Lock()

Corners = NDArray[np.float64]  # (4, 2) in pixels


class Line(NamedTuple):
    """A line of text: what it says, where, and how sure the reading is."""

    text: str
    corners: Corners
    score: float


def read(rgb: NDArray[np.uint8]) -> list[Line]:
    """Return the lines of printed text in reading order.

    Nearly all of the time goes into finding lines, and grows with the pixels: of a small picture
    only the part that may hold writing is enlarged.

    Args:
        rgb: (height, width, 3).
    """
    longer = max(rgb.shape[:2])
    scale = min(_LARGEST / longer, 3.0, max(1.0, _SMALLEST / longer))
    if scale < _FIRST:
        return _sorted(_lines(rgb, scale))
    part = _written_part(rgb)
    if part is None:
        return []
    (left, top), (right, bottom) = part
    lines = _lines(rgb[top:bottom, left:right], scale)
    return _sorted([line._replace(corners=line.corners + part[0]) for line in lines])


def _written_part(rgb: NDArray[np.uint8]) -> NDArray[np.int64] | None:
    """Return the corners, (2, 2) in pixels, of the part that may hold writing, if there is one."""
    boxes = _looked_at(rgb, read=False, box_thresh=_FAINT).boxes
    if boxes is None:
        return None
    corners = np.asarray(boxes, np.int64) - _MARGIN  # (line, 4, 2)
    ends = [corners.min(axis=(0, 1)) - _MARGIN, corners.max(axis=(0, 1)) + _MARGIN]
    part: NDArray[np.int64] = np.clip(ends, 0, rgb.shape[1::-1])
    return part


def _lines(rgb: NDArray[np.uint8], scale: float) -> list[Line]:
    """Return the lines of a picture, read when it has been scaled."""
    import cv2
    from rapidocr.utils.output import RapidOCROutput

    height, width = rgb.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    scaled = np.asarray(cv2.resize(rgb, size, interpolation=how), np.uint8)
    result = _looked_at(scaled, read=True, box_thresh=_SURE)
    assert isinstance(result, RapidOCROutput)
    if result.boxes is None or not result.txts or not result.scores:
        return []
    shrink = np.array([width / size[0], height / size[1]])
    lines = [
        Line(text.strip(), (np.asarray(box, np.float64) - _MARGIN) * shrink, float(score))
        for box, text, score in zip(result.boxes, result.txts, result.scores, strict=True)
    ]
    return [line for line in lines if _believable(line)]


def _looked_at(
    rgb: NDArray[np.uint8], *, read: bool, box_thresh: float
) -> RapidOCROutput | TextDetOutput:
    """Find lines in a picture with a margin around it, and read them, or not."""
    import cv2
    from rapidocr.ch_ppocr_det import TextDetOutput
    from rapidocr.utils.output import RapidOCROutput

    bordered = cv2.copyMakeBorder(rgb, *(_MARGIN,) * 4, cv2.BORDER_REPLICATE)
    bgr = np.ascontiguousarray(bordered[..., ::-1])
    with _ENGINE:
        found = _engine()(bgr, use_cls=read, use_rec=read, box_thresh=box_thresh)
    assert isinstance(found, RapidOCROutput | TextDetOutput)
    return found


@cache
def _engine() -> RapidOCR:
    from rapidocr import RapidOCR

    return RapidOCR(
        params={
            "Global.log_level": "error",
            "EngineConfig.onnxruntime.intra_op_num_threads": cores_of_a_network() or -1,
            "Global.max_side_len": 2**15,  # it comes scaled; here it would be sampled, not averaged
            "Det.limit_type": "max",
            "Det.limit_side_len": 2**15,
        }
    )


def _believable(line: Line) -> bool:
    """Tell writing from what only looks like a letter or two: coins and eyes make a sure "O"."""
    letters = {letter for letter in line.text if letter.isalnum()}
    weight = sum(1 if letter.isascii() else 2 for letter in letters)
    return weight > 0 and line.score >= (0.97 if weight < 3 else 0.9 if weight < 4 else 0.5)


def _sorted(lines: list[Line]) -> list[Line]:
    """Sort into reading order, also on a page that is tilted."""
    if len(lines) < 2:
        return lines
    edges = np.array([line.corners[1] - line.corners[0] for line in lines])
    angle = -float(np.median(np.arctan2(edges[:, 1], edges[:, 0])))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    corners = np.stack([line.corners for line in lines]) @ turn.T  # (line, 4, 2)
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    return [lines[index] for index in reading_order(boxes)]
