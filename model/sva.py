"""Cambrian-1's spatial vision aggregator: queries on a square, each reading its window of towers.

Sizes below: h hidden, q the side of the queries' square, s_i the side of tower i's square, and
r_i = s_i / q, so that a query's window holds r_i * r_i features of tower i (Tong et al. 2024).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from .attention import attend
from .layout import Size, padding


@dataclass(frozen=True, kw_only=True)
class Windows:
    """What queries read: one row per query, those of a picture row by row.

    Args:
        context: The picture as a whole (query, h).
        features: Of each tower, the query's window (query, r_i * r_i, h).
        mask: Which of all these features show the picture (query, sum of r_i * r_i).
    """

    context: Tensor
    features: tuple[Tensor, ...]
    mask: Tensor

    def __getitem__(self, rows: Tensor) -> "Windows":
        return Windows(
            context=self.context[rows],
            features=tuple(window[rows] for window in self.features),
            mask=self.mask[rows],
        )


class SVAConnector(nn.Module):
    """Groups of queries, ``depth`` samplers for each, and an MLP.

    Args:
        vision_dims: Widths of the towers' features.
        text_dim: Width of the decoder's embeddings.
        sides: Sides s_i of the towers' squares, multiples of every query side.
        hidden: Width h.
        depth: Samplers per group.
        heads: Heads of each sampler.
        query_num_list: Queries of each group, squares; groups are resized to the last one's side.
        context_tower: Whose features' mean is the picture as a whole.
    """

    def __init__(
        self,
        *,
        vision_dims: Sequence[int],
        text_dim: int,
        sides: Sequence[int],
        hidden: int = 1024,
        depth: int = 3,
        heads: int = 16,
        query_num_list: Sequence[int] = (576,),
        context_tower: int = 0,
    ) -> None:
        super().__init__()
        self.query_sides = [isqrt(number) for number in query_num_list]
        if len(sides) != len(vision_dims):
            raise ValueError(f"sva: {len(vision_dims)} towers came with {len(sides)} sides.")
        if off := [s for s in sides if any(s % side for side in self.query_sides)]:
            raise ValueError(
                f"sva: sides {off} are no multiples of the queries' {self.query_sides}."
            )
        self.sides, self.hidden, self.context_tower = list(sides), hidden, context_tower
        self.aux = nn.ModuleList(
            nn.Sequential(
                nn.Linear(dim, hidden),
                nn.GELU(),
                nn.Linear(hidden, hidden),
                nn.LayerNorm(hidden),
            )
            for dim in vision_dims
        )
        self.queries = nn.Parameter(torch.randn(len(self.query_sides), hidden) * hidden**-0.5)
        self.samplers = nn.ModuleList(
            nn.ModuleList(
                SVALayer(
                    query_dim=hidden,
                    hidden=hidden,
                    windows=[s // side for s in sides],
                    heads=heads,
                )
                for _ in range(depth)
            )
            for side in self.query_sides
        )
        self.projection = nn.Sequential(
            nn.Linear(hidden * len(self.query_sides), text_dim),
            nn.GELU(),
            nn.Linear(text_dim, text_dim),
        )

    @staticmethod
    def count(tokens: int, *, query_num_list: Sequence[int] = (576,), **options: object) -> int:
        """One token per query of the last group."""
        return query_num_list[-1]

    def forward(self, features: Sequence[Tensor], sizes: Sequence[Size] | None = None) -> Tensor:
        return self.sample(self.read(features, sizes), len(features[0]))

    def read(
        self, features: Sequence[Tensor], sizes: Sequence[Size] | None = None
    ) -> list[Windows]:
        """The windows of each group's queries.

        Args:
            features: Every tower's (picture, s_i * s_i, dim).
            sizes: The pictures' heights and widths, where they were padded to squares.
        """
        own = [layer(one) for layer, one in zip(self.aux, features, strict=True)]
        context = own[self.context_tower].mean(dim=1)  # (picture, h)
        masks = [
            _shown(side, len(one), sizes, one.device)
            for side, one in zip(self.sides, own, strict=True)
        ]
        groups = []
        for query_side in self.query_sides:
            windows = tuple(_windows(one, query_side) for one in own)
            shown = [_windows(one, query_side).squeeze(-1) for one in masks]
            # A tower whose whole window is border is read as if it were picture.
            shown = [one | ~one.any(dim=1, keepdim=True) for one in shown]
            groups.append(
                Windows(
                    context=context.repeat_interleave(query_side**2, dim=0),
                    features=windows,
                    mask=torch.cat(shown, dim=1),
                )
            )
        return groups

    def sample(self, groups: Sequence[Windows], pictures: int) -> Tensor:
        """Tokens (picture, query, text_dim) of what `read` gave."""
        last = self.query_sides[-1]
        outputs = []
        for query, layers, windows, side in zip(
            self.queries, self.samplers, groups, self.query_sides, strict=True
        ):
            queries = query.expand(pictures * side**2, -1)
            for layer in cast("nn.ModuleList", layers):
                queries = layer(queries, windows)
            square = queries.view(pictures, side, side, -1).permute(0, 3, 1, 2)
            if side != last:
                square = functional.interpolate(square, (last, last), mode="bilinear")
            outputs.append(square.flatten(2).transpose(1, 2))
        tokens: Tensor = self.projection(torch.cat(outputs, dim=-1))
        return tokens


class SVALayer(nn.Module):
    """One sampler: ``z = W_in [Q ; W_ctx g]``, ``Q += MLP(LN(z + W_o MHA(W_q LN z, K, V)))``.

    K and V are W LN(x_i + p_i) of each tower's window, joined; p_i are learned, for r_i > 1 alone.

    Args:
        query_dim: Width of the queries.
        hidden: Width h of windows and context.
        windows: Every tower's r_i.
        heads: Heads of the attention.
    """

    def __init__(
        self, *, query_dim: int, hidden: int, windows: Sequence[int], heads: int = 16
    ) -> None:
        super().__init__()
        self.heads = heads
        self.proj_context = nn.Linear(hidden, hidden, bias=False)
        self.proj_in = nn.Linear(query_dim + hidden, hidden, bias=False)
        self.to_q = _normed(hidden)
        self.to_k = nn.ModuleList(_normed(hidden) for _ in windows)
        self.to_v = nn.ModuleList(_normed(hidden) for _ in windows)
        self.places = nn.ParameterDict(
            {str(at): torch.randn(r**2, hidden) for at, r in enumerate(windows) if r > 1}
        )
        self.to_out = nn.Linear(hidden, hidden, bias=False)
        self.norm = nn.LayerNorm(hidden)
        self.proj_out = nn.Sequential(
            nn.Linear(hidden, hidden, bias=False),
            nn.GELU(),
            nn.Linear(hidden, query_dim, bias=False),
        )

    def forward(self, queries: Tensor, windows: Windows) -> Tensor:
        """Queries (query, query_dim) after reading their windows."""
        asked = self.proj_in(torch.cat([queries, self.proj_context(windows.context)], dim=-1))
        placed = [
            one + self.places[str(at)] if str(at) in self.places else one
            for at, one in enumerate(windows.features)
        ]
        keys = torch.cat([to(one) for to, one in zip(self.to_k, placed, strict=True)], dim=1)
        values = torch.cat([to(one) for to, one in zip(self.to_v, placed, strict=True)], dim=1)
        read = attend(
            self.to_q(asked).unsqueeze(1),
            keys,
            values,
            heads=self.heads,
            mask=windows.mask.unsqueeze(1),
        )
        asked = asked + self.to_out(read.squeeze(1))
        out: Tensor = queries + self.proj_out(self.norm(asked))
        return out


def _normed(dim: int) -> nn.Sequential:
    return nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, dim, bias=False))


def _windows(features: Tensor, query_side: int) -> Tensor:
    """A picture's square (picture, s * s, dim) as windows (picture * q * q, r * r, dim)."""
    side = isqrt(features.shape[1])
    window = side // query_side
    split = features.view(len(features), query_side, window, query_side, window, -1)
    return split.permute(0, 1, 3, 2, 4, 5).reshape(-1, window**2, features.shape[-1])


def _shown(side: int, pictures: int, sizes: Sequence[Size] | None, device: torch.device) -> Tensor:
    """Which features show the picture and not its borders (picture, side * side, 1)."""
    shown = torch.ones(pictures, side, side, dtype=torch.bool, device=device)
    for mask, size in zip(shown, sizes or (), strict=sizes is not None):
        top, left = padding(size, (side, side), legacy=True)
        mask[:top], mask[side - top :] = False, False
        mask[:, :left], mask[:, side - left :] = False, False
    return shown.flatten(1).unsqueeze(-1)
