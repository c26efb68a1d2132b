"""What a source hands out: a picture, where it comes from, and what is known of it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from llava_plus.errors import ImageError
from llava_plus.skills import Boxes, Image, Masks, Points, Table, TextLines, load_image
from llava_plus.skills.regions import Box, Polygon
from llava_plus.skills.rle import RLE, share

UNKNOWN = "unknown"
Key = TypeVar("Key")


@dataclass(frozen=True, kw_only=True)
class Joint:
    """A named place on a thing, such as an elbow; ``visible`` is false where it is covered."""

    name: str
    xy: tuple[float, float]  # 0..1 of the picture
    visible: bool = True


@dataclass(frozen=True, kw_only=True)
class Thing:
    """One object of a picture.

    Args:
        label: Its name, a noun.
        box: Left, top, right and bottom in 0..1 around what can be seen of it.
        mask: The pixels that show it, a COCO run-length code; none where it is not known.
        hidden: The share of it, 0..1, that other things or the edge hide; none where not known.
        color: The name of its colour, "" where it is not known.
        attributes: Words that fit it, such as "striped".
        joints: Its key points.
        crowd: Whether it is a group that was not taken apart.
    """

    label: str
    box: Box
    mask: RLE | None = None
    hidden: float | None = None
    color: str = ""
    attributes: tuple[str, ...] = ()
    joints: tuple[Joint, ...] = ()
    crowd: bool = False

    def area(self) -> float:
        """Return the share of the picture that it covers: of its mask, else of its box."""
        if self.mask is not None:
            return share(self.mask)
        left, top, right, bottom = self.box
        return (right - left) * (bottom - top)


@dataclass(frozen=True, kw_only=True)
class Writing:
    """A line or a word of text, or a code, with the polygon around it in 0..1.

    ``format`` names the kind of a code ("QRCode"); ``hidden`` is as in ``Thing``.
    """

    text: str
    polygon: Polygon
    format: str = ""
    hidden: float | None = None


@dataclass(frozen=True, kw_only=True)
class Caption:
    """A sentence about the picture, or about a box of it."""

    text: str
    box: Box | None = None


@dataclass(frozen=True, kw_only=True)
class Relation:
    """What one thing is to another; both are places in ``Truth.things``."""

    subject: int
    predicate: str  # such as "left of"
    object: int


@dataclass(frozen=True, kw_only=True)
class Chart:
    """Figures shown in the picture: the kind of chart or paper, its title, place and numbers."""

    kind: str  # "bar", "line", "pie" or "receipt"
    title: str
    box: Box
    table: Table


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is known of a picture.

    ``complete`` names what is listed to the last one, of "things", "faces", "lines" and "codes",
    or labels of things: only there does a missing entry mean that there is none in the picture.
    """

    things: tuple[Thing, ...] = ()
    relations: tuple[Relation, ...] = ()
    lines: tuple[Writing, ...] = ()
    codes: tuple[Writing, ...] = ()
    charts: tuple[Chart, ...] = ()
    captions: tuple[Caption, ...] = ()
    complete: frozenset[str] = frozenset()

    def boxes(self, label: str = "") -> Boxes:
        """Return boxes around the visible parts of the things of a name, or of all."""
        chosen = self._named(label)
        labels = tuple(thing.label for thing in chosen)
        return Boxes(tuple(thing.box for thing in chosen), labels=labels, query=label)

    def masks(self, label: str = "") -> Masks:
        """Return the masks of the things of a name, or of all, without those that have none."""
        chosen = [thing for thing in self._named(label) if thing.mask is not None]
        codes = tuple(thing.mask for thing in chosen if thing.mask is not None)
        return Masks(codes, labels=tuple(thing.label for thing in chosen), query=label)

    def joints(self, label: str = "") -> Points:
        """Return the key points that can be seen on things of a name, or on all."""
        chosen = [joint for thing in self._named(label) for joint in thing.joints]
        return Points(tuple(joint.xy for joint in chosen if joint.visible))

    def counts(self) -> dict[str, int]:
        """Return how many things there are of each name; crowds are not counted."""
        return dict(Counter(thing.label for thing in self.things if not thing.crowd))

    def largest(self) -> Thing | None:
        """Return the thing that covers most of the picture; none where there is no thing."""
        return max(self.things, key=Thing.area, default=None)

    def text(self, *, hidden: float = 0.1) -> TextLines:
        """Return the lines of which at most this share is hidden."""
        return _shown(self.lines, hidden, "text")

    def code_lines(self, *, hidden: float = 0.1) -> TextLines:
        """Return the codes of which at most this share is hidden, with their formats as labels."""
        return _shown(self.codes, hidden, "code")

    def _named(self, label: str) -> list[Thing]:
        return [thing for thing in self.things if not label or thing.label == label]


