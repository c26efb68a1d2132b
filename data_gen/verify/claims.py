"""What an answer says that can be looked up: numbers, quotes, handles."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llava_plus.agent import Trace, Turn
from llava_plus.skills import Artifacts, Image, Masks, Value
from llava_plus.skills.values import PREFIXES

# Not \b: Chinese is written without spaces around a handle.
HANDLE = re.compile(
    rf"(?<![A-Za-z0-9_])(?:{'|'.join(sorted(PREFIXES.values()))})_[0-9]+(?![A-Za-z0-9_])"
)
QUOTE = re.compile(r'"([^"]+)"|“([^”]+)”|«([^»]+)»|「([^」]+)」|『([^』]+)』')
NUMBER = re.compile(r"[0-9]+(?:[.,][0-9]+)*(?:\s?%)?")
THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
# "one" is too often no number: "the left one".
WORDS = {
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip
_REAL, _NESTED = (int, float), (list, tuple, dict)  # of plain JSON
WORD = re.compile(rf"\b(?:{'|'.join(WORDS)})\b", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A number as it was written, with the digits after its point."""

    text: str
    value: float
    digits: int = 0
    percent: bool = False

    def fits(self, number: float) -> bool:
        """Whether a number is what was meant, rounded as the claim is."""
        if round(abs(number), self.digits) == self.value:
            return True
        return self.percent and round(abs(number) * 100, self.digits) == self.value


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What an answer can rest on."""

    words: str  # folded
    numbers: tuple[float, ...]

    def number(self, claim: Claim) -> bool:
        return any(map(claim.fits, self.numbers))

    def quote(self, text: str) -> bool:
        return folded(text).rstrip(".,!?;: ") in self.words


def handles_in(text: str) -> tuple[str, ...]:
    """Return the handles that a text names, in braces or bare."""
    return tuple(dict.fromkeys(HANDLE.findall(text)))


def quotes_in(text: str) -> tuple[str, ...]:
    """Return what stands between quotation marks."""
    found = ("".join(match.groups(default="")) for match in QUOTE.finditer(text))
    return tuple(quote for quote in found if quote.strip())


def claims_in(text: str) -> Iterator[Claim]:
    """Yield the numbers of a text, in figures or (2 to 12) in words, but for those of handles."""
    for found, part in _figures(text):
        _, _, decimals = part.partition(".")
        yield Claim(
            text=found, value=float(part), digits=len(decimals), percent=found.endswith("%")
        )


def numbers_in(text: str) -> list[float]:
    """Return the values of what `claims_in` finds."""
    return [float(part) for _, part in _figures(text)]


def _figures(text: str) -> Iterator[tuple[str, str]]:
    """Yield each number as it stands in a text, and in figures that Python reads."""
    text = HANDLE.sub(" ", text)
    for found in NUMBER.findall(text):
        plain = found.rstrip("%").rstrip()
        plain = plain.replace(",", "" if THOUSANDS.fullmatch(plain) else ".")
        for part in [plain] if plain.count(".") < 2 else plain.split("."):
            yield found, part
    for word in WORD.findall(text):
        yield word, str(WORDS[word.lower()])


def without_quotes(text: str) -> str:
    """Return a text without what stands between quotation marks."""
    return QUOTE.sub(" ", text)


def request_facts(trace: Trace, upto: int) -> Facts:
    """Return what the person said.

    Args:
        trace: The whole session.
        upto: The last turn that counts, from 1.
    """
    words = "\n".join(turn.message for turn in trace.turns[:upto])
    return Facts(words=folded(words), numbers=tuple(numbers_in(words)))


class Evidence:
    """What observations, pictures and pointers told, and what was asked of the skills.

    The last answer is kept: verifiers ask for the same one after the other.
    """

    def __init__(self) -> None:
        self._last: tuple[Trace, int, Facts] | None = None

    def upto(self, trace: Trace, turn: int) -> Facts:
        """Return what there was by the end of a turn, from 1."""
        last = self._last
        if last is None or last[0] is not trace or last[1] != turn:
            last = self._last = (trace, turn, _seen(trace.turns[:turn], trace.artifacts))
        return last[2]


def _seen(turns: Sequence[Turn], artifacts: Artifacts) -> Facts:
    words: list[str] = []
    numbers: list[float] = []
    for turn in turns:
        for handle in (*turn.images, *turn.pointers):
            value = artifacts[handle].value
            words.append(value.describe())
            _add(value, words, numbers)
        for step in turn.steps:
            for seen in step.observations:
                words.append(seen.text)
                if seen.handle is not None:
                    _add(artifacts[seen.handle].value, words, numbers)
            for call in step.actions:
                numbers += _numbers(call.args)
                words += [value for value in call.args.values() if isinstance(value, str)]
    text = "\n".join(words)
    numbers += numbers_in(text)
    return Facts(words=folded(text), numbers=tuple(dict.fromkeys(numbers)))


def handles_by(trace: Trace, upto: int) -> set[str]:
    """Return the handles that there were at the end of a turn, from 1."""
    later = {handle for turn in trace.turns[upto:] for handle in _handles_of(turn)}
    return {handle for handle in trace.artifacts if handle not in later}


def folded(text: str) -> str:
    """Return a text in which neither case nor white space matters."""
    return " ".join(text.casefold().split())


def _handles_of(turn: Turn) -> Iterator[str]:
    yield from turn.images
    yield from turn.pointers
    for step in turn.steps:
        yield from (seen.handle for seen in step.observations if seen.handle)


def _add(value: Value, words: list[str], numbers: list[float]) -> None:
    words.append(value.cite())
    if isinstance(value, Image):
        numbers += [float(value.width), float(value.height)]
    elif not isinstance(value, Masks):  # their outlines are codes
        numbers += _numbers(vars(value))
    length = getattr(value, "__len__", None)
    if length is not None:
        numbers.append(float(length()))


def _numbers(data: Mapping[str, Any] | Sequence[Any]) -> list[float]:
    found: list[float] = []
    for one in data.values() if isinstance(data, Mapping) else data:
        if isinstance(one, _REAL):
            found += [] if isinstance(one, bool) else [float(one)]
        elif isinstance(one, _NESTED):
            found += _numbers(one)
    return found
