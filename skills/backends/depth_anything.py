"""Depth by Depth Anything (Yang et al. 2024, arXiv 2401.10891), as transformers has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llava_plus.skills import Image, Region, Table
from llava_plus.skills.builtin.areas import each_part, parts_of

from .checkpoint import load_checkpoint
from .finds import Floats, check_picture
from .wording import pillow


def load_depth_anything(folder: Path, device: str) -> DepthAnything:
    """Load the model from a folder."""
    from transformers import DepthAnythingForDepthEstimation, DPTImageProcessor

    classes = (DepthAnythingForDepthEstimation, DPTImageProcessor)
    return DepthAnything(*load_checkpoint(folder, device, *classes))


class DepthAnything:
    """Says which places of a picture are nearer than others.

    Args:
        model: A ``DepthAnythingForDepthEstimation``.
        processor: Its ``DPTImageProcessor``.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor

    def __call__(self, image: Image, *, region: Region | None = None) -> Image | Table:
        """Show, or tell of parts, how near they are.

        Args:
            image: The picture.
            region: Parts; each gets the middle one of the values of its pixels.
        """
        check_picture("depth", image)
        if region is None:
            return Image.from_array(np.rint(self.nearness(image) * 255).astype(np.uint8))
        parts = parts_of("depth", region)
        near = self.nearness(image)
        values = [float(np.median(near[w.cut][mask])) for w, mask in each_part(parts, image)]
        names = getattr(parts, "texts", ()) or parts.labels or ("",) * len(values)
        rows = [(f"{n + 1} {names[n]}".strip(), round(value, 2)) for n, value in enumerate(values)]
        return Table(("part", "nearness"), tuple(rows))

    def nearness(self, image: Image) -> Floats:
        """Return how near each pixel is, 0 the farthest and 1 the nearest: (height, width).

        Where the model sees no difference at all, everything is 0.
        """
        import torch

        inputs = self._processor(images=pillow(image), return_tensors="pt")
        with torch.inference_mode():
            output = self._model(**inputs.to(self._model.device))
        (made,) = self._processor.post_process_depth_estimation(
            output, target_sizes=[(image.height, image.width)]
        )
        near: NDArray[np.float32] = made["predicted_depth"].float().cpu().numpy()
        if self._model.config.depth_estimation_type == "metric":  # metres; else, one by distance
            near = -near
        low, high = float(near.min()), float(near.max())
        return (near - low) / max(high - low, 1e-6)
