"""Captions and answers by any model of transformers that chats about a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from llava_plus.errors import SetupError
from llava_plus.skills import Image, Text

from .checkpoint import load_checkpoint
from .finds import check_picture
from .wording import ANSWER_TOKENS, CAPTION_TOKENS, asked, go_on, pillow, plain, said

CAPTION_PROMPT = "Describe the picture in one short sentence."
ANSWER_PROMPT = "{} Answer in a few words."


def load_image_text(folder: Path, device: str) -> ImageText:
    """Load the model from a folder.

    Raises:
        SetupError: It is none that chats.
    """
    from transformers import AutoModelForImageTextToText, AutoProcessor

    classes = (AutoModelForImageTextToText, AutoProcessor)
    model, processor = load_checkpoint(folder, device, *classes, half=True)
    if not getattr(processor, "chat_template", None):
        raise SetupError(
            f"The model in {folder} has no chat template, so nothing says how to ask it. Name "
            "weights of one that chats about pictures, such as a LLaVA."
        )
    return ImageText(model, processor)


class ImageText:
    """Says what a picture shows, and answers questions.

    Args:
        model: What ``AutoModelForImageTextToText`` makes of the weights.
        processor: Its processor, which has a chat template.
    """

    def __init__(self, model: Any, processor: Any) -> None:
        self._model = model
        self._processor = processor

    def caption(self, image: Image, *, prompt: str = "") -> Text:
        """Do what a prompt says, or describe the picture.

        Args:
            image: The picture.
            prompt: What is wanted; our own words if empty.
        """
        check_picture("caption", image)
        wanted = plain(prompt, self._processor.tokenizer) or CAPTION_PROMPT
        return said("caption", "image-text", self._reply(image, wanted, CAPTION_TOKENS))

    def ask(self, image: Image, question: str) -> Text:
        """Answer a question."""
        check_picture("ask", image)
        words = ANSWER_PROMPT.format(asked(question, self._processor.tokenizer))
        return said("ask", "image-text", self._reply(image, words, ANSWER_TOKENS))

    def _reply(self, image: Image, words: str, most: int) -> str:
        content = [{"type": "image", "image": pillow(image)}, {"type": "text", "text": words}]
        inputs = self._processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        )
        tokens = go_on(self._model, inputs, most)
        return str(self._processor.tokenizer.decode(tokens, skip_special_tokens=True))
