"""Detection by GroundingDINO (Liu et al. 2023, arXiv 2303.05499), as transformers has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image

from .checkpoint import load_checkpoint
from .finds import Floats, Indices, check_picture, found_boxes, wanted_phrases

THRESHOLD = 0.3  # LLaVA-Plus's own
TEXT_THRESHOLD = 0.25
OVERLAP = 0.8  # LLaVA-Plus's own
Spans = tuple[tuple[int, int], ...]  # of letters or of tokens: first, and one after the last


def load_grounding_dino(folder: Path, device: str) -> GroundingDino:
    """Load the detector from a folder."""
    from transformers import GroundingDinoForObjectDetection, GroundingDinoProcessor

    classes = (GroundingDinoForObjectDetection, GroundingDinoProcessor)
    return GroundingDino(*load_checkpoint(folder, device, *classes))


class GroundingDino:
    """Finds what phrases name.

    Args:
        model: A ``GroundingDinoForObjectDetection``.
        processor: Its ``GroundingDinoProcessor``.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor

    def __call__(
        self,
        image: Image,
        label: str,
        *,
        threshold: float = THRESHOLD,
        text_threshold: float = TEXT_THRESHOLD,
    ) -> Boxes:
        """Find things in a picture.

        Args:
            image: The picture.
            label: A phrase, or several with " . " between them.
            threshold: Boxes less sure than this are left out.
            text_threshold: A box stands for a phrase only if one of its words is this sure.
        """
        check_picture("detect", image)
        wanted = wanted_phrases(label)
        caption, letters = written(wanted)
        tokens = self._tokens(caption, letters, wanted)
        boxes, scores = self._seen(image, caption)
        rows, which, sure = assigned(scores, tokens, max(threshold, text_threshold))
        return found_boxes(boxes[rows], sure, which, wanted, overlap=OVERLAP)

    def _tokens(self, caption: str, letters: Spans, wanted: Sequence[str]) -> Spans:
        """Find each phrase among the tokens of the caption, and refuse what cannot be read."""
        read = self._processor.tokenizer(caption, return_offsets_mapping=True)
        most = self._model.config.max_text_len
        if len(read["input_ids"]) > most:
            raise SkillError(
                f"detect: label is {len(read['input_ids'])} tokens long; wanted at most {most}. "
                "Name one thing in a few words."
            )
        spans = token_spans(read["offset_mapping"], letters)
        unknown = self._processor.tokenizer.unk_token_id
        for phrase, (first, end) in zip(wanted, spans, strict=True):
            if all(token == unknown for token in read["input_ids"][first:end]):
                raise SkillError(
                    f"detect: grounding-dino reads English, and cannot read {phrase!r}. "
                    "Say it in English."
                )
        return spans

    def _seen(self, image: Image, caption: str) -> tuple[Floats, Floats]:
        """Return boxes (query, 4) and how well each fits each token (query, token), in 0..1."""
        import torch
        from PIL import Image as Pillow

        picture = Pillow.fromarray(image.rgb())
        inputs = self._processor(images=picture, text=caption, return_tensors="pt")
        with torch.inference_mode():
            output = self._model(**inputs.to(self._model.device))
        scores = output.logits[0].sigmoid().float().cpu().numpy()
        return output.pred_boxes[0].float().cpu().numpy(), scores


def written(wanted: Sequence[str]) -> tuple[str, Spans]:
    """Return the caption that GroundingDINO reads, "cat. dog.", and where each phrase stands."""
    caption = ""
    spans: list[tuple[int, int]] = []
    for phrase in wanted:
        small = phrase.lower()
        caption += " " if caption else ""
        spans.append((len(caption), len(caption) + len(small)))
        caption += small + "."
    return caption, tuple(spans)


def token_spans(offsets: Sequence[tuple[int, int]], letters: Spans) -> Spans:
    """Return which tokens each span of letters covers.

    Args:
        offsets: Of each token, its letters; of special tokens (0, 0).
        letters: The spans.
    """
    spans: list[tuple[int, int]] = []
    for start, end in letters:
        inside = [i for i, (a, b) in enumerate(offsets) if a < b and start <= a and b <= end]
        spans.append((inside[0], inside[-1] + 1) if inside else (0, 0))
    return tuple(spans)


def assigned(
    scores: Floats, tokens: Spans, threshold: float
) -> tuple[NDArray[np.intp], Indices, Floats]:
    """Give each box the phrase that fits it best; leave out what fits none well enough.

    A phrase fits as well as the best of its tokens.

    Args:
        scores: (query, token) in 0..1.
        tokens: Of each phrase, its tokens.
        threshold: The least that counts.

    Returns:
        rows: (n,) which boxes stay.
        which: (n,) the phrase of each.
        sure: (n,) how well it fits.
    """
    fits = np.stack(
        [scores[:, first:end].max(axis=1, initial=0.0) for first, end in tokens], axis=1
    )  # (query, phrase)
    best = fits.argmax(axis=1)
    sure = fits[np.arange(len(fits)), best]
    rows = np.flatnonzero(sure >= threshold)
    return rows, best[rows].astype(np.int64), sure[rows]
