"""Names of things: a list by hand, and words that nobody has ever heard."""

import random
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from llava_plus.skills.nouns import plural, singular

FOLDER = Path(__file__).parent / "phrases"
COMMON = ("face", "text", "code")  # what the offline detectors find
COMMON_WORDS = {
    "face": (("face", "faces"),) * 6
    + (("person's face", "people's faces"), ("human face", "human faces")),
    "text": (("text", "text"), ("text", "texts"), ("writing", "writing"), ("text", "words")),
    "code": (
        ("qr code", "qr codes"),
        ("barcode", "barcodes"),
        ("QR code", "QR codes"),
        ("code", "codes"),
    ),
}
# Words that mean something else as often, or that decide what a request asks for.
SAID_OTHERWISE = frozenset((
    "phone", "people", "person", "man", "woman", "girl", "boy", "child", "children", "baby",
    "kid", "family", "crowd", "face", "faces", "text", "code", "codes", "word", "words", "line",
    "lines", "page", "letter", "letters", "label", "labels", "sticker", "signature", "watermark",
    "passport", "logo", "camera", "cameras", "eye", "eyes", "screen", "match", "bar", "bars",
    "reflection", "safe", "saw", "present", "swing", "rose", "ring", "rings", "horizon",
    "background", "picture", "photo", "image", "print", "printer", "computer", "robot", "tattoo",
    "id", "card", "licence", "license", "sign", "signs", "plate", "plates",
))  # fmt: skip
SYLLABLES: tuple[str, ...] = (
    "ba",
    "cro",
    "din",
    "fel",
    "gra",
    "hum",
    "jo",
    "kel",
    "lup",
    "mar",
    "no",
    "pil",
    "qua",
    "ras",
)
SYLLABLES += (
    "sto",
    "tru",
    "vel",
    "wim",
    "yor",
    "zan",
    "bik",
    "dolt",
    "esk",
    "ig",
    "umb",
    "olp",
    "ret",
)


@dataclass(frozen=True)
class Noun:
    """A name with its plural."""

    one: str
    many: str
    label: str = ""  # what plans call it, where that differs

    @property
    def name(self) -> str:
        return self.label or self.one

    @property
    def a(self) -> str:
        return ("an " if self.one[:1].lower() in "aeiou" else "a ") + self.one


@dataclass(frozen=True)
class Nouns:
    """A stock of nouns to draw from."""

    names: tuple[str, ...]
    invented: float = 0.15  # share of words that nobody has ever heard

    @classmethod
    def bundled(cls, *, more: Iterable[str] = (), without: Iterable[str] = ()) -> "Nouns":
        """The list that ships and names that hands used, without the evaluation's."""
        listed = (FOLDER / "nouns.txt").read_text(encoding="utf-8").split("\n")
        names = {name.strip().lower() for name in (*listed, *more)} - {""} - set(COMMON)
        left_out = {singular(name) for name in without}
        return cls(tuple(sorted(name for name in names if singular(name) not in left_out)))

    @cached_property
    def _words(self) -> frozenset[str]:
        words = {name for name in self.names if " " not in name} - SAID_OTHERWISE
        return frozenset(words | {several(word) for word in words})

    def found(self, text: str) -> list[str]:
        """The one-word names and their plurals in a text, without words that often are no thing."""
        return [w for w in dict.fromkeys(re.findall(r"[a-z]+", text.lower())) if w in self._words]

    def draw(self, rng: random.Random, *, common: float = 0.0) -> Noun:
        """A noun; with probability ``common`` one that the offline detectors find."""
        if rng.random() < common:
            label = rng.choice(("face", "face", "text", "code"))
            return Noun(*rng.choice(COMMON_WORDS[label]), label)
        name = invented_word(rng) if rng.random() < self.invented else rng.choice(self.names)
        return Noun(name, several(name))


def several(name: str) -> str:
    """The plural as most people type it: what ends in s stays, as glasses do."""
    return name if name.endswith("s") else plural(name)


def invented_word(rng: random.Random) -> str:
    """A word that nobody has ever heard."""
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.choice((2, 2, 3))))
