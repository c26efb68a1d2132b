"""From the views of a picture, as the connector gives them, to its tokens in order."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from .layout import Layout, Size


def split_views(pixel_values: Tensor, counts: Sequence[int]) -> Tensor:
    """The views of all pictures in a row (view, 3, height, width).

    Args:
        pixel_values: Such a row, or (picture, view, 3, height, width) with empty views at the end
            of pictures that have fewer than others.
        counts: How many views each picture has.
    """
    if pixel_values.dim() == 5:
        if len(pixel_values) != len(counts):
            raise ValueError(
                f"pixel_values hold {len(pixel_values)} pictures, image_sizes {len(counts)}."
            )
        pairs = zip(pixel_values, counts, strict=True)
        pixel_values = torch.cat([views[:count] for views, count in pairs])
    if len(pixel_values) != sum(counts):
        raise ValueError(
            f"pixel_values hold {len(pixel_values)} views, but pictures of these sizes have"
            f" {sum(counts)}. Prepare them with LMMProcessor, or give their image_sizes."
        )
    return pixel_values


def pack(
    views: Tensor, size: Size, layout: Layout, newline: Tensor | None, *, alone: bool = True
) -> Tensor:
    """The tokens (token, dim) of one picture.

    Args:
        views: What the connector made of its views (view, token, dim).
        size: Its height and width in pixels.
        layout: How its tokens lie.
        newline: The token (dim) that ends rows, where the layout has one.
        alone: Whether it is its sample's only picture.
    """
    end = views.new_empty(0, views.shape[-1]) if newline is None else newline[None].to(views)
    if layout.mode == "anyres":
        whole = views[0]
        if not alone:
            return torch.cat([whole, end])
        tiles = _grid(views[1:], layout.tiles(size), layout.side)
        return torch.cat([whole, _rows(tiles, size, layout, end)])
    if layout.newline or layout.unpad:
        return _rows(_grid(views, (1, 1), layout.side), size, layout, end)
    return views[0]


def _grid(views: Tensor, tiles: Size, side: int) -> Tensor:
    """Tiles, row by row, as one grid (dim, row, column)."""
    grid = views.view(*tiles, side, side, -1).permute(4, 0, 2, 1, 3)
    return grid.flatten(3, 4).flatten(1, 2)


def _rows(grid: Tensor, size: Size, layout: Layout, end: Tensor) -> Tensor:
    """A grid without its borders, row by row, each with its end (0 or 1 tokens)."""
    top, left = layout.borders(size)
    grid = grid[:, top : grid.shape[1] - top, left : grid.shape[2] - left]
    final = layout.final_grid(size)
    if final != tuple(grid.shape[1:]):
        grid = functional.interpolate(grid[None], final, mode="bilinear")[0]
    rows = grid.permute(1, 2, 0)  # (row, column, dim)
    ends = end.expand(len(rows), *end.shape)
    return torch.cat([rows, ends], dim=1).flatten(0, 1)


def pack_video(frames: Tensor, layout: Layout, newline: Tensor | None) -> Tensor:
    """The tokens (token, dim) of a video: frames (frame, token, dim) at half their side, an end.

    Where a frame's tokens form no grid, all of them follow each other.
    """
    if layout.tokens is not None:
        return frames.flatten(0, 1)
    side = layout.side
    grid = frames.transpose(1, 2).reshape(len(frames), -1, side, side)  # (frame, dim, row, column)
    half = math.ceil(side / 2)
    small = functional.interpolate(grid, (half, half), mode="bilinear")
    tokens = small.flatten(2).transpose(1, 2).flatten(0, 1)
    return tokens if newline is None else torch.cat([tokens, newline[None].to(tokens)])
