"""Captions and reading by Florence-2 (Xiao et al. 2023, arXiv 2311.06242) in transformers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from llava_plus.errors import SkillError
from llava_plus.skills import Image, Region, Text, TextLines
from llava_plus.skills.builtin.areas import Window, bounds, parts_of

from .checkpoint import load_checkpoint
from .finds import check_picture
from .wording import CAPTION_TOKENS, go_on, pillow, said

READING_TOKENS = 1024
BEAMS = 3  # as its authors do
BINS = 1000  # in each direction; <loc_0> is the middle of the first
_PLACES = re.compile(r"((?:<loc_\d+>)+)")
_PLACE = re.compile(r"<loc_(\d+)>")


def load_florence2(folder: Path, device: str) -> Florence2:
    """Load the model from a folder."""
    from transformers import Florence2ForConditionalGeneration, Florence2Processor

    classes = (Florence2ForConditionalGeneration, Florence2Processor)
    return Florence2(*load_checkpoint(folder, device, *classes, half=True))


class Florence2:
    """Says what a picture shows, and reads the text in it.

    Args:
        model: A ``Florence2ForConditionalGeneration``.
        processor: Its ``Florence2Processor``.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor

    def caption(self, image: Image, *, prompt: str = "") -> Text:
        """Say in a sentence what a picture shows.

        Args:
            image: The picture.
            prompt: Must be empty, since this model's task takes no words.
        """
        check_picture("caption", image)
        if prompt.strip():
            raise SkillError(
                f"caption: florence-2 takes no prompt, got {prompt.strip()[:80]!r}. Leave it out."
            )
        words = self._written(pillow(image), "<CAPTION>", CAPTION_TOKENS)
        return said("caption", "florence-2", re.sub(r"<[^<>]*>", " ", words))

    def ocr(self, image: Image, *, region: Region | None = None) -> TextLines:
        """Read text, with the four corners of each line.

        Args:
            image: The picture.
            region: Where to read, one window around all its parts; everywhere where left out.
        """
        check_picture("ocr", image)
        window = Window(0, 0, image.width, image.height)
        if region is not None:
            window = bounds(parts_of("ocr", region), image)
        part = Image(image.rgb()[window.cut])
        check_picture("ocr", part)
        lines = lines_of(self._written(pillow(part), "<OCR_WITH_REGION>", READING_TOKENS))
        size = np.array([window.width, window.height])
        corner = np.array([window.left, window.top])
        places = [(at * size + corner) / [image.width, image.height] for _, at in lines]
        return TextLines(
            tuple(text for text, _ in lines),
            tuple(tuple((float(x), float(y)) for x, y in np.clip(at, 0, 1)) for at in places),
            query="text",
        )

    def _written(self, picture: Any, task: str, most: int) -> str:
        inputs = self._processor(images=picture, text=task, return_tensors="pt")
        tokens = go_on(self._model, inputs, most, num_beams=BEAMS)
        text = self._processor.tokenizer.decode(tokens, skip_special_tokens=False)
        return re.sub(r"</?s>|<pad>", "", text)


def lines_of(written: str) -> list[tuple[str, Any]]:
    """Read lines of text with their corners, (4, 2) in 0..1, out of what Florence-2 wrote.

    What stands before another number of places than four corners have is left out.
    """
    found = []
    parts = _PLACES.split(written)  # text, its places, text, its places, …, a rest
    for text, places in zip(parts[::2], parts[1::2], strict=False):
        numbers = np.array([int(number) for number in _PLACE.findall(places)], np.float64)
        if text.strip() and len(numbers) == 8 and numbers.max() < BINS:
            found.append((text.strip(), (numbers.reshape(4, 2) + 0.5) / BINS))
    return found
