"""Kosmos-2.5 as a planner: its processor, which knows no chats, written to as if it did."""

from collections.abc import Sequence
from typing import Any

from PIL.Image import Image

from llava_plus.errors import SetupError

MODEL_TYPE = "kosmos-2.5"
_SAYS = {"system": "", "user": "USER: ", "assistant": "ASSISTANT: "}


class KosmosChat:
    """A processor with a chat template around Kosmos-2.5's, which takes one picture and words.

    The picture always comes first in what the model reads, so a chat is shown with its last one,
    and read anew in each step. The model was trained to read documents (``<ocr>``, ``<md>``), not
    to plan: under a grammar it writes calls that can be carried out, and nothing says that they are
    good ones. Not covered: chats without a picture.
    """

    image_token = None  # pictures cannot be put in one by one

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self.tokenizer = processor.tokenizer

    def apply_chat_template(
        self, chat: Sequence[dict[str, Any]], *, add_generation_prompt: bool, tokenize: bool
    ) -> str:
        """The words of a chat, line by line; without pictures, which are told apart already."""
        if not any(part["type"] == "image" for message in chat for part in _parts(message)):
            raise SetupError(
                "Kosmos-2.5 reads words only with a picture. Attach one, or use another planner."
            )
        lines = [_SAYS[message["role"]] + _words(message) for message in chat]
        return "\n".join([*lines, "ASSISTANT:"] if add_generation_prompt else lines)

    def __call__(
        self, *, text: str, images: Sequence[Image], return_tensors: str, **options: Any
    ) -> dict[str, Any]:
        """What the model takes: the words and the last picture."""
        made = dict(self._processor(text=text, images=images[-1], return_tensors=return_tensors))
        for name in ("width", "height"):  # for drawing what it read, not for reading
            made.pop(name, None)
        return made


def _parts(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _words(message: dict[str, Any]) -> str:
    return "".join(part["text"] for part in _parts(message) if part["type"] == "text")
