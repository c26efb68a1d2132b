"""What the evaluation asks is kept out: its wordings, quickly, and its nouns."""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path

from llava_plus.data_gen.nouns import Nouns
from llava_plus.data_gen.requests import NEAR, Heldout
from llava_plus.skills.nouns import singular

EVALUATION = Path(__file__).parents[2] / "evals" / "requests.jsonl"


@dataclass(frozen=True)
class Apart:
    """`Heldout` with an index: the same verdicts, for thousands of requests a second."""

    heldout: Heldout
    places: Mapping[str, frozenset[int]]  # of the evaluation's requests, by word

    def near(self, text: str) -> bool:
        """Whether a wording is nearly one of the evaluation's.

        At least three quarters of its words would stand in that one; so among any others that are
        a word more than a quarter, one does. The rarest are looked up.
        """
        words = frozenset(re.findall(r"\w+", text.lower()))
        if not words:
            return False
        rare = sorted(words, key=lambda word: (len(self.places.get(word, ())), word))
        few = rare[: ceil((1 - NEAR) * len(words)) + 1]
        ids = frozenset().union(*(self.places.get(word, frozenset()) for word in few))
        low, high = NEAR * len(words), len(words) / NEAR
        others = [other for each in ids if low <= len(other := self.heldout.texts[each]) <= high]
        return any(len(words & other) >= NEAR * len(words | other) for other in others)

    def names(self, label: str) -> bool:
        """Whether a thing is one that the evaluation asks for."""
        return singular(label.lower()) in self.heldout.nouns


@cache
def apart() -> Apart:
    """Return what is kept out, from the evaluation that ships."""
    heldout = Heldout.read(EVALUATION)
    places: dict[str, set[int]] = defaultdict(set)
    for place, words in enumerate(heldout.texts):
        for word in words:
            places[word].add(place)
    return Apart(heldout, {word: frozenset(found) for word, found in places.items()})


@cache
def nouns() -> Nouns:
    """Return the names to draw from, without the evaluation's."""
    return Nouns.bundled(without=apart().heldout.nouns)
