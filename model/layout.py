"""How many tokens a picture takes and where they lie: the one place that knows.

Sizes are (height, width), of pictures in pixels and of grids in tokens. Best canvas, resizing and
unpadding follow the released LLaVA-NeXT and LLaVA-OneVision models, to the rounding.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

Size = tuple[int, int]

_SHRINK_FROM = 1.1  # OneVision leaves grids that are only a little too large


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What becomes of a picture on its way to the decoder.

    Args:
        mode: "squeeze" makes the picture a square, "crop" takes the middle square, "pad" adds
            borders of the mean color, "anyres" shows it whole and again as tiles of a canvas.
        tile: Side in pixels of one view, which is what a tower sees at once.
        side: Side of the grid of tokens of one view.
        tokens: Tokens of one view where they are no such grid.
        pinpoints: The canvases that "anyres" may choose from.
        newline: Whether a learned token ends every row of a grid; of an "anyres" picture without
            tiles, it stands once at its end.
        unpad: Whether tokens of the borders are left out; always so for "anyres".
        max_tiles: An "anyres" grid of more tokens than this many views is shrunk to that.
        tile_several: Whether pictures that share a conversation are tiled too.
        legacy_unpad: Round as the first LLaVA-NeXT code did, which differs in one of 50,000 sizes.
        splice: Whether tokens replace placeholders; without, a picture takes one placeholder,
            which stays a word.
        videos: Whether frames of a video can be read so; not where layers of the decoder look at
            pictures again.
    """

    mode: Literal["squeeze", "crop", "pad", "anyres"] = "squeeze"
    tile: int
    side: int
    tokens: int | None = None
    pinpoints: tuple[Size, ...] = ()
    newline: bool = False
    unpad: bool = False
    max_tiles: int | None = None
    tile_several: bool = True
    legacy_unpad: bool = False
    splice: bool = True
    videos: bool = True

    def __post_init__(self) -> None:
        if self.mode not in ("squeeze", "crop", "pad", "anyres"):
            raise ValueError(f"No layout mode {self.mode!r}. Known: squeeze, crop, pad, anyres.")
        if (self.mode == "anyres") != bool(self.pinpoints):
            raise ValueError(
                f"Layout mode {self.mode!r} came with {len(self.pinpoints)} pinpoints;"
                " 'anyres' needs some, such as [[336, 672]], and no other mode takes any."
            )
        if off := [one for one in self.pinpoints if one[0] % self.tile or one[1] % self.tile]:
            raise ValueError(f"Pinpoints {off} are no multiples of the tile's side {self.tile}.")
        if self.tokens is not None and (self.pinpoints or self.newline or self.unpad):
            raise ValueError(
                f"{self.tokens} tokens of a view form no grid: tiles, newlines and unpadding need"
                " one. Leave them out, or use a connector that keeps the grid."
            )

    @classmethod
    def from_dict(cls, options: dict[str, Any]) -> "Layout":
        """Read what `to_dict` wrote; other names in it are left alone."""
        known = {field.name: options[field.name] for field in fields(cls) if field.name in options}
        known["pinpoints"] = tuple((int(h), int(w)) for h, w in known.get("pinpoints") or ())
        return cls(**known)

    def to_dict(self) -> dict[str, Any]:
        """The layout as JSON holds it."""
        return asdict(self)

    @property
    def view_tokens(self) -> int:
        """Tokens of one view, without newlines."""
        return self.side**2 if self.tokens is None else self.tokens

    def views(self, size: Size, *, alone: bool = True) -> int:
        """How many squares the tower sees of a picture; ``alone`` as in `count_tokens`."""
        if self.mode != "anyres" or not alone:
            return 1
        rows, columns = self.tiles(size)
        return 1 + rows * columns

    def tiles(self, size: Size) -> Size:
        """Rows and columns of tiles of an "anyres" picture."""
        height, width = best_canvas(size, self.pinpoints)
        return height // self.tile, width // self.tile

    def grid(self, size: Size) -> Size:
        """The grid of tokens that a picture's tiles, or its one view, come as."""
        rows, columns = self.tiles(size) if self.mode == "anyres" else (1, 1)
        return rows * self.side, columns * self.side

    def borders(self, size: Size) -> Size:
        """Rows at the top, as at the bottom, and columns at either side of padding in the grid."""
        if self.mode != "anyres" and not self.unpad:
            return 0, 0
        return padding(size, self.grid(size), legacy=self.legacy_unpad)

    def final_grid(self, size: Size) -> Size:
        """The grid without its borders, shrunk where it is too large."""
        (height, width), (top, left) = self.grid(size), self.borders(size)
        height, width = height - 2 * top, width - 2 * left
        if self.max_tiles is None:
            return height, width
        excess = math.sqrt(height * width / (self.max_tiles * self.side**2))
        if excess <= _SHRINK_FROM:
            return height, width
        return int(height // excess), int(width // excess)

    def count_tokens(self, size: Size, *, alone: bool = True) -> int:
        """Placeholders that a picture takes.

        Args:
            size: The picture's height and width in pixels.
            alone: Whether it is its sample's only picture; tiles are for those.
        """
        if not self.splice:
            return 1
        if self.mode == "anyres" and not alone:
            return self.view_tokens + self.newline
        if self.mode != "anyres" and not (self.newline or self.unpad):
            return self.view_tokens
        height, width = self.final_grid(size)
        whole = self.view_tokens if self.mode == "anyres" else 0
        return whole + height * (width + self.newline)

    def count_video_tokens(self, frames: int) -> int:
        """Placeholders that a video takes.

        Each frame takes a grid of half the side, and one newline stands at the end (OneVision);
        where tokens form no grid, each frame takes those of a picture (as in InstructBLIP).
        """
        if self.tokens is not None:
            return frames * self.tokens
        return frames * math.ceil(self.side / 2) ** 2 + self.newline


def best_canvas(size: Size, canvases: Sequence[Size]) -> Size:
    """The canvas that keeps most of a picture's pixels; of equals the smallest, then the first."""

    def worth(canvas: Size) -> tuple[int, int]:
        scale = min(canvas[1] / size[1], canvas[0] / size[0])
        kept = min(int(size[1] * scale) * int(size[0] * scale), size[0] * size[1])
        return kept, kept - canvas[0] * canvas[1]

    return max(canvases, key=worth)


def fitted(size: Size, canvas: Size) -> Size:
    """The size of a picture that fills a canvas in one direction, its ratio kept."""
    across, down = canvas[1] / size[1], canvas[0] / size[0]
    if across < down:
        return min(math.ceil(size[0] * across), canvas[0]), canvas[1]
    return canvas[0], min(math.ceil(size[1] * down), canvas[1])


def padding(size: Size, grid: Size, *, legacy: bool = False) -> Size:
    """Rows (at either end) and columns (at either side) of a grid that show no picture."""
    (height, width), (rows, columns) = size, grid

    def whole(value: float) -> int:
        return int(value) if legacy else int(round(value, 7))

    if width / height > columns / rows:
        return (rows - whole(height * (columns / width))) // 2, 0
    return 0, (columns - whole(width * (rows / height))) // 2
