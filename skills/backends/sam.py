"""Outlines by SAM (Kirillov et al. 2023, arXiv 2304.02643), as transformers has it."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, Masks, Points
from llava_plus.skills.builtin.areas import parts_of

from .checkpoint import load_checkpoint
from .finds import check_picture

REMEMBERED = 8  # pictures whose embeddings are kept, 4 MB each
AT_ONCE = 32  # boxes


def load_sam(folder: Path, device: str) -> Sam:
    """Load the model from a folder."""
    from transformers import SamModel, SamProcessor

    return Sam(*load_checkpoint(folder, device, SamModel, SamProcessor))


class Sam:
    """Outlines the thing in each box, or under points; what it saw of a picture, it remembers.

    Args:
        model: A ``SamModel``.
        processor: Its ``SamProcessor``.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor
        self._seen: OrderedDict[str, Any] = OrderedDict()  # the longest unused first
        self.looks = 0  # how often the large part of the model has run

    def __call__(self, image: Image, prompt: Boxes | Points) -> Masks:
        """Outline things in a picture.

        Args:
            image: The picture.
            prompt: Boxes, each around one thing, or points on one thing and beside it.

        Returns:
            A mask for each box, or one for the points; scores say how good SAM takes it to be.
        """
        check_picture("segment", image)
        if isinstance(prompt, Points):
            return self._at_points(image, prompt)
        boxes = parts_of("segment", prompt)
        assert isinstance(boxes, Boxes)
        size = [image.width, image.height] * 2
        places = (np.array(boxes.xyxy) * size).tolist()  # (box, 4) in pixels
        masks: list[NDArray[np.bool_]] = []
        scores: list[float] = []
        for start in range(0, len(places), AT_ONCE):
            found = self._outlined(image, input_boxes=[places[start : start + AT_ONCE]])
            masks += found[0]
            scores += found[1]
        return Masks.from_array(
            np.stack(masks), labels=boxes.labels, scores=tuple(scores), query=boxes.query
        )

    def _at_points(self, image: Image, points: Points) -> Masks:
        if not any(points.positive):
            raise SkillError("segment: needs a point on the thing. Click on what is meant.")
        places = (np.array(points.xy) * [image.width, image.height]).tolist()  # (point, 2)
        labels = [int(positive) for positive in points.positive]
        masks, scores = self._outlined(image, input_points=[[places]], input_labels=[[labels]])
        return Masks.from_array(np.stack(masks), scores=tuple(scores))

    def _outlined(self, image: Image, **prompt: Any) -> tuple[list[NDArray[np.bool_]], list[float]]:
        """Return the best mask (height, width) for each prompt, and its score."""
        import torch
        from PIL import Image as Pillow

        picture = Pillow.fromarray(image.rgb())
        inputs = self._processor(images=picture, return_tensors="pt", **prompt)
        sizes = (inputs.pop("original_sizes"), inputs.pop("reshaped_input_sizes"))
        inputs = inputs.to(self._model.device, torch.float32)  # integers stay integers
        with torch.inference_mode():
            pixels = inputs.pop("pixel_values")
            embedding = self._embedding(image.digest, pixels)
            output = self._model(image_embeddings=embedding, multimask_output=True, **inputs)
            best, scores = best_masks(output.pred_masks[0], output.iou_scores[0])
            masks = [
                self._processor.post_process_masks([mask[None, None]], *sizes)[0][0, 0]
                for mask in best
            ]
        return [mask.cpu().numpy() for mask in masks], scores

    def _embedding(self, digest: str, pixels: Any) -> Any:
        """Return what the large part of the model makes of a picture, computed once."""
        if digest not in self._seen:
            self._seen[digest] = self._model.get_image_embeddings(pixels)
            self.looks += 1
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        self._seen.move_to_end(digest)
        return self._seen[digest]


def best_masks(masks: Any, scores: Any) -> tuple[Any, list[float]]:
    """Choose for each prompt the mask that SAM takes for the best.

    Args:
        masks: (prompt, choice, height, width)
        scores: (prompt, choice), about 0..1.

    Returns:
        masks: (prompt, height, width)
        scores: Of each, in 0..1.
    """
    best = scores.argmax(dim=1)
    rows = range(len(best))
    chosen = scores[rows, best].clamp(0, 1).tolist()
    return masks[rows, best], [round(float(score), 3) for score in chosen]
