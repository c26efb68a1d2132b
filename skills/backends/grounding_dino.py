"""Detection by GroundingDINO (Liu et al. 2023, arXiv 2303.05499), as transformers has it."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
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
AT_ONCE = 4  # calls
_LIMITS = {"threshold": THRESHOLD, "text_threshold": TEXT_THRESHOLD}
Spans = tuple[tuple[int, int], ...]  # of letters or of tokens: first, and one after the last


def load_grounding_dino(folder: Path, device: str) -> GroundingDino:
    """Load the detector from a folder."""
    from transformers import GroundingDinoForObjectDetection, GroundingDinoProcessor

    classes = (GroundingDinoForObjectDetection, GroundingDinoProcessor)
    return GroundingDino(
        *load_checkpoint(folder, device, *classes), at_once=1 if device == "cpu" else AT_ONCE
    )


class GroundingDino:
    """Finds what phrases name.

    Args:
        model: A ``GroundingDinoForObjectDetection``.
        processor: Its ``GroundingDinoProcessor``.
        at_once: How many calls it may do together; a processor gains nothing from several.
    """

    def __init__(self, model: Any, processor: Any, *, at_once: int = 1) -> None:
        self._model = model
        self._processor = processor
        self.at_once = at_once

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
        asked = self._asked(image, label, threshold, text_threshold)
        return self._answered([asked])[0]

    def group(self, arguments: Mapping[str, Any]) -> Hashable:
        """Return the size of a picture: only of one size are none padded, which changes results."""
        image: Image = arguments["image"]
        return image.width, image.height

    def together(self, calls: Sequence[Mapping[str, Any]]) -> list[Boxes]:
        """Do several calls at once."""
        return self._answered([self._asked(**{**_LIMITS, **call}) for call in calls])

    def _asked(self, image: Image, label: str, threshold: float, text_threshold: float) -> _Asked:
        check_picture("detect", image)
        wanted = wanted_phrases(label)
        caption, letters = written(wanted)
        return _Asked(
            image=image,
            wanted=wanted,
            caption=caption,
            tokens=self._tokens(caption, letters, wanted),
            least=max(threshold, text_threshold),
        )

    def _answered(self, asked: Sequence[_Asked]) -> list[Boxes]:
        found = []
        seen = self._seen([each.image for each in asked], [each.caption for each in asked])
        for each, boxes, scores in zip(asked, *seen, strict=True):
            rows, which, sure = assigned(scores, each.tokens, each.least)
            found.append(found_boxes(boxes[rows], sure, which, each.wanted, overlap=OVERLAP))
        return found

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

    def _seen(self, images: Sequence[Image], captions: Sequence[str]) -> tuple[Floats, Floats]:
        """Return boxes (picture, query, 4) and how well each fits each token, in 0..1."""
        import torch
        from PIL import Image as Pillow

        pictures = [Pillow.fromarray(image.rgb()) for image in images]
        inputs = self._processor(
            images=pictures, text=list(captions), padding=True, return_tensors="pt"
        )
        with torch.inference_mode():
            output = self._model(**inputs.to(self._model.device))
        scores = output.logits.sigmoid().float().cpu().numpy()  # (picture, query, token)
        return output.pred_boxes.float().cpu().numpy(), scores


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A call, read."""

    image: Image
    wanted: tuple[str, ...]
    caption: str
    tokens: Spans
    least: float


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
