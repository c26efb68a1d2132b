"""What is known of a picture, as far as requests can be made of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from llava_plus.data_gen.nouns import COMMON
from llava_plus.data_gen.sources import Item, Thing
from llava_plus.data_gen.truth import Box
from llava_plus.skills.builtin.finding import finds

from .heldout import apart

APART = 0.04  # of the picture by which middles must differ for "the left one" to be clear
LARGER = 1.25  # times by which areas must differ for "the largest" to be clear
SHOWN = 0.02  # share of a line that may be hidden for its words to be sure
LONGEST = 12  # things of a name that are asked about; of more, nobody is sure
SMALLEST = 0.0008  # share of the picture below which a thing is not asked about


@dataclass(frozen=True)
class Group:
    """The things of one name in a picture, or those of one colour among them."""

    label: str
    things: tuple[Thing, ...]

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Where they are, from left to right."""
        return tuple(sorted((one.box for one in self.things), key=lambda box: box[0] + box[2]))

    def order(self, by: str) -> tuple[Thing, ...] | None:
        """Return them in an order; none where it is not clear."""
        keys = {
            "left": lambda one: (one.box[0] + one.box[2]) / 2,
            "right": lambda one: -(one.box[0] + one.box[2]) / 2,
            "top": lambda one: (one.box[1] + one.box[3]) / 2,
            "bottom": lambda one: -(one.box[1] + one.box[3]) / 2,
            "largest": lambda one: -_area(one),
            "smallest": _area,
        }
        ordered = tuple(sorted(self.things, key=keys[by]))
        places = [abs(keys[by](one)) for one in ordered]
        for one, other in pairwise(places):
            clear = max(one, other) >= LARGER * min(one, other)
            if not (clear if by in ("largest", "smallest") else abs(one - other) >= APART):
                return None
        return ordered


@dataclass(frozen=True)
class Facts:
    """A picture and what can be asked about it."""

    item: Item

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The things by name, without those that the evaluation asks for."""
        named: dict[str, list[Thing]] = {}
        spoiled: set[str] = set()
        for thing in self.item.truth.things:
            named.setdefault(thing.label, []).append(thing)
            if thing.crowd or _area(thing) < SMALLEST:
                spoiled.add(thing.label)
        return tuple(
            Group(label, tuple(things))
            for label, things in named.items()
            if label not in spoiled
            and len(things) <= LONGEST
            and not apart().names(label)
            and not finds(label)
        )

    @cached_property
    def colored(self) -> tuple[Group, ...]:
        """The things by colour and name, where that tells some apart from others."""
        found: dict[str, list[Thing]] = {}
        for group in self.groups:
            colors = {thing.color for thing in group.things}
            if "" in colors or len(colors) < 2:
                continue
            for thing in group.things:
                found.setdefault(f"{thing.color} {group.label}", []).append(thing)
        return tuple(Group(label, tuple(things)) for label, things in found.items())

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The lines that can be read for sure."""
        return self.item.truth.text(hidden=SHOWN).texts

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """What its codes hold."""
        return self.item.truth.code_lines(hidden=SHOWN).texts

    @cached_property
    def common(self) -> tuple[str, ...]:
        """Which of "face", "text" and "code" may be looked for with a chance to find them."""
        truth = self.item.truth
        known = {"face": False, "text": bool(truth.lines), "code": bool(truth.codes)}
        sure = {"face": "faces", "text": "lines", "code": "codes"}
        return tuple(one for one in COMMON if known[one] or sure[one] not in truth.complete)

    @property
    def whole(self) -> bool:
        """Whether every thing in the picture is known."""
        return "things" in self.item.truth.complete

    def lacks(self, label: str) -> bool:
        """Whether it is known that there is no such thing."""
        truth = self.item.truth
        known = self.whole or label in truth.complete
        return known and not any(label in (one.label, _last(one.label)) for one in truth.things)

    def place(self, thing: Thing) -> tuple[float, float] | None:
        """Return a point that shows a thing, in its middle; none where that is covered."""
        x, y = (thing.box[0] + thing.box[2]) / 2, (thing.box[1] + thing.box[3]) / 2
        others = [one for one in self.item.truth.things if one is not thing]
        if any(_inside(x, y, one.box) for one in others) or (thing.hidden or 0.0) > 0.1:
            return None
        return round(x, 3), round(y, 3)


def labels_of(groups: Sequence[Group]) -> tuple[str, ...]:
    """Return the names of groups."""
    return tuple(group.label for group in groups)


def _area(thing: Thing) -> float:
    # What `select` goes by: it is given boxes.
    left, top, right, bottom = thing.box
    return (right - left) * (bottom - top)


def _inside(x: float, y: float, box: Box) -> bool:
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


def _last(label: str) -> str:
    return label.rpartition(" ")[2]
