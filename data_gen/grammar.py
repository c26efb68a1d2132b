"""A grammar of requests: phrase banks, nouns and numbers make wordings with their plans in bulk."""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from llava_plus.errors import SetupError

from .nouns import Nouns
from .requests import Request

FOLDER = Path(__file__).parent / "phrases"
CHOICE = re.compile(r"\[([^\[\]]*)\]")
SLOT = re.compile(r"\{(\w+)\}")
PICTURE_WORDS = (
    "picture",
    "photo",
    "image",
    "pic",
    "photograph",
    "shot",
    "foto",
    "pictures",
    "img",
)
LEADS = (
    "can you ",
    "could you ",
    "please ",
    "pls ",
    "would you ",
    "i want you to ",
    "i'd like you to ",
    "hey, ",
)
JOINS = (
    " and ",
    ", then ",
    " and then ",
    ", and ",
    " then ",
    ", afterwards ",
    ". also ",
    " & ",
    ", next ",
)
Slots = dict[str, Callable[[], str] | str]
OTHER_SLOTS: dict[str, tuple[str, ...]] = {
    "bg": ("white", "black", "blue", "green screen", "grey", "red"),
    "cl": ("red", "blue", "green", "purple", "golden", "pink"),
    "w": ("hat", "coat", "dress", "scarf", "helmet"),
    "doc": (
        "sign",
        "label",
        "receipt",
        "letter",
        "poster",
        "menu",
        "note",
        "page",
        "ticket",
        "screen",
    ),
    "g": ("10", "15", "20", "30", "45", "60", "75", "90", "120", "135", "5", "180"),
    "q": ("10", "15", "20", "25", "30", "40", "50", "60", "70", "80"),
    "wh": ("800x600", "1024 by 768", "512 px wide", "A4", "half the size", "1920x1080"),
    "style": ("a van gogh painting", "a comic", "pixel art", "a watercolor", "an anime still"),
    "query": ("the eiffel tower", "cheap flights", "how to bake bread", "cat breeds", "used bikes"),
    "rel": ("sister", "dad", "boss", "neighbor", "aunt"),
    "y": ("peter", "rome", "lisa", "tokyo", "jazz"),
    "num": ("3", "12", "7", "250", "48"),
}


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """One line of a bank: words with choices and slots, and the plan they ask for."""

    plan: str
    words: str
    imperative: bool


def read_bank(path: Path) -> list[Pattern]:
    """The patterns of one bank; a line before any heading is a `SetupError`."""
    patterns, plan, imperative = [], "", False
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = line.strip()
        if line.startswith("## "):
            plan, imperative = line[3:], False
        elif line.startswith("# kind"):
            imperative = line.endswith("I")
        elif line and not line.startswith("#"):
            if not plan:
                raise SetupError(f"{path.name}:{number}: a pattern before any '## plan' heading.")
            patterns.append(Pattern(plan=plan, words=line, imperative=imperative))
    return patterns


class Grammar:
    """Draws requests from banks; the same seed draws the same requests."""

    def __init__(self, patterns: list[Pattern], nouns: Nouns) -> None:
        self.by_plan: dict[str, list[Pattern]] = {}
        for pattern in patterns:
            self.by_plan.setdefault(pattern.plan, []).append(pattern)
        self.nouns = nouns

    @classmethod
    def bundled(cls, nouns: Nouns) -> "Grammar":
        """The banks that ship with the package."""
        return cls(
            [p for path in sorted(FOLDER.glob("bank_*.txt")) for p in read_bank(path)], nouns
        )

    def requests(self, count: int, *, seed: int, compose: float = 0.3) -> Iterator[Request]:
        """Draw requests; a share of them joins two wishes in one sentence."""
        rng = random.Random(seed)
        plans, weights, edits = self._weighed
        made = 0
        while made < count:
            if rng.random() < compose:
                first, second = rng.choice(edits), rng.choice(edits)
                request = self._joined(first, second, rng)
            else:
                plan = rng.choices(plans, weights)[0]
                request = self._single(rng.choice(self.by_plan[plan]), rng)
            if request is not None:
                made += 1
                yield request

    @cached_property
    def _weighed(self) -> tuple[list[str], list[float], list[str]]:
        """All plans with how often each is drawn, and those that can be joined to others."""
        plans = sorted(self.by_plan)
        # Answers without a skill have few headings but a large share of what people say.
        weights = [0.6 if plan.startswith("say") else 1.0 for plan in plans]
        edits = [p for p in plans if self._imperatives(p) and not p.startswith("say")]
        return plans, weights, edits

    def _single(self, pattern: Pattern, rng: random.Random) -> Request:
        slots = self._slots(pattern.plan, rng)
        words = fill(pattern.words, slots, rng)
        if pattern.imperative and rng.random() < 0.25:
            words = rng.choice(LEADS) + words
        plan = slotted(pattern.plan, in_plan(slots))
        return Request(
            context=_context(plan),
            text=sloppy(words, rng),
            plan=plan,
            origin=f"grammar:{pattern.plan}",
        )

    def _joined(self, first: str, second: str, rng: random.Random) -> Request | None:
        slots, more = self._slots(first, rng), self._slots(second, rng)
        plans = slotted(first, in_plan(slots)), slotted(second, in_plan(more))
        joined = compose_plans(*plans)
        if joined is None:
            return None
        words = fill(rng.choice(self._imperatives(first)).words, slots, rng)
        words += rng.choice(JOINS) + fill(rng.choice(self._imperatives(second)).words, more, rng)
        context = _context(plans[0])
        return Request(
            context=context,
            text=sloppy(words, rng),
            plan=joined,
            origin=f"grammar:{first} + {second}",
        )

    def _imperatives(self, plan: str) -> list[Pattern]:
        return [pattern for pattern in self.by_plan[plan] if pattern.imperative]

    def _slots(self, plan: str, rng: random.Random) -> Slots:
        noun = self.nouns.draw(rng, common=0.45 if "detect" in plan else 0.0)
        other = self.nouns.draw(rng)
        slots: Slots = {
            "x": noun.one,
            "name": noun.name,
            "p": noun.many,
            "a": noun.a,
            "d": lambda: rng.choice(
                [
                    f"the {noun.one}",
                    f"the {noun.many}",
                    f"all the {noun.many}",
                    f"my {noun.one}",
                    f"the {noun.one}",
                ]
            ),
            "i": lambda: rng.choice(PICTURE_WORDS),
            "x2": other.one,
            "p2": other.many,
            "a2": other.a,
        }
        for name, words in OTHER_SLOTS.items():
            slots[name] = rng.choice(words)
        return slots


