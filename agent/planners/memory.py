"""What a local model has read of each conversation, found again by its tokens."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from llava_plus.messages import Conversation, ImagePart
from llava_plus.model import LMMProcessor
from llava_plus.model.processing import digest

Key = int | tuple[str, int]  # a token, or which part of which picture


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """A conversation as tokens.

    Args:
        ids: The tokens.
        keys: The same with placeholders told apart.
        pictures: In order.
        names: By which keys call them; one that is tiled has another name than one that is not.
        counts: How many placeholders each takes.
        alone: Whether they are tiled as a lone picture is.
    """

    ids: list[int]
    keys: list[Key]
    pictures: tuple[ImagePart, ...] = ()
    names: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    alone: bool = True


def read_prompt(conversation: Conversation, processor: LMMProcessor) -> Prompt:
    """Tokenize a conversation up to where the assistant goes on."""
    ids = processor.encode(conversation, add_generation_prompt=True, with_pixels=False)["input_ids"]
    pictures = tuple(image for message in conversation for image in message.images)
    alone, counts = processor.alone(conversation), tuple(processor.counts(conversation))
    names = tuple(digest(image) + ("" if alone else " among others") for image in pictures)
    parts = iter(
        (name, part) for name, count in zip(names, counts, strict=True) for part in range(count)
    )
    keys = [next(parts) if token == processor.image_token_id else token for token in ids]
    return Prompt(ids=ids, keys=keys, pictures=pictures, names=names, counts=counts, alone=alone)


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
        config: Of the model that fills the caches.
        most: How many conversations are kept.
        rewind: Shortens a cache to the tokens that are given, its own first ones (1, token).
        copies: Of how many tokens a beginning has to be that is copied from another conversation,
            or from one that was changed further on; None copies nothing.
    """

    def __init__(
        self,
        config: Any,
        most: int,
        rewind: Callable[[DynamicCache, Tensor], None],
        *,
        copies: int | None = None,
    ) -> None:
        self._config = config.get_text_config(decoder=True)
        self._most = most
        self._rewind = rewind
        self._copies = copies
        self._pasts: list[Past] = []  # the last one used comes last

    def take(self, prompt: Prompt) -> Past:
        """Return the past of this prompt, cut to what both share, or a new one."""
        best, most = None, 0
        for past in reversed(self._pasts):
            shared = _shared(past.keys, prompt.keys)
            if shared >= min(past.prompt, len(past.keys)):
                self._pasts.remove(past)
                return self._cut(past, prompt, shared) or self.new(prompt)
            if shared > most:
                best, most = past, shared
        if best and self._copies is not None and most >= self._copies:
            copy = Past(cache=deepcopy(best.cache), keys=best.keys[:])
            return self._cut(copy, prompt, most) or self.new(prompt)
        return self.new(prompt)

    def new(self, prompt: Prompt) -> Past:
        """Return an empty past for a prompt."""
        return Past(cache=DynamicCache(config=self._config), prompt=len(prompt.keys))

    def _cut(self, past: Past, prompt: Prompt, shared: int) -> Past | None:
        """Cut a past to its first keys; None where its cache cannot go back."""
        shared = min(shared, len(prompt.keys) - 1)  # logits need a token to be read
        while shared and isinstance(prompt.keys[shared - 1], tuple):
            shared -= 1  # pictures are read whole
        if shared < len(past.keys) and not _can_go_back(past.cache):
            return None
        kept = torch.tensor([prompt.ids[:shared]])
        self._rewind(past.cache, kept)
        del past.keys[shared:]
        past.prompt = len(prompt.keys)
        return past

    def keep(self, past: Past) -> None:
        """Put a past back, and forget the oldest where there are too many."""
        self._pasts.append(past)
        del self._pasts[: -self._most]

    def clear(self) -> None:
        self._pasts.clear()


def _can_go_back(cache: DynamicCache) -> bool:
    """Whether nothing of the cache is summed up or dropped already."""
    layers: list[Any] = cache.layers
    for layer in layers:
        full = getattr(layer, "is_sliding", False) and (
            layer.get_seq_length() >= layer.sliding_window
        )
        if full or not getattr(layer, "is_croppable", True):
            return False
    return True


def _shared(left: Sequence[Key], right: Sequence[Key]) -> int:
    """How many first keys are the same."""
    pairs = enumerate(zip(left, right, strict=False))
    return next((n for n, (one, other) in pairs if one != other), min(len(left), len(right)))
