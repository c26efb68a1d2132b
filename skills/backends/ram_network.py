"""The network of RAM (Zhang et al. 2023, arXiv 2306.03514), as far as it tags.

A Swin transformer (Liu et al. 2021, arXiv 2103.14030) looks at the picture; two layers of cross
attention compare what it saw with a vector for each word (Query2Label, Liu et al. 2021, arXiv
2107.10834). Names of weights are those of the published file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

PATCH = 4  # pixels
WIDER = 4  # times as wide as its channels is the inside of a Swin block
HEADS = 4  # of the layers that tag, in what was published; no shape tells it
TINY = 1e-12  # the epsilon of their norms
APART = -100.0  # attention between places that only the shift has brought together


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """What sets one RAM apart from another; the published one has 192 channels and 4585 words."""

    channels: int
    depths: tuple[int, ...]  # blocks of each stage
    heads: tuple[int, ...]  # of each stage
    window: int  # patches
    width: int  # of what was seen and of a word's vector
    hidden: int
    inner: int
    layers: int
    words: int

    @property
    def side(self) -> int:
        """Pixels of the square picture: the last stage sees it in one window."""
        return PATCH * self.window << (len(self.depths) - 1)


class Ram(nn.Module):
    """Says how well each of its words fits a picture."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.visual_encoder = _Swin(sizes)
        self.image_proj = nn.Linear(self.visual_encoder.out, sizes.width)
        self.label_embed = nn.Parameter(torch.zeros(sizes.words, sizes.width))
        self.wordvec_proj = nn.Linear(sizes.width, sizes.hidden)
        layers = nn.ModuleList(_layer(sizes) for _ in range(sizes.layers))
        self.tagging_head = nn.ModuleDict({"encoder": nn.ModuleDict({"layer": layers})})
        self.fc = nn.Linear(sizes.hidden, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits (picture, word) of pictures (picture, 3, side, side)."""
        places = self.visual_encoder(pixels)  # (picture, place, channel)
        seen = self.image_proj(torch.cat([places.mean(1, keepdim=True), places], dim=1))
        words = functional.relu(self.wordvec_proj(self.label_embed))
        state = words.expand(len(seen), -1, -1)  # (picture, word, hidden)
        for layer in self.tagging_head["encoder"]["layer"]:  # type: ignore[index]
            state = _asked(layer, state, seen)
        return cast(Tensor, self.fc(state)).squeeze(-1)


def _layer(sizes: Sizes) -> nn.ModuleDict:
    hidden = sizes.hidden
    attention = {
        "query": nn.Linear(hidden, hidden),
        "key": nn.Linear(sizes.width, hidden),
        "value": nn.Linear(sizes.width, hidden),
    }
    return nn.ModuleDict(
        {
            "crossattention": nn.ModuleDict(
                {"self": nn.ModuleDict(attention), "output": _added(hidden, hidden)}
            ),
            "intermediate": nn.ModuleDict({"dense": nn.Linear(hidden, sizes.inner)}),
            "output": _added(sizes.inner, hidden),
        }
    )


def _added(inside: int, hidden: int) -> nn.ModuleDict:
    norm = nn.LayerNorm(hidden, eps=TINY)
    return nn.ModuleDict({"dense": nn.Linear(inside, hidden), "LayerNorm": norm})


def _asked(layer: nn.Module, state: Tensor, seen: Tensor) -> Tensor:
    """Let each word (picture, word, hidden) attend to what was seen (picture, place, width)."""
    parts = cast("dict[str, dict[str, nn.ModuleDict]]", layer)
    ask, join = parts["crossattention"]["self"], parts["crossattention"]["output"]
    query, key, value = (
        ask[name](given).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        for name, given in (("query", state), ("key", seen), ("value", seen))
    )
    heard = functional.scaled_dot_product_attention(query, key, value)
    state = join["LayerNorm"](join["dense"](heard.transpose(1, 2).flatten(2)) + state)
    inner = functional.gelu(parts["intermediate"]["dense"](state))
    last = cast(nn.ModuleDict, parts["output"])
    return cast(Tensor, last["LayerNorm"](last["dense"](inner) + state))


class _Swin(nn.Module):
    """Makes (picture, place, channel) of (picture, 3, side, side)."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        norm = nn.LayerNorm(sizes.channels)
        self.patch_embed = nn.ModuleDict(
            {"proj": nn.Conv2d(3, sizes.channels, PATCH, PATCH), "norm": norm}
        )
        stages = []
        for number, (depth, heads) in enumerate(zip(sizes.depths, sizes.heads, strict=True)):
            channels, side = sizes.channels * 2**number, sizes.side // PATCH // 2**number
            blocks = [
                _Block(channels, heads, sizes.window, side, shifted=bool(n % 2))
                for n in range(depth)
            ]
            stages.append(_Stage(channels, blocks, last=number == len(sizes.depths) - 1))
        self.layers = nn.ModuleList(stages)
        self.out = sizes.channels * 2 ** (len(sizes.depths) - 1)
        self.norm = nn.LayerNorm(self.out)

    def forward(self, pixels: Tensor) -> Tensor:
        state = self.patch_embed["proj"](pixels).permute(0, 2, 3, 1)
        state = self.patch_embed["norm"](state)  # (picture, row, column, channel)
        for stage in self.layers:
            state = stage(state)
        return cast(Tensor, self.norm(state.flatten(1, 2)))


class _Stage(nn.Module):
    """Some blocks, and all stages but the last join four places to one."""

    def __init__(self, channels: int, blocks: list[_Block], *, last: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample: nn.ModuleDict | None = None
        if not last:
            reduction = nn.Linear(4 * channels, 2 * channels, bias=False)
            self.downsample = nn.ModuleDict(
                {"reduction": reduction, "norm": nn.LayerNorm(4 * channels)}
            )

    def forward(self, state: Tensor) -> Tensor:
        for block in self.blocks:
            state = block(state)
        if self.downsample is None:
            return state
        four = [state[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        joined = self.downsample["norm"](torch.cat(four, dim=-1))
        return cast(Tensor, self.downsample["reduction"](joined))


class _Block(nn.Module):
    """Attention within windows, which every other block lays half a window farther."""

    def __init__(self, channels: int, heads: int, window: int, side: int, *, shifted: bool) -> None:
        super().__init__()
        self.window = window
        self.shift = window // 2 if shifted and side > window else 0
        self.norm1 = nn.LayerNorm(channels)
        self.attn = _Attention(channels, heads, window)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.ModuleDict(
            {
                "fc1": nn.Linear(channels, WIDER * channels),
                "fc2": nn.Linear(WIDER * channels, channels),
            }
        )
        mask = _apart(side, window, self.shift) if self.shift else None
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, state: Tensor) -> Tensor:
        """Return (picture, row, column, channel) of the same."""
        moved = torch.roll(self.norm1(state), (-self.shift, -self.shift), (1, 2))
        mask = cast("Tensor | None", self.mask)
        whole = _joined(self.attn(_windows(moved, self.window), mask), state.shape, self.window)
        state = state + torch.roll(whole, (self.shift, self.shift), (1, 2))
        inner = functional.gelu(self.mlp["fc1"](self.norm2(state)))
        return cast(Tensor, state + self.mlp["fc2"](inner))


class _Attention(nn.Module):
    """Attention among the places of a window, with a bias for how they lie to each other."""

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        self.register_buffer("lie", _lie(window), persistent=False)

    def forward(self, state: Tensor, mask: Tensor | None) -> Tensor:
        """Return (window, place, channel) of the same; the mask is one picture's, see `_apart`."""
        parts = self.qkv(state).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # each (window, head, place, depth)
        bias = self.relative_position_bias_table[cast(Tensor, self.lie)].permute(2, 0, 1)[None]
        if mask is not None:
            bias = (bias + mask[:, None]).repeat(len(state) // len(mask), 1, 1, 1)
        heard = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=bias.to(query.dtype)
        )
        return cast(Tensor, self.proj(heard.transpose(1, 2).flatten(2)))


def _lie(window: int) -> Tensor:
    """Return (place, place): the row of the table for how the first lies to the second."""
    rows, columns = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    down = rows.flatten()[:, None] - rows.flatten()
    right = columns.flatten()[:, None] - columns.flatten()
    return (down + window - 1) * (2 * window - 1) + right + window - 1


def _apart(side: int, window: int, shift: int) -> Tensor:
    """Return (window, place, place): a large negative number for places that do not touch."""
    strip = (torch.arange(side) >= side - window).int() + (torch.arange(side) >= side - shift).int()
    regions = (3 * strip[:, None] + strip)[None, :, :, None]
    numbers = _windows(regions, window).squeeze(-1)  # (window, place)
    return (numbers[:, :, None] != numbers[:, None]) * APART


def _windows(state: Tensor, window: int) -> Tensor:
    """Cut (picture, row, column, channel) into (window, place, channel)."""
    pictures, rows, columns, channels = state.shape
    grid = state.view(pictures, rows // window, window, columns // window, window, channels)
    return grid.transpose(2, 3).reshape(-1, window * window, channels)


def _joined(windows: Tensor, shape: torch.Size, window: int) -> Tensor:
    """Put windows together again to (picture, row, column, channel)."""
    pictures, rows, columns, channels = shape
    grid = windows.view(pictures, rows // window, columns // window, window, window, channels)
    return grid.transpose(2, 3).reshape(shape)
