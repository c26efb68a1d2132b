"""How good trained models are, asked through the same skills as a chat asks."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import numpy as np

from llava_plus.errors import SetupError
from llava_plus.skills import (
    Artifacts,
    Boxes,
    Call,
    Masks,
    Points,
    Runtime,
    SkillRegistry,
    Value,
    load_skills,
)

from .scenes import NAMES, SIDE, Scene


def average_precision(backend: str, drawn: Sequence[Scene]) -> float:
    """Return mAP50, the mean over names of the average precision at an overlap of a half, in 0..1.

    Each scene is asked once for all names. The skill leaves out what it is not sure of, which can
    only lower the figure. pycocotools computes it, as for COCO.

    Args:
        backend: Such as "detect=yolo:FILE".
        drawn: The scenes.
    """
    coco, evaluation = _pycocotools()
    skills = load_skills(backends=[backend]).skills
    found = [
        {
            "image_id": number,
            "category_id": NAMES.index(label),
            "bbox": _corner_and_size(box),
            "score": score,
        }
        for number, scene in enumerate(drawn)
        for box, label, score in _parts(_called(skills, "detect", scene, label=" . ".join(NAMES)))
    ]
    if not found:
        return 0.0
    with redirect_stdout(StringIO()):
        truth = coco()
        truth.dataset = _as_coco(drawn)
        truth.createIndex()
        run = evaluation(truth, truth.loadRes(found), "bbox")
        run.evaluate()
        run.accumulate()
        run.summarize()
    return float(run.stats[1])


def mean_overlap(backend: str, drawn: Sequence[Scene], *, by: str) -> float:
    """Return the mean intersection over union of the masks of `segment` and those drawn, in 0..1.

    Args:
        backend: Such as "segment=sam:FOLDER".
        drawn: The scenes; each of their things is asked for.
        by: "box", the exact one, or "point", the one deepest inside.
    """
    skills = load_skills(backends=[backend]).skills
    overlaps: list[float] = []
    for scene in drawn:
        for mask, box in zip(scene.masks, scene.boxes, strict=True):
            prompt = Boxes((box,)) if by == "box" else Points((_deepest(mask),))
            masks = _called(skills, "segment", scene, prompt=prompt)
            assert isinstance(masks, Masks)
            (one,) = masks.to_array()
            overlaps.append(float((one & mask).sum() / (one | mask).sum()))
    return float(np.mean(overlaps))


def _called(skills: SkillRegistry, skill: str, scene: Scene, **args: Any) -> Value:
    """Call a skill as a planner does; what it gives is a value."""
    artifacts = Artifacts()
    given = {"image": artifacts.add(scene.image)}
    for name, value in args.items():
        given[name] = value if isinstance(value, str) else artifacts.add(value)
    call = Call(id="1", skill=skill, args=given)
    seen = asyncio.run(Runtime(skills, artifacts).run(call))
    if seen.handle is None:
        raise SetupError(f"{skill} failed: {seen.text}")
    return artifacts[seen.handle].value


def _parts(value: Value) -> Iterator[tuple[tuple[float, ...], str, float]]:
    assert isinstance(value, Boxes)
    return zip(value.xyxy, value.labels, value.scores, strict=True)


def _deepest(mask: Any) -> tuple[float, float]:
    """Return the place in a mask that is farthest from its edge, in 0..1."""
    import cv2

    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    row, column = np.unravel_index(int(depth.argmax()), mask.shape)
    return (float(column) + 0.5) / mask.shape[1], (float(row) + 0.5) / mask.shape[0]


def _as_coco(drawn: Sequence[Scene]) -> dict[str, Any]:
    boxes = [
        (number, name, box)
        for number, scene in enumerate(drawn)
        for name, box in zip(scene.names, scene.boxes, strict=True)
    ]
    return {
        "images": [{"id": number} for number in range(len(drawn))],
        "categories": [{"id": number, "name": name} for number, name in enumerate(NAMES)],
        "annotations": [
            {
                "id": place + 1,
                "image_id": number,
                "category_id": NAMES.index(name),
                "bbox": (sides := _corner_and_size(box)),
                "area": sides[2] * sides[3],
                "iscrowd": 0,
            }
            for place, (number, name, box) in enumerate(boxes)
        ],
    }


def _corner_and_size(box: Sequence[float]) -> list[float]:
    """Return left, top, width and height in pixels."""
    left, top, right, bottom = (side * SIDE for side in box)
    return [left, top, right - left, bottom - top]


def _pycocotools() -> tuple[Any, Any]:
    try:
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval
    except ImportError as error:
        raise SetupError("Measuring needs pycocotools: pip install pycocotools") from error
    return COCO, COCOeval
