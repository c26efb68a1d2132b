"""Qwen-VL's resampler: one cross-attention that knows where its queries and keys lie."""

from collections.abc import Sequence
from math import isqrt

import torch
from torch import Tensor, nn
from torch.nn import functional


class QwenResampler(nn.Module):
    """A square of learned queries reads a square of features.

    With P the fixed sine-cosine places of the queries' square and P' the same resized bicubically
    to the features' square: ``LN(MHA(q + P, kv + P', kv)) W``, where q = LN(query) and
    kv = LN(W_kv x); no residual, no feed-forward part (Bai et al. 2023, their released code).

    Args:
        vision_dims: Widths of the towers' features, which are joined.
        text_dim: Width of the decoder's embeddings, a multiple of 4.
        queries: How many queries, a square.
        heads: Heads of the attention.
    """

    def __init__(
        self,
        *,
        vision_dims: Sequence[int],
        text_dim: int,
        queries: int = 256,
        heads: int = 32,
    ) -> None:
        super().__init__()
        self.side = isqrt(queries)
        if self.side**2 != queries or text_dim % 4:
            raise ValueError(
                f"qwen_resampler wants a square number of queries and a width of a multiple of 4,"
                f" got {queries} queries and width {text_dim}."
            )
        self.query = nn.Parameter(nn.init.trunc_normal_(torch.empty(queries, text_dim), std=0.02))
        self.kv_proj = nn.Linear(sum(vision_dims), text_dim, bias=False)
        self.ln_q = nn.LayerNorm(text_dim, eps=1e-6)
        self.ln_kv = nn.LayerNorm(text_dim, eps=1e-6)
        self.attn = nn.MultiheadAttention(text_dim, heads, batch_first=True)
        self.ln_post = nn.LayerNorm(text_dim, eps=1e-6)
        self.proj = nn.Parameter(torch.randn(text_dim, text_dim) * text_dim**-0.5)

    @staticmethod
    def count(tokens: int, *, queries: int = 256, **options: object) -> int:
        """One token per query, however many features."""
        return queries

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        seen = self.ln_kv(self.kv_proj(torch.cat(list(features), dim=-1)))
        queries = self.ln_q(self.query)
        places = square_places(self.side, queries.shape[-1]).to(queries)
        keys = seen + resized_places(places, isqrt(seen.shape[1]))
        asked = (queries + places).expand(len(seen), -1, -1)
        read = self.attn(asked, keys, seen, need_weights=False)[0]
        tokens: Tensor = self.ln_post(read) @ self.proj
        return tokens


def square_places(side: int, dim: int) -> Tensor:
    """Fixed places (side * side, dim), row by row: columns in the first half, rows in the other.

    Each half is [sin(p w), cos(p w)] with w_i = 10000 ** (-i / (dim / 4)).
    """
    rates = 10000.0 ** (-torch.arange(dim // 4, dtype=torch.float64) / (dim / 4))
    angles = torch.arange(side, dtype=torch.float64)[:, None] * rates
    waves = torch.cat([angles.sin(), angles.cos()], dim=1).float()  # (side, dim / 2)
    columns, rows = waves.repeat(side, 1), waves.repeat_interleave(side, dim=0)
    return torch.cat([columns, rows], dim=1)


def resized_places(places: Tensor, side: int) -> Tensor:
    """A square of places (place, dim) as one of another side."""
    old = isqrt(len(places))
    if old == side:
        return places
    square = places.T.reshape(1, -1, old, old).float()
    resized = functional.interpolate(square, (side, side), mode="bicubic", align_corners=False)
    return resized[0].flatten(1).T.to(places.dtype)
