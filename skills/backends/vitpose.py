"""Joints of people by ViTPose (Xu et al. 2022, arXiv 2204.12484), as transformers has it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import Boxes, Image, Region, Table, region_boxes
from llava_plus.skills.builtin.areas import edited, parts_of, whole

from .checkpoint import load_checkpoint
from .finds import check_picture
from .wording import pillow

SURE = 0.3  # a joint of which the model is less sure counts as not seen
MOST = 50  # people
JOINTS = (
    *("nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder"),
    *("left elbow", "right elbow", "left wrist", "right wrist", "left hip", "right hip"),
    *("left knee", "right knee", "left ankle", "right ankle"),
)  # of COCO, in its order
LIMBS = (
    *((0, 1), (0, 2), (1, 3), (2, 4), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12)),
    *((11, 12), (11, 13), (13, 15), (12, 14), (14, 16)),
)
LEFT, RIGHT, MIDDLE = "orange", "deepskyblue", "white"
Places = NDArray[np.float32]  # (person, joint, 3) of x, y in 0..1 and how sure


def load_vitpose(folder: Path, device: str) -> VitPose:
    """Load the model from a folder.

    Raises:
        SetupError: It knows other joints than COCO's.
    """
    from transformers import VitPoseForPoseEstimation, VitPoseImageProcessor

    classes = (VitPoseForPoseEstimation, VitPoseImageProcessor)
    model, processor = load_checkpoint(folder, device, *classes)
    if model.config.num_labels != len(JOINTS):
        raise SetupError(
            f"The model in {folder} knows {model.config.num_labels} joints; wanted the "
            f"{len(JOINTS)} of COCO, as vitpose-base-simple does. Name other weights."
        )
    return VitPose(model, processor)


class VitPose:
    """Finds the joints of people whose places are known.

    Args:
        model: A ``VitPoseForPoseEstimation``.
        processor: Its ``VitPoseImageProcessor``.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor

    def __call__(
        self, image: Image, *, region: Region | None = None, drawn: bool = True
    ) -> Image | Table:
        """Draw joints and limbs, or tell where the joints are.

        Args:
            image: The picture.
            region: The people.
            drawn: Whether to draw.
        """
        check_picture("pose", image)
        people = region_boxes(whole() if region is None else parts_of("pose", region))
        if len(people) > MOST:
            raise SkillError(
                f"pose: the region has {len(people)} parts; wanted at most {MOST}. Select some."
            )
        places = self.places(image, people)
        if drawn:
            return edited(image, drawing(image, places))
        return Table(("person", "joint", "x", "y", "sure"), tuple(_rows(places)))

    def places(self, image: Image, people: Boxes) -> Places:
        """Return where the joints are and how sure that is, of each person."""
        import torch

        size = np.array([image.width, image.height])
        corners = np.array(people.xyxy).reshape(-1, 2, 2) * size
        sides = np.maximum(corners[:, 1] - corners[:, 0], 1)
        boxes = np.concatenate([corners[:, 0], sides], axis=1).tolist()  # left, top, width, height
        inputs = self._processor(images=pillow(image), boxes=[boxes], return_tensors="pt")
        inputs = inputs.to(self._model.device, torch.float32)
        if getattr(self._model.config.backbone_config, "num_experts", 1) > 1:
            first = torch.zeros(len(boxes), dtype=torch.long)  # the expert for COCO
            inputs["dataset_index"] = first.to(self._model.device)
        with torch.inference_mode():
            output = self._model(**inputs)
        (found,) = self._processor.post_process_pose_estimation(output, boxes=[boxes])
        xy = np.stack([person["keypoints"].float().cpu().numpy() for person in found]) / size
        sure = np.stack([person["scores"].float().cpu().numpy() for person in found])
        sure = np.clip(sure.reshape(*xy.shape[:2], 1), 0, 1)
        return np.concatenate([np.clip(xy, 0, 1), sure], axis=2).astype(np.float32)


def _rows(places: Places) -> Iterator[tuple[int, str, float, float, float]]:
    """Yield each joint that is seen: whose, its name, its place and how sure it is."""
    for number, person in enumerate(places.tolist(), 1):
        for joint, (x, y, sure) in zip(JOINTS, person, strict=True):
            if sure >= SURE:
                yield number, joint, round(x, 3), round(y, 3), round(sure, 3)


def drawing(image: Image, places: Places) -> NDArray[np.uint8]:
    """Return the pixels with joints and limbs over them: the person's left orange, right blue."""
    canvas = Pillow.fromarray(image.rgb())
    draw = ImageDraw.Draw(canvas)
    width = max(2, round(max(canvas.size) / 250))
    for person in places:
        xy = [(float(x) * image.width, float(y) * image.height) for x, y, _ in person]
        seen = person[:, 2] >= SURE
        for start, end in LIMBS:
            if seen[start] and seen[end]:
                draw.line((xy[start], xy[end]), fill=_color(start, end), width=width)
        for joint in np.flatnonzero(seen).tolist():
            (x, y), r = xy[joint], 1.5 * width
            draw.ellipse((x - r, y - r, x + r, y + r), fill=_color(joint, joint), outline="black")
    return np.asarray(canvas)


def _color(start: int, end: int) -> str:
    names = (JOINTS[start], JOINTS[end])
    if all(name.startswith("left") for name in names):
        return LEFT
    return RIGHT if all(name.startswith("right") for name in names) else MIDDLE