def fill(words: str, slots: Slots, rng: random.Random) -> str:
    """Make the choices of a pattern, innermost first, and fill its slots."""
    while found := CHOICE.search(words):
        words = words[: found.start()] + rng.choice(found[1].split("|")) + words[found.end() :]
    return slotted(words, slots)


def in_plan(slots: Slots) -> Slots:
    """The slots of a plan, where a thing goes by its name rather than by somebody's word for it."""
    return {**slots, "x": slots["name"]}


def slotted(words: str, slots: Slots) -> str:
    """Fill the slots; one that is unknown is a `SetupError`."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in slots:
            raise SetupError(f"Pattern {words!r} has the unknown slot {{{match[1]}}}.")
        slot = slots[match[1]]
        return slot if isinstance(slot, str) else slot()

    return " ".join(SLOT.sub(value, words).split())


def compose_plans(first: str, second: str) -> str | None:
    """Run one plan after another on what the first one made; None where that says nothing new."""
    if first == second or "say(" in first + second or _context(second) != "1":
        return None
    if _looks(first) == _looks(second) and _looks(first):
        return None  # the same thing found twice is one look, not two
    given = {"boxes": 1} if _context(first) == "1+box" else {}
    kinds = ("img", "boxes", "masks", "lines")
    before = {kind: _made(first, kind) + given.get(kind, 0) for kind in kinds}

    def moved(match: re.Match[str]) -> str:
        return f"{match[1]}_{int(match[2]) + before[match[1]]}"

    return f"{first} ; {re.sub(r'(img|boxes|masks|lines)_([0-9]+)', moved, second)}"


def sloppy(words: str, rng: random.Random) -> str:
    """Type it as people do: case, punctuation, dropped apostrophes, a slip of the finger."""
    if rng.random() < 0.3:
        words = words[:1].upper() + words[1:]
    if rng.random() < 0.25:
        words = words.replace("'", "")
    if rng.random() < 0.3:
        words = words.rstrip("?.")
    elif words[-1:] not in "?.!" and rng.random() < 0.25:
        words += rng.choice([".", "!", " please", " pls", " thanks", "..."])
    if rng.random() < 0.06 and len(words) > 8:
        at = rng.randrange(1, len(words) - 2)
        words = words[:at] + words[at + 1] + words[at] + words[at + 2 :]
    return words


def _made(plan: str, kind: str) -> int:
    makers = {
        "img": r"\b(?:crop|blur|pixelate|erase|adjust|rotate)\(",
        "boxes": r"\bdetect\(|select\(boxes",
        "masks": r"\bsegment\(|select\(masks",
        "lines": r"\b(?:ocr|read_codes)\(|select\(lines",
    }
    return len(re.findall(makers[kind], plan))


def _looks(plan: str) -> str:
    found = re.search(r"(detect|ocr|read_codes)\([^)]*\)", plan)
    return found[0] if found else ""


def _context(plan: str) -> str:
    return (
        "1+click"
        if "points_1" in plan
        else "1+box"
        if "boxes_1" in plan and "detect" not in plan
        else "1"
    )
