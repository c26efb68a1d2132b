"""Bridges from towers' features to the decoder's embeddings, by their exact names."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.activations import ACT2FN

from .perceiver import PerceiverConnector
from .qformer import QFormerConnector
from .resampler import QwenResampler
from .sva import SVAConnector


class MLPConnector(nn.Module):
    """``depth`` linear layers with an activation between them, as in LLaVA.

    Features of several towers are joined; they must be equally many.
    """

    def __init__(
        self,
        *,
        vision_dims: Sequence[int],
        text_dim: int,
        depth: int = 2,
        activation: str = "gelu",
        bias: bool = True,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(sum(vision_dims), text_dim, bias=bias)]
        for _ in range(depth - 1):
            layers += [ACT2FN[activation], nn.Linear(text_dim, text_dim, bias=bias)]
        self.layers = nn.Sequential(*layers)

    @staticmethod
    def count(tokens: int, **options: object) -> int:
        """As many tokens as features."""
        return tokens

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        projected: Tensor = self.layers(torch.cat(list(features), dim=-1))
        return projected  # (view, token, text_dim)


class ConcatConnector(nn.Module):
    """``group`` features that follow each other become one token, as in MiniGPT-v2.

    Features follow each other along rows, so a group is 1 x ``group`` patches of one row.
    """

    def __init__(self, *, vision_dims: Sequence[int], text_dim: int, group: int = 4) -> None:
        super().__init__()
        self.group = group
        self.projection = nn.Linear(group * sum(vision_dims), text_dim)

    @staticmethod
    def count(tokens: int, *, group: int = 4, **options: object) -> int:
        """One token per group."""
        if tokens % group:
            raise ValueError(f"concat: {tokens} features are no multiple of {group}.")
        return tokens // group

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        joined = torch.cat(list(features), dim=-1)
        grouped = joined.reshape(len(joined), -1, self.group * joined.shape[-1])
        tokens: Tensor = self.projection(grouped)
        return tokens


class GLUConnector(nn.Module):
    """CogVLM's: a linear map, norm and GELU, then SwiGLU, between two learned tokens.

    Args:
        vision_dims: Widths of the towers' features, which are joined.
        text_dim: Width of the decoder's embeddings.
        hidden: Width inside the SwiGLU.
    """

    def __init__(self, *, vision_dims: Sequence[int], text_dim: int, hidden: int = 11008) -> None:
        super().__init__()
        self.projection = nn.Linear(sum(vision_dims), text_dim, bias=False)
        self.norm = nn.LayerNorm(text_dim)
        self.gate = nn.Linear(text_dim, hidden, bias=False)
        self.up = nn.Linear(text_dim, hidden, bias=False)
        self.down = nn.Linear(hidden, text_dim, bias=False)
        self.begin = nn.Parameter(torch.zeros(1, 1, text_dim))
        self.end = nn.Parameter(torch.zeros(1, 1, text_dim))

    @staticmethod
    def count(tokens: int, **options: object) -> int:
        """As many tokens as features, and two."""
        return tokens + 2

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        joined = self.projection(torch.cat(list(features), dim=-1))
        hidden = functional.gelu(self.norm(joined))
        hidden = self.down(functional.silu(self.gate(hidden)) * self.up(hidden))
        ends = [one.expand(len(hidden), -1, -1) for one in (self.begin, self.end)]
        return torch.cat([ends[0], hidden, ends[1]], dim=1)


# Modules that take ``vision_dims`` (the towers' widths), ``text_dim`` and their own options, and
# make tokens (view, token, dim) of every tower's features (view, feature, dim). Their static
# ``count`` says how many tokens they make of one view's features, given the same options.
CONNECTORS: dict[str, Any] = {
    "concat": ConcatConnector,
    "glu": GLUConnector,
    "mlp": MLPConnector,
    "perceiver": PerceiverConnector,
    "qformer": QFormerConnector,
    "qwen_resampler": QwenResampler,
    "sva": SVAConnector,
}
