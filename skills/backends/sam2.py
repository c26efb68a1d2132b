"""Outlines by SAM 2 (Ravi et al. 2024, arXiv 2408.00714), as transformers has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llava_plus.skills import Image

from .checkpoint import load_checkpoint
from .masking import Seen, Size
from .outlining import Outliner
from .sam import Sam
from .wording import pillow


def load_sam2(folder: Path, device: str) -> Outliner:
    """Load the part of the model that outlines in single pictures from a folder."""
    from transformers import Sam2Model, Sam2Processor

    return Outliner(Sam2(*load_checkpoint(folder, device, Sam2Model, Sam2Processor)))


class Sam2(Sam):
    """Looks at pictures with a ``Sam2Model`` and its ``Sam2Processor``, and answers as SAM does."""

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

    def enlarged(self, seen: Seen, logits: Any, size: Size) -> Any:
        """Bring masks to a size, see `Looker`."""
        large = self._processor.post_process_masks([logits[:, None]], [size], binarize=False)
        return large[0][:, 0]
