"""Bridges from towers' features to the decoder's embeddings, by their exact names."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from transformers.activations import ACT2FN

from .qformer import QFormerConnector


class Connector(Protocol):
    """What `CONNECTORS` holds: a module of these arguments and whatever options it names."""

    def __init__(self, *, vision_dims: Sequence[int], text_dim: int) -> None: ...

    @staticmethod
    def count(tokens: int) -> int:
        """How many tokens it makes of one view's features, given its options."""

    def __call__(self, features: Sequence[Tensor]) -> Tensor:
        """Tokens (view, token, text_dim) of every tower's features (view, feature, dim)."""


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


CONNECTORS: dict[str, type[nn.Module]] = {"mlp": MLPConnector, "qformer": QFormerConnector}
