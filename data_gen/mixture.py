"""Several sources as one: which picture is the n-th of a run, and the picture as it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from PIL import Image as Pillow

from llava_plus.errors import SetupError
from llava_plus.skills import Image

from .remembered import KeptScenes
from .sources import DrawnScenes, Item, OpenSource, Problem, Report, Shelf, Source

CYCLE = 100  # items in which the shares come out as wanted


@dataclass(frozen=True, kw_only=True)
class Share:
    """A source of a run.

    Args:
        name: What problems and the ids of its items begin with.
        source: Where its pictures come from.
        weight: How much of the run it gives, beside the weights of the others.
        rows: Of a source that is streamed: how many of its pictures are used.
    """

    name: str
    source: Source
    weight: float = 1.0
    rows: int = 0


class Mixture:
    """The pictures of several sources, in one endless order.

    Every source gives its share of any hundred pictures in a row, and begins again when it is used
    up. The n-th picture is the same in every process.

    Args:
        shares: The sources; at least one.
        seed: Draws the order in each, and what drawn scenes show.
        side: Pixels of the longer side; larger pictures are scaled down. 0 leaves all as they are.
        scenes: Where drawn scenes are kept from run to run; nowhere if left out.

    Raises:
        SetupError: A source cannot be opened, or has no picture.
    """

    def __init__(
        self,
        shares: Sequence[Share],
        *,
        seed: int,
        side: int = 0,
        scenes: KeptScenes | None = None,
    ) -> None:
        self.shares, self.seed, self.side = tuple(shares), seed, side
        self._scenes = scenes
        self.problems: list[Problem] = []  # since it was last looked at
        self._shelves = [self._opened(share, seed) for share in shares]
        self._order = _order([share.weight for share in shares])

    def take(self, index: int) -> Item | None:
        """Return the item of a place of the run, from 0, or none where it cannot be used."""
        cycle, place = divmod(index, CYCLE)
        which = self._order[place]
        before = cycle * self._order.count(which) + self._order[:place].count(which)
        number = before % len(self._shelves[which])
        if self._scenes is None or not isinstance(self.shares[which].source, DrawnScenes):
            return self._made(which, number)
        key = f"{self.shares[which].name}:{self.seed}:{number}:{self.side}"
        item = self._scenes.find(key)
        if item is None and (item := self._made(which, number)) is not None:
            self._scenes.keep(key, item)
        return item

    def _made(self, which: int, number: int) -> Item | None:
        item = self._shelves[which].take(number)
        if item is None:
            return None
        image = scaled(item.image(), self.side)
        id = f"{self.shares[which].name}/{item.id}"
        return replace(item, id=id, picture=image, width=image.width, height=image.height)

    def __len__(self) -> int:
        """How many entries the sources have together."""
        return sum(map(len, self._shelves))

    def _opened(self, share: Share, seed: int) -> Shelf[int] | Shelf[object]:
        def report(problem: Problem) -> None:
            self.problems.append(replace(problem, file=f"{share.name}/{problem.file}"))

        if isinstance(share.source, OpenSource):
            shelf = share.source.open(report, seed=seed)
        else:
            shelf = _streamed(share.source, report, seed=seed, rows=share.rows)
        if not len(shelf):
            raise SetupError(f"The source {share.name!r} has no picture. Check where it looks.")
        return shelf


def scaled(image: Image, side: int) -> Image:
    """Return the picture with no side longer than this."""
    longest = max(image.width, image.height)
    if not side or longest <= side:
        return image
    size = tuple(max(1, round(edge * side / longest)) for edge in (image.width, image.height))
    small = image.to_pil().resize((size[0], size[1]), Pillow.Resampling.LANCZOS, reducing_gap=2)
    return Image.from_pil(small).with_meta(image.meta)


def _order(weights: Sequence[float]) -> list[int]:
    """Return which source gives each picture of a cycle: the one that lags behind most."""
    total, given = sum(weights), [0] * len(weights)
    order = []
    for place in range(1, CYCLE + 1):
        lags = [
            weight / total * place - count for weight, count in zip(weights, given, strict=True)
        ]
        which = max(range(len(weights)), key=lags.__getitem__)
        given[which] += 1
        order.append(which)
    return order


def _streamed(source: Source, report: Report, *, seed: int, rows: int) -> Shelf[int]:
    """Read a stream as a shelf; going back begins it anew."""
    if rows < 1:
        raise SetupError("A source that is streamed needs the number of rows to use: rows: 1000.")
    return Shelf(range(rows), _Stream(lambda: source.items(report, seed=seed)).take)


class _Stream:
    def __init__(self, begin: Callable[[], Iterator[Item]]) -> None:
        self._begin = begin
        self._items, self._next = begin(), 0

    def take(self, place: int) -> Item | None:
        if place < self._next:
            self._items, self._next = self._begin(), 0
        for item in self._items:
            self._next += 1
            if self._next > place:
                return item
        return None
