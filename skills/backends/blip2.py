"""Captions and answers by BLIP-2 (Li et al. 2023, arXiv 2301.12597), as transformers has it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llava_plus.skills import Image, Text

from .checkpoint import load_checkpoint
from .finds import check_picture
from .wording import ANSWER_TOKENS, CAPTION_TOKENS, asked, go_on, pillow, plain, said


def load_blip2(folder: Path, device: str) -> Blip2:
    """Load the model from a folder."""
    from transformers import Blip2ForConditionalGeneration, Blip2Processor

    classes = (Blip2ForConditionalGeneration, Blip2Processor)
    return Blip2(*load_checkpoint(folder, device, *classes, half=True))


class Blip2:
    """Says what a picture shows, and answers questions.

    Args:
        model: A ``Blip2ForConditionalGeneration``.
        processor: Its ``Blip2Processor``.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor
        if processor.num_query_tokens is None:  # older files leave it to the model's config
            processor.num_query_tokens = model.config.num_query_tokens

    def caption(self, image: Image, *, prompt: str = "") -> Text:
        """Go on after a beginning such as "a photo of", or begin.

        Args:
            image: The picture.
            prompt: The beginning; it stands in the caption, too.
        """
        check_picture("caption", image)
        beginning = plain(prompt, self._processor.tokenizer)
        rest = said("caption", "blip2", self._words(image, beginning, CAPTION_TOKENS))
        return Text(f"{beginning} {rest.text}".strip())

    def ask(self, image: Image, question: str) -> Text:
        """Answer a question, put to the model as its authors did."""
        check_picture("ask", image)
        words = asked(question, self._processor.tokenizer)
        answer = self._words(image, f"Question: {words} Answer:", ANSWER_TOKENS)
        return said("ask", "blip2", answer)

    def _words(self, image: Image, prompt: str, most: int) -> str:
        text = {"text": prompt} if prompt else {}
        inputs = self._processor(images=pillow(image), return_tensors="pt", **text)
        tokens = go_on(self._model, inputs, most)
        return str(self._processor.tokenizer.decode(tokens, skip_special_tokens=True))
