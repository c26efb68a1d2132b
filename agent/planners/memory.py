"""What a local model has read of each conversation, found again by its tokens."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from transformers import DynamicCache

from llava_plus.messages import Conversation, ImagePart
from llava_plus.model import LMM, LMMProcessor
from llava_plus.model.processing import digest

Key = int | tuple[str, int]  # a token, or which part of which picture


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A conversation as tokens; ``keys`` are the same with placeholders told apart."""

    ids: list[int]
    keys: list[Key]
    pictures: tuple[ImagePart, ...]


def read_prompt(conversation: Conversation, processor: LMMProcessor) -> Prompt:
    """Tokenize a conversation up to where the assistant goes on."""
    ids = processor.encode(conversation, add_generation_prompt=True, with_pixels=False)["input_ids"]
    pictures = tuple(image for message in conversation for image in message.images)
    names = [digest(image) for image in pictures]
    parts = iter((name, part) for name in names for part in range(processor.tokens_per_image))
    keys = [next(parts) if token == processor.image_token_id else token for token in ids]
    return Prompt(ids=ids, keys=keys, pictures=pictures)


@dataclass(kw_only=True)
class Past:
    """The cache of one conversation and the keys that it holds."""

    cache: DynamicCache
    keys: list[Key] = field(default_factory=list)
    prompt: int = 0  # how many of the keys were the last prompt


class Memory:
    """The pasts of the last few conversations.

    A conversation only grows, so its past is the one whose last prompt begins the new prompt.

    Args:
        model: The model that fills the caches.
        most: How many conversations are kept.
    """

    def __init__(self, model: LMM, most: int) -> None:
        self._model = model
        self._most = most
        self._pasts: list[Past] = []  # the last one used comes last

    def take(self, prompt: Prompt) -> Past:
        """Return the past of this prompt, cut to what both share, or a new one."""
        for past in reversed(self._pasts):
            shared = _shared(past.keys, prompt.keys)
            if shared < min(past.prompt, len(past.keys)):
                continue  # another conversation
            self._pasts.remove(past)
            shared = min(shared, len(prompt.keys) - 1)  # logits need a token to be read
            while shared and isinstance(prompt.keys[shared - 1], tuple):
                shared -= 1  # pictures are read whole
            kept = torch.tensor([prompt.ids[:shared]], device=self._model.device)
            self._model.rewind(past.cache, kept)
            del past.keys[shared:]
            past.prompt = len(prompt.keys)
            return past
        config = self._model.config.get_text_config(decoder=True)
        return Past(cache=DynamicCache(config=config), prompt=len(prompt.keys))

    def keep(self, past: Past) -> None:
        """Put a past back, and forget the oldest where there are too many."""
        self._pasts.append(past)
        del self._pasts[: -self._most]

    def clear(self) -> None:
        self._pasts.clear()


def _shared(left: Sequence[Key], right: Sequence[Key]) -> int:
    """How many first keys are the same."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((n for n, (one, other) in pairs if one != other), min(len(left), len(right)))
