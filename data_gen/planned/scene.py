"""What a request is made from: pictures, skills, a bank, and chance; and what comes of it."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from llava_plus.data_gen.nouns import several
from llava_plus.data_gen.sources import Item
from llava_plus.data_gen.truth import Truth
from llava_plus.skills import Boxes, Points, SkillRegistry
from llava_plus.skills.builtin.finding import finds

from .banks import Bank, filled
from .building import Act, Plot, draw_act
from .facts import Facts
from .heldout import apart, nouns
from .script import Given, Script
from .targets import Target, draw_target
from .tongue import Tongue
from .wishes import WISHES, Wish, possible

_VAGUE = frozenset(("it", "this", "this one", "这张"))
_PARTICLE = re.compile(r"\b(out|up|down|off) (it|them)\b")  # brighten it up, not up it
_RELATIVES = {
    "en": ("sister", "dad", "boss", "neighbor", "aunt", "teacher"),
    "zh": ("妈妈", "老师", "同事", "朋友", "姐姐"),
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """One turn of a person.

    Args:
        text: The words.
        items: Pictures that come with it.
        pointers: Places and boxes that are marked.
        truth: What is known of the answer.
        bare: Whether it only answers a question, so that "please" does not fit before it.
    """

    text: str
    items: tuple[Item, ...] = ()
    pointers: tuple[Points | Boxes, ...] = ()
    truth: Truth | None = None
    bare: bool = False


@dataclass(frozen=True, kw_only=True)
class Dialogue:
    """A conversation as it was written: what is asked, and what is done about it.

    Args:
        kind: What sort it is.
        requests: The turns.
        scripts: What is done in each.
    """

    kind: str
    requests: tuple[Request, ...]
    scripts: tuple[Script, ...]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All that a request is drawn from."""

    rng: random.Random
    facts: tuple[Facts, ...]
    skills: SkillRegistry
    bank: Bank
    words: Tongue
    own: tuple[str, ...] = ()  # skills beyond the built-in ones
    able: frozenset[str]  # the names of all skills

    @property
    def item(self) -> Facts:
        """The picture to ask about."""
        return self.facts[0]

    def plot(self, turn: int = 0) -> Plot:
        """Begin the moves of a turn, on the first picture."""
        return Plot(turn=turn, image=Given(turn=0), words=self.words)

    def target(self, *, whole: bool = False, besides: Target | None = None) -> Target | None:
        """Draw something of the picture, other than a thing already meant."""
        for _ in range(4):
            found = draw_target(self.item, self.skills, self.words, self.rng, whole=whole)
            if found is None or besides is None:
                return found
            if found.label != besides.label and found.phrase != besides.phrase:
                return found
        return None

    def wishes(self, *, edits: bool | None = None) -> list[Wish]:
        """Return what this bank can word and these skills can do about one picture."""
        found = _wishes(self.bank, self.able)
        return [wish for wish in found if edits is None or wish.edits == edits]

    def act(self, wish: Wish, target: Target | None = None) -> Act | None:
        """Draw what a wish leaves open, its target too where it needs one."""
        other = None
        needs = bool(wish.region) or wish.skill == "detect"
        if needs and target is None:
            target = self.target(whole=wish.key in ("count", "exists", "plot.sizes"))
        if needs and (target is None or not self.fits(wish, target)):
            return None
        if wish.key == "far":
            other = self.target(besides=target)
            if other is None or not other.one:
                return None
        return draw_act(
            wish, self.words, self.rng, self.skills, target=target if needs else None, other=other
        )

    def fits(self, wish: Wish, target: Target) -> bool:
        """Whether a wish makes sense for what is meant."""
        reads = bool(target.deeds) and target.deeds[0].skill == "ocr"
        wrote = reads or target.label in ("text", "code")
        if wish.key in ("measure", "far", "arrow", "back.picture", "cut", "outline", "onto"):
            if wrote and wish.key not in ("measure", "far", "arrow"):
                return False
            return target.one or (wish.key in ("measure", "cut") and target.count is not None)
        if wish.key == "read.part":
            return not target.deeds or target.label == "text"
        if wish.key == "exists":
            return not target.picked and len(target.deeds) == 1
        if wish.key in ("count", "plot.sizes"):
            many = wish.key == "count" or (target.count or 0) > 1
            return len(target.deeds) == 1 and target.label != "text" and many
        if wish.key in ("colors.part", "describe.part", "back.color", "back.blur"):
            return target.one and not wrote
        if wish.key in ("outline.draw",):
            return not wrote
        return True

    def clause(self, act: Act, *, joins: bool = False, image: str = "") -> str | None:
        """Return words for a wish; none where the bank has none that fit.

        Args:
            act: The wish.
            joins: Whether they are to be joined to others.
            image: What the picture is called; drawn where empty.
        """
        wording = self.bank.draw(act.wish.key, self.rng, joins=joins)
        if wording is None:
            return None
        slots = {"pic": image or self.picture(joins=joins), **act.slots}
        if act.target is not None:
            slots |= act.target.slots(self.bank)
        if act.other is not None:
            slots["u"] = act.other.slots(self.bank)["t"]
        if not wording.slots <= slots.keys():
            return None
        text = filled(wording.words, slots, self.rng)
        if self.bank.language == "es":
            return text.replace(" a el ", " al ").replace(" de el ", " del ")
        return _PARTICLE.sub(r"\2 \1", text)

    def say(self, key: str, **slots: str) -> str | None:
        """Return a wording of the bank under another key; none where it has none that fits."""
        wording = self.bank.draw(key, self.rng)
        given = {"pic": self.picture(), **slots}
        if wording is None or not wording.slots <= given.keys():
            return None
        return filled(wording.words, given, self.rng)

    def picture(self, *, joins: bool = False) -> str:
        """Return a word for the picture; one that can be no other thing where wishes are joined."""
        word = self.bank.word("pic", self.rng)
        while joins and word in _VAGUE:
            word = self.bank.word("pic", self.rng)
        return word

    def joined(self, clauses: Sequence[str]) -> str:
        """Put clauses into one sentence."""
        text = clauses[0]
        for clause in clauses[1:]:
            text = joint(text, self.bank.word("join", self.rng), clause, self.bank.language)
        return text

    def absent(self) -> str | None:
        """Return the name of a thing that is known not to be in the picture."""
        if self.words.code == "en":
            name = nouns().draw(self.rng).one
        else:
            name = self.rng.choice(sorted(self.words.names))
        known = self.words.name(name) is not None and not apart().names(name)
        return name if known and self.item.lacks(name) and not finds(name) else None

    def fill_ins(self) -> dict[str, str]:
        """Return words for what no skill is about: some thing, somebody's relative."""
        if self.words.code == "en":
            name = nouns().draw(self.rng).one
            article = "an" if name[:1] in "aeiou" else "a"
            many = several(name)
            slots = {"x": name, "a": f"{article} {name}", "p": many, "t": f"the {name}"}
        else:
            name = self.words.names[self.rng.choice(sorted(self.words.names))].one
            slots = {"x": name, "a": name, "p": name, "t": name}
        slots["rel"] = self.rng.choice(_RELATIVES.get(self.words.code, ("",)))
        return slots


@cache
def _wishes(bank: Bank, able: frozenset[str]) -> tuple[Wish, ...]:
    return tuple(
        wish for wish in WISHES if wish.key in bank and wish.images < 2 and possible(wish, able)
    )


def joint(one: str, word: str, other: str, language: str) -> str:
    """Join two clauses by a word, with spaces as the language has them."""
    if language == "zh":
        return f"{one}{word}{other}"
    gap = "" if re.match(r"[,;.]", word) else " "
    return f"{one}{gap}{word} {other}"
