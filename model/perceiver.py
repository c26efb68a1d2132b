"""Flamingo's two halves: a perceiver that sums a picture up, gates through which words read it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .attention import attend


class PerceiverConnector(nn.Module):
    """Learned latents that read the features and each other, layer by layer.

    Alayrac et al. 2022, as OpenFlamingo has it: ``l += Attn(LN l; [LN x; LN l])``, then
    ``l += FFN(LN l)``, no biases in the linear layers, a last norm.

    Not covered: time embeddings of frames.

    Args:
        vision_dims: Widths of the towers' features, which are joined.
        text_dim: Width of the decoder's embeddings.
        latents: How many latents.
        depth: How many layers.
        heads: Heads of each attention.
        head_dim: Width of each head.
        project: Whether latents are projected to ``text_dim``, for a decoder without gates.
    """

    def __init__(
        self,
        *,
        vision_dims: Sequence[int],
        text_dim: int,
        latents: int = 64,
        depth: int = 6,
        heads: int = 8,
        head_dim: int = 64,
        project: bool = False,
    ) -> None:
        super().__init__()
        dim = sum(vision_dims)
        self.dim = text_dim if project else dim
        self.latents = nn.Parameter(torch.randn(latents, dim))
        self.layers = nn.ModuleList(
            PerceiverLayer(dim=dim, heads=heads, head_dim=head_dim) for _ in range(depth)
        )
        self.norm = nn.LayerNorm(dim)
        self.projection = nn.Linear(dim, text_dim) if project else None

    @staticmethod
    def count(tokens: int, *, latents: int = 64, **options: object) -> int:
        """One token per latent, however many features."""
        return latents

    def forward(self, features: Sequence[Tensor]) -> Tensor:
        seen = torch.cat(list(features), dim=-1)
        latents = self.latents.expand(len(seen), -1, -1)
        for layer in self.layers:
            latents = layer(latents, seen)
        tokens: Tensor = self.norm(latents)
        if self.projection is not None:
            tokens = self.projection(tokens)
        return tokens


class PerceiverLayer(nn.Module):
    """One step of the latents."""

    def __init__(self, *, dim: int, heads: int, head_dim: int) -> None:
        super().__init__()
        inner = heads * head_dim
        self.heads = heads
        self.norm_features = nn.LayerNorm(dim)
        self.norm_latents = nn.LayerNorm(dim)
        self.to_q = nn.Linear(dim, inner, bias=False)
        self.to_kv = nn.Linear(dim, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, dim, bias=False)
        self.feed = feed_forward(dim)

    def forward(self, latents: Tensor, features: Tensor) -> Tensor:
        own = self.norm_latents(latents)
        read = torch.cat([self.norm_features(features), own], dim=1)
        keys, values = self.to_kv(read).chunk(2, dim=-1)
        latents = latents + self.to_out(attend(self.to_q(own), keys, values, heads=self.heads))
        out: Tensor = latents + self.feed(latents)
        return out


class GatedCrossAttention(nn.Module):
    """Words read pictures through gates that begin closed.

    ``t += tanh(a) XAttn(LN t, media)``, then ``t += tanh(b) FFN(LN t)``, with a = b = 0 at first.
    """

    def __init__(self, *, dim: int, media_dim: int, heads: int = 8, head_dim: int = 64) -> None:
        super().__init__()
        inner = heads * head_dim
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.to_q = nn.Linear(dim, inner, bias=False)
        self.to_kv = nn.Linear(media_dim, 2 * inner, bias=False)
        self.to_out = nn.Linear(inner, dim, bias=False)
        self.feed = feed_forward(dim)
        self.attention_gate = nn.Parameter(torch.zeros(1))
        self.feed_gate = nn.Parameter(torch.zeros(1))

    def forward(self, words: Tensor, media: Tensor, latest: Tensor) -> Tensor:
        """Words (batch, position, dim) after reading their latest picture.

        Args:
            words: Hidden states.
            media: The pictures of each sequence (batch, picture, token, media_dim).
            latest: Which picture each word reads (batch, position), -1 for none.
        """
        owner = torch.arange(media.shape[1], device=media.device)
        owner = owner.repeat_interleave(media.shape[2])  # picture of each key
        blind = (latest < 0).unsqueeze(-1)  # (batch, position, 1)
        mask = (latest.unsqueeze(-1) == owner) | blind
        keys, values = self.to_kv(media.flatten(1, 2)).chunk(2, dim=-1)
        read = attend(self.to_q(self.norm(words)), keys, values, heads=self.heads, mask=mask)
        read = self.to_out(read).masked_fill(blind, 0.0)
        words = words + self.attention_gate.tanh() * read
        out: Tensor = words + self.feed_gate.tanh() * self.feed(words)
        return out


def feed_forward(dim: int) -> nn.Sequential:
    """Norm, four times as wide, GELU, back; no biases in the linear layers."""
    return nn.Sequential(
        nn.LayerNorm(dim),
        nn.Linear(dim, 4 * dim, bias=False),
        nn.GELU(),
        nn.Linear(4 * dim, dim, bias=False),
    )
