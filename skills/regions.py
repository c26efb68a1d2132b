"""Parts of a picture: boxes, masks and lines of text, all usable where a region is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, fields, replace
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw

from . import rle
from .drawing import draw_boxes, draw_masks, draw_polygons
from .pixels import Image
from .wording import counted, listed, tally

Box = tuple[float, float, float, float]
Point = tuple[float, float]
Polygon = tuple[Point, ...]


@dataclass(frozen=True)
class Boxes:
    """Upright rectangles, each (left, top, right, bottom) in 0..1 of the picture.

    ``query`` is what was asked for; it says what is missing where nothing was found.
    """

    xyxy: tuple[Box, ...]
    _: KW_ONLY
    labels: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    query: str = ""
    kind: ClassVar[str] = "boxes"

    def __post_init__(self) -> None:
        _settle(self, xyxy=tuple(_box(box) for box in self.xyxy))

    def __len__(self) -> int:
        return len(self.xyxy)

    def take(self, indices: Iterable[int]) -> Boxes:
        """Return the chosen boxes, in the order given."""
        return _take(self, indices)

    def above(self, threshold: float) -> Boxes:
        """Return the boxes at least that sure; without scores, all of them."""
        return _take(self, _sure(self, threshold))

    def describe(self) -> str:
        if not any(self.labels):
            return _described(self, "box", [coordinates(box) for box in self.xyxy])
        middles = [left + right for left, _, right, _ in self.xyxy]
        ordered = len(self) > 1 and middles == sorted(middles)
        words = [label or "unnamed" for label in self.labels]
        return _described(self, "box", words) + (" (left to right)" if ordered else "")

    def cite(self) -> str:
        return _cited(self, "box")

    def overlay(self, image: Image) -> Image:
        """Draw the outlines, each with its label."""
        return Image(draw_boxes(image.pixels, self.xyxy, self.labels))


@dataclass(frozen=True)
class Masks:
    """Shapes to the pixel, each a COCO run-length code {"size": [height, width], "counts": str}."""

    rles: tuple[rle.RLE, ...]
    _: KW_ONLY
    labels: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    query: str = ""
    kind: ClassVar[str] = "masks"

    def __post_init__(self) -> None:
        _settle(self, rles=tuple(rle.checked_rle(code) for code in self.rles))

    @classmethod
    def from_array(
        cls,
        masks: NDArray[np.bool_],
        *,
        labels: tuple[str, ...] = (),
        scores: tuple[float, ...] = (),
        query: str = "",
    ) -> Masks:
        """Take (n, height, width) booleans."""
        codes = tuple(rle.encode(mask) for mask in masks)
        return cls(codes, labels=labels, scores=scores, query=query)

    def to_array(self) -> NDArray[np.bool_]:
        """Return (n, height, width) booleans; all masks must have one size."""
        if not self.rles:
            return np.zeros((0, 0, 0), bool)
        return np.stack([rle.decode(code) for code in self.rles])

    def __len__(self) -> int:
        return len(self.rles)

    def take(self, indices: Iterable[int]) -> Masks:
        """Return the chosen masks, in the order given."""
        return _take(self, indices)

    def above(self, threshold: float) -> Masks:
        """Return the masks at least that sure; without scores, all of them."""
        return _take(self, _sure(self, threshold))

    def describe(self) -> str:
        pairs = zip(self.labels or ("",) * len(self), self.rles, strict=True)
        words = [f"{label} {rle.share(code):.0%}".strip() for label, code in pairs]
        return _described(self, "mask", words) + (" of the picture" if words else "")

    def cite(self) -> str:
        return _cited(self, "mask")

    def overlay(self, image: Image) -> Image:
        """Tint each shape in a colour of its own."""
        size = (image.width, image.height)
        return Image(draw_masks(image.pixels, [_resized(m, *size) for m in self.to_array()]))


@dataclass(frozen=True)
class TextLines:
    """Lines of writing, or codes: what each says and where, as a polygon in 0..1."""

    texts: tuple[str, ...]
    polygons: tuple[Polygon, ...]
    _: KW_ONLY
    labels: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    query: str = ""
    kind: ClassVar[str] = "lines"

    def __post_init__(self) -> None:
        polygons = tuple(tuple(point_in(point) for point in polygon) for polygon in self.polygons)
        _settle(self, texts=tuple(self.texts), polygons=polygons)

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, indices: Iterable[int]) -> TextLines:
        """Return the chosen lines, in the order given."""
        return _take(self, indices)

    def above(self, threshold: float) -> TextLines:
        """Return the lines at least that sure; without scores, all of them."""
        return _take(self, _sure(self, threshold))

    def describe(self) -> str:
        pairs = zip(self.texts, self.labels or ("",) * len(self), strict=True)
        words = [f'"{text}" ({label})' if label else f'"{text}"' for text, label in pairs]
        return _described(self, "line", words)

    def cite(self) -> str:
        if not self.texts:
            return counted(0, self.query or "text")
        quoted = [f'"{text}"' for text in self.texts]
        return ", ".join(quoted) if len(quoted) <= 3 else "\n".join(quoted)

    def overlay(self, image: Image) -> Image:
        """Draw the outlines, numbered in reading order."""
        return Image(draw_polygons(image.pixels, self.polygons))


Region = Boxes | Masks | TextLines
_R = TypeVar("_R", Boxes, Masks, TextLines)


def region_mask(region: Region, width: int, height: int) -> NDArray[np.bool_]:
    """Return (height, width) booleans: what any part of the region covers."""
    if isinstance(region, Masks):
        parts = [_resized(mask, width, height) for mask in region.to_array()]
        return np.logical_or.reduce(parts) if parts else np.zeros((height, width), bool)
    canvas = Pillow.new("1", (width, height))
    brush = ImageDraw.Draw(canvas)
    if isinstance(region, TextLines):
        for polygon in region.polygons:
            corners = [(x * width - 0.5, y * height - 0.5) for x, y in polygon]
            brush.polygon(corners, fill=1, outline=1)
        return np.array(canvas, bool)
    for x0, y0, x1, y1 in region.xyxy:
        left, top = min(int(x0 * width), width - 1), min(int(y0 * height), height - 1)
        right, bottom = max(math.ceil(x1 * width) - 1, left), max(math.ceil(y1 * height) - 1, top)
        brush.rectangle((left, top, right, bottom), fill=1)
    return np.array(canvas, bool)


def region_boxes(region: Region) -> Boxes:
    """Return the upright box around each part of a region; labels and scores stay."""
    if isinstance(region, Boxes):
        return region
    around = rle.bounds if isinstance(region, Masks) else _polygon_box
    parts: Sequence[Any] = region.rles if isinstance(region, Masks) else region.polygons
    boxes = tuple(around(part) for part in parts)
    return Boxes(boxes, labels=region.labels, scores=region.scores, query=region.query)


def coordinates(numbers: Sequence[float]) -> str:
    """Write places as planners read and write them: [0.25, 0.5]."""
    return f"[{', '.join(f'{round(n, 3):g}' for n in numbers)}]"


def point_in(point: Sequence[float]) -> Point:
    """Check that a point lies in the picture; what is a little outside is moved to the edge."""
    x, y = _inside(point, 2)
    return x, y


def _box(box: Sequence[float]) -> Box:
    x0, y0, x1, y1 = _inside(box, 4)
    if x1 < x0 or y1 < y0:
        raise ValueError(f"a box is [left, top, right, bottom], got {coordinates(box)}")
    return x0, y0, x1, y1


def _inside(numbers: Sequence[float], count: int) -> list[float]:
    values = [float(number) for number in numbers]
    if len(values) != count:
        raise ValueError(f"wanted {count} numbers, got {len(values)}")
    if not all(-1 <= value <= 2 for value in values):
        raise ValueError(
            f"places are fractions of the picture, 0 to 1, got {coordinates(values)}; "
            "divide x by the width and y by the height"
        )
    return [min(max(value, 0.0), 1.0) for value in values]


def _settle(region: Region, **columns: tuple[Any, ...]) -> None:
    """Store checked columns; every column has one entry for each thing, or is left out."""
    columns |= {"labels": tuple(region.labels), "scores": tuple(map(float, region.scores))}
    first = len(next(iter(columns.values())))
    for name, column in columns.items():
        if len(column) != first and (column or name not in ("labels", "scores")):
            raise ValueError(f"{type(region).__name__}: {len(column)} {name} for {first} things")
        object.__setattr__(region, name, column)


def _take(region: _R, indices: Iterable[int]) -> _R:
    chosen = list(indices)
    columns = {f.name: getattr(region, f.name) for f in fields(region) if f.name != "query"}
    kept: dict[str, Any] = {name: tuple(c[i] for i in chosen) for name, c in columns.items() if c}
    return replace(region, **kept)


def _sure(region: Region, threshold: float) -> list[int]:
    scores = region.scores or (math.inf,) * len(region)
    return [index for index, score in enumerate(scores) if score >= threshold]


def _described(region: Region, noun: str, words: Sequence[str]) -> str:
    many = f"{len(region)} {noun if len(region) == 1 else region.kind}"
    return f"{many}: {listed(words) if words else 'nothing found'}"


def _cited(region: Region, noun: str) -> str:
    several = len(set(region.labels)) > 1 or " and " in region.query  # things were asked for
    if any(region.labels) and (several or not region.query):
        return tally(region.labels, noun)
    return counted(len(region), region.query or noun)


def _resized(mask: NDArray[np.bool_], width: int, height: int) -> NDArray[np.bool_]:
    if mask.shape == (height, width):
        return mask
    return np.array(Pillow.fromarray(mask).resize((width, height), Pillow.Resampling.NEAREST))


def _polygon_box(polygon: Polygon) -> Box:
    xs, ys = [x for x, _ in polygon], [y for _, y in polygon]
    return min(xs), min(ys), max(xs), max(ys)
