"""Outlines by SAM 2 (Ravi et al. 2024, arXiv 2408.00714), as transformers has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llava_plus.skills import Image

from .checkpoint import load_checkpoint
from .masking import Floats, Seen, Size
from .outlining import Outliner
from .sam import prompts
from .wording import pillow


def load_sam2(folder: Path, device: str) -> Outliner:
    """Load the part of the model that outlines in single pictures from a folder."""
    from transformers import Sam2Model, Sam2Processor

    return Outliner(Sam2(*load_checkpoint(folder, device, Sam2Model, Sam2Processor)))


class Sam2:
    """Looks at pictures and answers prompts.

    Args:
        model: A ``Sam2Model``.
        processor: Its ``Sam2Processor``.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor

    def look(self, image: Image) -> Seen:
        """Return what the large part makes of a picture, which is squeezed to a square."""
        import torch

        inputs = self._processor(images=pillow(image), return_tensors="pt")
        pixels = inputs["pixel_values"].to(self._model.device)
        with torch.inference_mode():
            embeddings = self._model.get_image_embeddings(pixels)
        return Seen(
            embedding=embeddings,
            size=(image.height, image.width),
            scaled=(pixels.shape[-2], pixels.shape[-1]),
            square=pixels.shape[-1],
        )

    def decoded(
        self,
        seen: Seen,
        *,
        points: Floats | None = None,
        labels: NDArray[np.int64] | None = None,
        boxes: Floats | None = None,
        multimask: bool = True,
        **more: Any,
    ) -> tuple[Any, Any]:
        """Return masks and scores for prompts, see `Looker`."""
        prompt = prompts(points, labels, boxes, self._model.device)
        output = self._model(
            image_embeddings=seen.embedding, multimask_output=multimask, **prompt, **more
        )
        return output.pred_masks[0], output.iou_scores[0]

    def enlarged(self, seen: Seen, logits: Any, size: Size) -> Any:
        """Bring masks to a size, see `Looker`."""
        large = self._processor.post_process_masks([logits[:, None]], [size], binarize=False)
        return large[0][:, 0]
