"""Outlines by SAM (Kirillov et al. 2023, arXiv 2304.02643), as transformers has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llava_plus.skills import Image

from .checkpoint import load_checkpoint
from .masking import Floats, Seen, Size
from .outlining import Outliner
from .wording import pillow


def load_sam(folder: Path, device: str) -> Outliner:
    """Load the model from a folder."""
    from transformers import SamModel, SamProcessor

    return Outliner(Sam(*load_checkpoint(folder, device, SamModel, SamProcessor)))


class Sam:
    """Looks at pictures and answers prompts.

    Args:
        model: A ``SamModel``.
        processor: Its ``SamProcessor``.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor

    def look(self, image: Image) -> Seen:
        """Return what the large part makes of a picture."""
        import torch

        inputs = self._processor(images=pillow(image), return_tensors="pt")
        pixels = inputs["pixel_values"].to(self._model.device, torch.float32)
        with torch.inference_mode():
            embedding = self._model.get_image_embeddings(pixels)
        height, width = inputs["reshaped_input_sizes"][0].tolist()
        return Seen(
            embedding=embedding,
            size=(image.height, image.width),
            scaled=(height, width),
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
        import torch

        device = self._model.device
        if points is not None:
            more["input_points"] = torch.tensor(points[None], dtype=torch.float32, device=device)
            more["input_labels"] = torch.tensor(labels, device=device)[None]
        if boxes is not None:
            more["input_boxes"] = torch.tensor(boxes[None], dtype=torch.float32, device=device)
        output = self._model(image_embeddings=seen.embedding, multimask_output=multimask, **more)
        return output.pred_masks[0], output.iou_scores[0]

    def enlarged(self, seen: Seen, logits: Any, size: Size) -> Any:
        """Bring masks to a size, see `Looker`."""
        large = self._processor.post_process_masks(
            [logits[:, None]], [size], [seen.scaled], binarize=False
        )
        return large[0][:, 0]
