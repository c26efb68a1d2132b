"""Detection by the YOLO models of ultralytics, which find what they were trained on and no more.

Ultralytics is licensed under AGPL-3.0; nothing here imports it unless a person chose this backend.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import Boxes, Image
from llava_plus.skills.nouns import singular

from .checkpoint import AGAIN, is_out_of_memory, placed
from .finds import Floats, Indices, check_picture, corners, found_boxes, kept, wanted_phrases
from .yolo_file import check_design, read_yolo

THRESHOLD = 0.25  # ultralytics' own, as the two that follow
OVERLAP = 0.7
STEP = 32  # pixels; sides are multiples of it
GREY = 114  # around a picture that is no square
_QUIET = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}


def load_yolo(file: Path, device: str) -> Yolo:
    """Load the detector of a ``.pt`` file; nothing in the file is run."""
    read = read_yolo(file)
    import_quietly()
    from ultralytics.nn.tasks import DetectionModel

    check_design(file, read.design)
    try:
        model = DetectionModel(dict(read.design), ch=3, nc=len(read.names), verbose=False)
        model.load_state_dict({name: tensor.float() for name, tensor in read.tensors.items()})
    except (RuntimeError, TypeError, ValueError, LookupError, AttributeError) as error:
        if is_out_of_memory(error):
            raise
        told = " ".join(str(error).split())[:200]
        raise SetupError(
            f"The weights in {file} do not fit their model: {told}. {AGAIN}"
        ) from error
    return Yolo(placed(model, device), read.names, side=read.side)


def import_quietly() -> None:
    """Import ultralytics so that it fetches, installs, asks and prints nothing."""
    import torch  # noqa: F401 (imported first, ultralytics would set the number of threads)

    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    import ultralytics.nn.tasks  # noqa: F401


class Yolo:
    """Finds the things that it was trained on.

    Args:
        model: A ``DetectionModel`` of ultralytics.
        names: What it finds, by number.
        side: Pixels of the longer side of the pictures that it sees.
    """

    def __init__(self, model: Any, names: dict[int, str], *, side: int) -> None:
        self._model = model
        self._names = names
        self._side = side

    def __call__(self, image: Image, label: str, *, threshold: float = THRESHOLD) -> Boxes:
        """Find things in a picture.

        Args:
            image: The picture.
            label: A name that the model knows, or several with " . " between them.
            threshold: Boxes less sure than this are left out.
        """
        check_picture("detect", image)
        wanted = wanted_phrases(label)
        numbers = [self._number(phrase) for phrase in wanted]
        boxes, scores, which = self._seen(image, numbers, threshold)
        order = np.array([numbers.index(number) for number in which], np.int64)
        return found_boxes(boxes, scores, order, wanted, overlap=1)

    def _number(self, phrase: str) -> int:
        known = {name.lower(): number for number, name in self._names.items()}
        for word in (phrase.lower(), singular(phrase.lower())):
            if word in known:
                return known[word]
        raise SkillError(
            f"detect: yolo knows {len(known)} names, and {phrase!r} is none of them: "
            f"{', '.join(known)}. Ask for one of these, or choose a backend that reads any phrase, "
            "such as grounding-dino."
        )

    def _seen(
        self, image: Image, numbers: list[int], threshold: float
    ) -> tuple[Floats, Floats, Indices]:
        """Return boxes (n, 4) as parts of the picture, their scores and the numbers of names."""
        import torch

        step = max(STEP, *(int(stride) for stride in self._model.stride))
        pixels, (left, top, wide, high) = framed(image.rgb(), self._side, step)
        tensor = torch.from_numpy(pixels.transpose(2, 0, 1).copy())[None].float() / 255
        with torch.inference_mode():
            output = self._model(tensor.to(next(self._model.parameters()).device))
        rows = (output[0] if isinstance(output, (list, tuple)) else output)[0].float().cpu().numpy()
        alone = bool(getattr(self._model, "end2end", False))
        boxes, scores, which = read_rows(rows, numbers, threshold, alone=alone)
        parts = (boxes - [left, top, 0, 0]) / [wide, high, wide, high]
        return parts.astype(np.float32), scores, which


def framed(
    pixels: NDArray[np.uint8], side: int, step: int
) -> tuple[NDArray[np.uint8], tuple[int, int, int, int]]:
    """Scale a picture so that it fits into a square, and put grey around it up to whole steps.

    Args:
        pixels: (height, width, 3)
        side: Of the square.
        step: Height and width become multiples of it.

    Returns:
        pixels: (height, width, 3)
        place: Where the picture is in it: left, top, width and height.
    """
    import cv2

    height, width = pixels.shape[:2]
    scale = min(side / height, side / width)
    wide, high = round(width * scale), round(height * scale)
    if (wide, high) != (width, height):
        pixels = cv2.resize(pixels, (wide, high), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    x, y = -wide % step / 2, -high % step / 2
    left, top = round(x - 0.1), round(y - 0.1)
    around = ((top, round(y + 0.1)), (left, round(x + 0.1)), (0, 0))
    return np.pad(pixels, around, constant_values=GREY), (left, top, wide, high)


def read_rows(
    rows: Floats, numbers: Sequence[int], threshold: float, *, alone: bool
) -> tuple[Floats, Floats, Indices]:
    """Read what a model puts out: the things of some names, each once.

    Args:
        rows: (4 + name, n) of middle x, middle y, width, height in pixels and a score for each
            name; of a model that gives each thing one box by itself, (n, 6) of left, top, right,
            bottom, score and number.
        numbers: Of the names that are wanted.
        threshold: Boxes less sure than this are left out.
        alone: Whether the model is one of the latter.

    Returns:
        boxes: (n, 4) of middle x, middle y, width, height in pixels.
        scores: (n,)
        which: (n,) numbers of the names.
    """
    if alone:
        places, scores, which = rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64)
    else:
        places, scores = corners(rows[:4].T), rows[4:].max(axis=0)
        which = rows[4:].argmax(axis=0).astype(np.int64)
    stay = np.flatnonzero(np.isin(which, numbers) & (scores >= threshold))
    if not alone:
        stay = stay[kept(places[stay], scores[stay], which[stay], OVERLAP)]
    low, high = places[stay, :2], places[stay, 2:]
    boxes = np.concatenate([(low + high) / 2, high - low], axis=1)
    return boxes, scores[stay], which[stay]
