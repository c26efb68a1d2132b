"""What skills take and return: typed, immutable values that can be described, drawn and stored."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass, fields
from typing import Any, ClassVar, get_args

from .drawing import draw_points
from .pixels import Image
from .regions import (
    Boxes,
    Masks,
    Point,
    Region,
    TextLines,
    coordinates,
    point_in,
    region_boxes,
    region_mask,
)
from .wording import counted, listed, shorten

__all__ = [
    "KINDS",
    "PREFIXES",
    "Boxes",
    "Image",
    "Masks",
    "Number",
    "Points",
    "Region",
    "Table",
    "Tags",
    "Text",
    "TextLines",
    "Value",
    "region_boxes",
    "region_mask",
    "value_from_json",
    "value_to_json",
]

Cell = str | int | float | bool | None
_WHOLE = frozenset((str, int, float, bool, type(None)))  # has no parts


@dataclass(frozen=True)
class Points:
    """Places in 0..1 of the picture; ``positive`` says whether each is on the thing meant."""

    xy: tuple[Point, ...]
    positive: tuple[bool, ...] = ()
    kind: ClassVar[str] = "points"

    def __post_init__(self) -> None:
        object.__setattr__(self, "xy", tuple(point_in(point) for point in self.xy))
        positive = tuple(map(bool, self.positive)) or (True,) * len(self.xy)
        if len(positive) != len(self.xy):
            raise ValueError(f"Points: {len(positive)} positive for {len(self.xy)} things")
        object.__setattr__(self, "positive", positive)

    def __len__(self) -> int:
        return len(self.xy)

    def describe(self) -> str:
        pairs = zip(self.xy, self.positive, strict=True)
        words = [coordinates(point) + ("" if on else " (not this)") for point, on in pairs]
        return f"{_many(len(self), 'point')}: {listed(words) if words else 'nothing found'}"

    def cite(self) -> str:
        return counted(len(self), "point")

    def overlay(self, image: Image) -> Image:
        """Draw a dot at each place: filled where it is on the thing, hollow where it is not."""
        return Image(draw_points(image.pixels, self.xy, self.positive))


@dataclass(frozen=True)
class Tags:
    """Words that fit the picture, the surest first."""

    names: tuple[str, ...]
    _: KW_ONLY
    scores: tuple[float, ...] = ()
    kind: ClassVar[str] = "tags"

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "scores", tuple(map(float, self.scores)))
        if self.scores and len(self.scores) != len(self.names):
            raise ValueError(f"Tags: {len(self.scores)} scores for {len(self.names)} things")

    def __len__(self) -> int:
        return len(self.names)

    def describe(self) -> str:
        words = listed(self.names) if self.names else "nothing found"
        return f"{_many(len(self), 'tag')}: {words}"

    def cite(self) -> str:
        return ", ".join(self.names) or "no tag"


@dataclass(frozen=True)
class Text:
    """Something said in words."""

    text: str
    kind: ClassVar[str] = "text"

    def describe(self) -> str:
        return shorten(self.text) or "empty text"

    def cite(self) -> str:
        return self.text


@dataclass(frozen=True)
class Number:
    """An amount, with its unit where it has one, shown with as many digits as mean something."""

    value: float
    unit: str = ""
    _: KW_ONLY
    digits: int = 3
    kind: ClassVar[str] = "number"

    def __post_init__(self) -> None:
        if not math.isfinite(self.value):
            raise ValueError(f"Number: wanted an amount, got {self.value}")

    def describe(self) -> str:
        return f"{_plain(self.value, self.digits)} {self.unit}".rstrip()

    def cite(self) -> str:
        return self.describe()


@dataclass(frozen=True)
class Table:
    """Facts in rows under named columns; where the second of two is "value", rows are a list."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    kind: ClassVar[str] = "table"

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(self.columns))
        object.__setattr__(self, "rows", tuple(tuple(row) for row in self.rows))
        for row in self.rows:
            if len(row) != len(self.columns):
                raise ValueError(f"Table: {len(row)} cells for {len(self.columns)} columns")

    def __len__(self) -> int:
        return len(self.rows)

    def describe(self) -> str:
        if len(self) < 2 or self.columns[1:] == ("value",):
            return shorten(self.cite())
        rows = [", ".join(map(_plain, row)) for row in self.rows]
        return f"{len(self)} rows of {', '.join(self.columns)}: {listed(rows, joint='; ')}"

    def cite(self) -> str:
        if not self.rows:
            return "an empty table"
        if self.columns[1:] == ("value",):
            return ", ".join(f"{_plain(name)} {_plain(value)}" for name, value in self.rows)
        rows = (zip(self.columns, row, strict=True) for row in self.rows)
        return "\n".join(", ".join(f"{name} {_plain(cell)}" for name, cell in row) for row in rows)


Value = Image | Boxes | Masks | Points | TextLines | Tags | Text | Number | Table
KINDS: Mapping[str, type[Value]] = {kind.kind: kind for kind in get_args(Value)}
PREFIXES: Mapping[str, str] = {kind: "img" if kind == "image" else kind for kind in KINDS}


def value_to_json(value: Value) -> dict[str, Any]:
    """Return plain JSON; of an image its digest, since pixels belong into a store."""
    if isinstance(value, Image):
        size = {"digest": value.digest, "width": value.width, "height": value.height}
        return {"kind": "image", **size, "meta": dict(value.meta)}
    content = {f.name: _lists(getattr(value, f.name)) for f in fields(value)}
    return {"kind": value.kind, **content}


def value_from_json(data: Mapping[str, Any], load_image: Callable[[str], Image]) -> Value:
    """Build the value again.

    Args:
        data: What ``value_to_json`` gave.
        load_image: Finds an image by its digest, such as ``store.get``.
    """
    content = dict(data)
    kind = content.pop("kind", None)
    if kind == "image":
        return load_image(content["digest"]).with_meta(content.get("meta", {}))
    if kind not in KINDS:
        raise ValueError(f"No value of kind {kind!r}. Known: {', '.join(sorted(KINDS))}.")
    try:
        return KINDS[kind](**content)
    except (TypeError, KeyError) as error:
        raise ValueError(f"Not a value of kind {kind!r}: {error}") from error


def _lists(content: Any) -> Any:
    if isinstance(content, list | tuple):  # few are asked: words and numbers are most of it
        return [item if type(item) in _WHOLE else _lists(item) for item in content]
    if isinstance(content, Mapping):
        return {key: _lists(item) for key, item in content.items()}
    return content  # a number of numpy, say


def _many(number: int, noun: str) -> str:
    return f"{number} {noun if number == 1 else noun + 's'}"


def _plain(cell: Cell, digits: int = 3) -> str:
    """Write a number with no more digits than mean something."""
    if isinstance(cell, str):
        return cell
    if cell is None or isinstance(cell, bool):
        return {None: "unknown", True: "yes", False: "no"}[cell]
    if isinstance(cell, float):
        digits = digits if abs(cell) < 1000 else max(digits, 6)
        return f"{cell:.0f}" if cell.is_integer() else f"{cell:.{digits}g}"
    return str(cell)
