"""Detection by OWLv2 (Minderer et al. 2023, arXiv 2306.09683), as transformers has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image

from .checkpoint import load_checkpoint
from .finds import Floats, check_picture, found_boxes, wanted_phrases

THRESHOLD = 0.2
OVERLAP = 0.5  # it gives a thing many boxes
_ARTICLES = ("the", "a", "an", "all", "any", "every", "some")


def load_owlv2(folder: Path, device: str) -> Owlv2:
    """Load the detector from a folder."""
    from transformers import Owlv2ForObjectDetection, Owlv2Processor

    classes = (Owlv2ForObjectDetection, Owlv2Processor)
    return Owlv2(*load_checkpoint(folder, device, *classes))


class Owlv2:
    """Finds what phrases name.

    Args:
        model: An ``Owlv2ForObjectDetection``.
        processor: Its ``Owlv2Processor``.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor

    def __call__(self, image: Image, label: str, *, threshold: float = THRESHOLD) -> Boxes:
        """Find things in a picture.

        Args:
            image: The picture.
            label: A phrase, or several with " . " between them.
            threshold: Boxes less sure than this are left out.
        """
        check_picture("detect", image)
        wanted = wanted_phrases(label)
        asked = [asked_for(phrase) for phrase in wanted]
        self._check_length(asked)
        boxes, scores = self._seen(image, asked)
        best = scores.argmax(axis=1)
        sure = scores[np.arange(len(scores)), best]
        rows = np.flatnonzero(sure >= threshold)
        placed = of_picture(boxes[rows], image.width, image.height)
        which = best[rows].astype(np.int64)
        return found_boxes(placed, sure[rows], which, wanted, overlap=OVERLAP)

    def _check_length(self, asked: list[str]) -> None:
        most = self._model.config.text_config.max_position_embeddings
        for text, tokens in zip(asked, self._processor.tokenizer(asked)["input_ids"], strict=True):
            if len(tokens) > most:
                raise SkillError(
                    f"detect: {text!r} is {len(tokens)} tokens long, and owlv2 reads {most}. "
                    "Name one thing in a few words."
                )

    def _seen(self, image: Image, asked: list[str]) -> tuple[Floats, Floats]:
        """Return boxes (patch, 4) and how well each fits each text (patch, text), in 0..1."""
        import torch
        from PIL import Image as Pillow

        picture = Pillow.fromarray(image.rgb())
        inputs = self._processor(images=picture, text=[asked], return_tensors="pt")
        with torch.inference_mode():
            output = self._model(**inputs.to(self._model.device))
        scores = output.logits[0].sigmoid().float().cpu().numpy()
        return output.pred_boxes[0].float().cpu().numpy(), scores


def asked_for(phrase: str) -> str:
    """Return the sentence that OWLv2 compares with the picture, "a photo of a dog"."""
    first, _, rest = phrase.lower().partition(" ")
    return f"a photo of a {rest if rest and first in _ARTICLES else phrase.lower()}"


def of_picture(boxes: Floats, width: int, height: int) -> Floats:
    """Turn fractions of the square that OWLv2 sees into fractions of the picture.

    The picture lies in the upper left corner of the square, whose side is its longer one.
    """
    side = max(width, height)
    x, y = side / width, side / height
    return boxes * np.array([x, y, x, y], np.float32)
