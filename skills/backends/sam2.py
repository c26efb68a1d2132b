"""Outlines by SAM 2 (Ravi et al. 2024, arXiv 2408.00714), as transformers has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llava_plus.skills import Image

from .checkpoint import load_checkpoint
from .outlining import Floats, Outliner


def load_sam2(folder: Path, device: str) -> Outliner:
    """Load the part of the model that outlines in single pictures from a folder."""
    from transformers import Sam2Model, Sam2Processor

    return Outliner(Sam2(*load_checkpoint(folder, device, Sam2Model, Sam2Processor)))


class Sam2:
    """Looks at pictures and outlines.

    Args:
        model: A ``Sam2Model``.
        processor: Its ``Sam2Processor``.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor

    def look(self, image: Image) -> tuple[Any, list[list[int]]]:
        """Return the embeddings of a picture, and its height and width."""
        import torch
        from PIL import Image as Pillow

        inputs = self._processor(images=Pillow.fromarray(image.rgb()), return_tensors="pt")
        with torch.inference_mode():
            pixels = inputs["pixel_values"].to(self._model.device)
            return self._model.get_image_embeddings(pixels), [[image.height, image.width]]

    def outline(
        self,
        seen: Any,
        *,
        boxes: Floats | None = None,
        points: Floats | None = None,
        on: Any = None,
    ) -> tuple[Any, Any]:
        """Return masks (prompt, choice, height, width) and their scores (prompt, choice)."""
        embeddings, size = seen
        asked: dict[str, Any] = {}
        if boxes is not None:
            asked["input_boxes"] = [boxes.tolist()]
        if points is not None:
            asked |= {"input_points": [[points.tolist()]], "input_labels": [[on.tolist()]]}
        inputs = self._processor(original_sizes=size, return_tensors="pt", **asked)
        del inputs["original_sizes"]
        output = self._model(
            image_embeddings=embeddings, multimask_output=True, **inputs.to(self._model.device)
        )
        masks = self._processor.post_process_masks(output.pred_masks.cpu(), size)[0]
        return masks, output.iou_scores[0].cpu()