@dataclass(frozen=True, kw_only=True)
class Item:
    """A picture that can be loaded, under a name that is unique in its source.

    Args:
        id: The name, the same on every run.
        picture: What ``load_image`` takes: a path, the bytes of a file, or a picture drawn here.
        width: In pixels, as loaded.
        height: In pixels, as loaded.
        origin: Where it comes from: an address, a file, or who drew it.
        licence: Under which terms, "unknown" where nobody said.
        truth: What is known of it.
    """

    id: str
    picture: Path | bytes | Image = field(repr=False)
    width: int
    height: int
    origin: str
    licence: str = UNKNOWN
    truth: Truth = field(default=Truth(), repr=False)

    def image(self) -> Image:
        """Read the pixels, through the one image door."""
        return load_image(self.picture)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What could not be used: in which file, under which id, and why."""

    file: str
    id: str
    why: str

    def __str__(self) -> str:
        return f"{self.file}, {self.id}: {self.why}" if self.id else f"{self.file}: {self.why}"


Report = Callable[[Problem], None]


class Shelf(Generic[Key]):
    """A source that was opened: its entries in order, each made an item when it is taken.

    Args:
        keys: The entries.
        make: Returns the item of an entry; where that cannot be, reports why and returns none.
    """

    def __init__(self, keys: Sequence[Key], make: Callable[[Key], Item | None]) -> None:
        self._keys, self._make = keys, make

    def __len__(self) -> int:
        return len(self._keys)

    def take(self, place: int) -> Item | None:
        """Return the item of a place, from 0; none where it cannot be used, which was reported."""
        return self._make(self._keys[place])

    def items(self) -> Iterator[Item]:
        """Yield what can be used, in order."""
        for place in range(len(self)):
            if (item := self.take(place)) is not None:
                yield item


class Source(Protocol):
    """Where pictures come from."""

    def items(self, report: Report, *, seed: int | None = None) -> Iterator[Item]:
        """Yield what can be used, one by one, and report what cannot.

        Args:
            report: Called with each problem; the items after it still come.
            seed: Draws the order, and for scenes what they show; none keeps the source's order.
        """
        ...


@runtime_checkable
class OpenSource(Source, Protocol):
    """A source whose pictures can be had in any order: all but those that are streamed."""

    def open(self, report: Report, *, seed: int | None = None) -> Shelf[Any]:
        """Return the source opened; takes what `Source.items` takes."""
        ...


def in_order(keys: Iterable[Key], seed: int | None) -> list[Key]:
    """Return the keys as they come, or in the order that a seed draws."""
    ordered = list(keys)
    if seed is not None:
        random.Random(seed).shuffle(ordered)
    return ordered


def readable(picture: Path | bytes, problem: Callable[[str], None]) -> Image | None:
    """Return the picture decoded; where it cannot be read, say why and return none."""
    try:
        return load_image(picture)
    except ImageError as error:
        problem(str(error))
        return None


def _shown(writings: Iterable[Writing], hidden: float, query: str) -> TextLines:
    chosen = [writing for writing in writings if (writing.hidden or 0.0) <= hidden]
    return TextLines(
        tuple(writing.text for writing in chosen),
        tuple(writing.polygon for writing in chosen),
        labels=tuple(writing.format for writing in chosen) if query == "code" else (),
        query=query,
    )
