"""The Q-Former as a connector, as in BLIP-2 and MiniGPT-4."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Blip2QFormerConfig, Blip2QFormerModel


class QFormerConnector(nn.Module):
    """Learned queries that read the features in a BERT with cross-attention, and a projection.

    Args:
        vision_dims: Widths of the towers' features.
        text_dim: Width of the decoder's embeddings.
        queries: How many learned queries, and so tokens of a view.
        qformer: What differs from transformers' own `Blip2QFormerConfig`.
    """

    def __init__(
        self,
        *,
        vision_dims: Sequence[int],
        text_dim: int,
        queries: int = 32,
        qformer: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        config = Blip2QFormerConfig(**{**(qformer or {}), "encoder_hidden_size": sum(vision_dims)})
        self.query_tokens = nn.Parameter(torch.zeros(1, queries, config.hidden_size))
        self.qformer = Blip2QFormerModel(config)
        self.projection = nn.Linear(config.hidden_size, text_dim)

    @staticmethod
    def count(tokens: int, *, queries: int = 32, **options: object) -> int:
        """One token per query, however many features."""
        return queries

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        seen = torch.cat(list(features), dim=-1)
        queries = self.query_tokens.expand(len(seen), -1, -1)
        read = self.qformer(query_embeds=queries, encoder_hidden_states=seen).last_hidden_state
        tokens: Tensor = self.projection(read)
        return tokens  # (view, query, text_dim)
