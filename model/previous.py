"""The embedding before the next token's, which a cache remembers for the previous-token mix."""

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache


def embedding_before(embeds: Tensor, cache: Cache | None, past: int) -> Tensor:
    """The embedding in front of the first one here; the cache then remembers the last one."""
    before = torch.zeros_like(embeds[:, :1])
    if cache is None:
        return before
    if past:
        length, before = getattr(cache, "previous_embedding", (None, before))
        if length != past:
            raise ValueError(
                f"The cache holds {past} tokens but remembers the embedding of token {length}."
                " Shorten a cache of this model with LMM.rewind, not with crop."
            )
    remember(cache, past + embeds.shape[1], embeds[:, -1:])
    return before


def remember(cache: Any, length: int, embedding: Tensor) -> None:
    """Keep the last embedding (batch, 1, dim) of a cache of so many tokens."""
    cache.previous_embedding = (length, embedding)


def reorder(cache: Cache, beams: torch.LongTensor) -> Cache:
    """Let a cache hold other beams, with their embeddings."""
    cache.reorder_cache(beams)
    if hasattr(cache, "previous_embedding"):
        length, embedding = cache.previous_embedding
        remember(cache, length, embedding.index_select(0, beams))
    return cache
