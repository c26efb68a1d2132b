"""Reading lines of text by TrOCR (Li et al. 2021, arXiv 2109.10282), as transformers has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llava_plus.skills import Image, Region, TextLines
from llava_plus.skills.builtin.reading import ocr

from .checkpoint import load_checkpoint

AT_ONCE = 8  # lines
TOKENS = 64  # of a line


def load_trocr(folder: Path, device: str) -> TrOcr:
    """Load the model from a folder."""
    from transformers import TrOCRProcessor, VisionEncoderDecoderModel

    classes = (VisionEncoderDecoderModel, TrOCRProcessor)
    pooler = ("encoder.pooler.",)  # the published weights lack it
    return TrOcr(*load_checkpoint(folder, device, *classes, half=True, unused=pooler))


class TrOcr:
    """Reads the lines that the built-in skill finds.

    Args:
        model: A ``VisionEncoderDecoderModel``.
        processor: Its ``TrOCRProcessor``.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor

    def __call__(self, image: Image, *, region: Region | None = None) -> TextLines:
        """Read text line by line; what says nothing to the model is left out.

        Args:
            image: The picture.
            region: Where to read; everywhere where left out.
        """
        lines = ocr(image, region=region)
        texts = self.read(list(straightened(image, lines)))
        kept = [index for index, text in enumerate(texts) if text]
        return replace(lines, texts=tuple(texts), scores=()).take(kept)

    def read(self, lines: list[NDArray[np.uint8]]) -> list[str]:
        """Return what each picture of a line says."""
        import torch

        texts: list[str] = []
        for start in range(0, len(lines), AT_ONCE):
            some = lines[start : start + AT_ONCE]
            pixels = self._processor(images=some, return_tensors="pt").pixel_values
            with torch.inference_mode():
                tokens = self._model.generate(
                    pixels.to(self._model.device, self._model.dtype),
                    max_new_tokens=TOKENS,
                    do_sample=False,
                )
            texts += self._processor.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        return [" ".join(text.split()) for text in texts]


def straightened(image: Image, lines: TextLines) -> Iterator[NDArray[np.uint8]]:
    """Yield each line as an upright picture of its own: (height, width, 3)."""
    import cv2

    rgb = image.rgb()
    for polygon in lines.polygons:
        corners = (np.array(polygon) * [image.width, image.height]).astype(np.float32)
        width = max(2, round(float(np.linalg.norm(corners[1] - corners[0]))))
        height = max(2, round(float(np.linalg.norm(corners[3] - corners[0]))))
        goal = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        matrix = cv2.getPerspectiveTransform(corners, goal)
        line = cv2.warpPerspective(rgb, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
        yield np.asarray(line, np.uint8)
