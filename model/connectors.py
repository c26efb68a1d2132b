"""Bridges from a tower's features to the decoder's embeddings."""

from torch import Tensor, nn
from transformers.activations import ACT2FN


class MLPConnector(nn.Module):
    """``depth`` linear layers with an activation between them, as in LLaVA."""

    def __init__(
        self, *, vision_dim: int, text_dim: int, depth: int = 2, activation: str = "gelu"
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Linear(vision_dim, text_dim)]
        for _ in range(depth - 1):
            layers += [ACT2FN[activation], nn.Linear(text_dim, text_dim)]
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        projected: Tensor = self.layers(features)  # (image, token, text_dim)
        return projected


CONNECTORS = {"mlp": MLPConnector}
