"""Phrase banks: wishes and how people of one register word them."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path

from llava_plus.errors import SetupError

FOLDER = Path(__file__).parent / "phrases"
BANKS: Mapping[str, tuple[str, ...]] = {  # by language
    "en": ("terse", "polite", "chatty", "telegraphic", "professional", "childlike"),
    "zh": ("plain", "chatty", "formal"),
    "es": ("",),
    "de": ("",),
}
_CHOICE = re.compile(r"\[([^\[\]{}]*\|[^\[\]{}]*)\]")
_SLOT = re.compile(r"\{([a-z_]+)\}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Wording:
    """One way to say something: words with slots, and whether it can be joined to others."""

    words: str
    joins: bool

    @cached_property
    def slots(self) -> frozenset[str]:
        return frozenset(_SLOT.findall(self.words))


@dataclass(frozen=True, kw_only=True, eq=False)
class Bank:
    """The wordings of one register in one language, by wish."""

    name: str
    language: str
    wordings: Mapping[str, tuple[Wording, ...]] = field(repr=False)

    @property
    def articles(self) -> bool:
        """Whether things are named with "the" and "a"."""
        return self.wordings["articles"][0].words == "yes"

    def __contains__(self, wish: str) -> bool:
        return wish in self.wordings

    def draw(self, wish: str, rng: random.Random, *, joins: bool = False) -> Wording | None:
        """Return one wording; none where the bank has none, or none that can be joined."""
        found = self.wordings.get(wish, ())
        if joins:
            found = tuple(one for one in found if one.joins)
        return rng.choice(found) if found else None

    def word(self, key: str, rng: random.Random) -> str:
        """Return one of the words under a key that every bank has, such as "join"."""
        return rng.choice(self.wordings[key]).words


def read_wordings(path: Path) -> dict[str, tuple[Wording, ...]]:
    """Read ``key = wording ; wording``; a line of another shape is a `SetupError`."""
    found: dict[str, tuple[Wording, ...]] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        key, sign, rest = line.partition(" = ")
        if not sign or not rest.strip() or key in found:
            raise SetupError(f"{path.name}:{number}: wanted a new key, ' = ' and wordings.")
        found[key] = tuple(
            Wording(words=one.removeprefix("?"), joins=not one.startswith("?"))
            for part in rest.split(" ; ")
            for one in (part if key == "plan.joint" else part.strip(),)
        )
    return found


@cache
def banks(language: str) -> tuple[Bank, ...]:
    """Return the banks of a language; each also has what all of that language can say."""
    return tuple(_read(language, register) for register in BANKS[language])


def _read(language: str, register: str) -> Bank:
    common = FOLDER / f"common_{language}.txt"
    shared = read_wordings(common) if common.exists() else {}
    name = f"{language}_{register}".rstrip("_")
    return Bank(
        name=name, language=language, wordings=shared | read_wordings(FOLDER / f"{name}.txt")
    )


def filled(words: str, slots: Mapping[str, str], rng: random.Random) -> str:
    """Make the choices and fill the slots; one that is not given is a `SetupError`."""
    while found := _CHOICE.search(words):
        words = words[: found.start()] + rng.choice(found[1].split("|")) + words[found.end() :]

    def value(match: re.Match[str]) -> str:
        if match[1] not in slots:
            raise SetupError(f"The wording {words!r} has the unknown slot {{{match[1]}}}.")
        return slots[match[1]]

    return _SLOT.sub(value, words)
