"""Whether answers rest on what was seen, agree with the truth, and were not in the request."""

import re

from llava_plus.agent import Trace, Turn
from llava_plus.data_gen.truth import Box, Truth, truths_of
from llava_plus.skills import Boxes
from llava_plus.skills.wording import counted

from .claims import (
    Evidence,
    Facts,
    claims_in,
    folded,
    handles_by,
    handles_in,
    numbers_in,
    quotes_in,
    request_facts,
    without_quotes,
)
from .verdict import PASSED, Verdict, dropped

OVERLAP = 0.5  # intersection over union from which two boxes are the same
NONE = ("no ", "none", "not ", "nothing", "0")


class Grounded:
    """Every number, quote and handle of an answer stands in an observation or in a request.

    Where the source says in words what it knows (`Truth.known`), they may stand there, too.
    Numbers may be rounded; what was asked of a skill counts as seen. Not covered: words that are
    neither, such as colours and names; a number that stands there for something else; "one".

    Args:
        evidence: Shared with other verifiers, so that it is gathered once.
    """

    name = "grounded"

    def __init__(self, evidence: Evidence | None = None) -> None:
        self._evidence = evidence or Evidence()

    def check(self, trace: Trace) -> Verdict:
        """Look at each turn's answer with what was there by then."""
        for number, turn in enumerate(trace.turns, 1):
            if why := _unsupported(trace, number, turn, self._evidence):
                return dropped(f"turn {number}: {why}")
        return PASSED


class NoLeak:
    """What an answer took from the observations did not stand in its request already.

    It looks at turns that looked something up and made no picture: the numbers and quotes of the
    answer that observations gave. Not covered: what can be guessed without standing there, such
    as the colour of the sky.

    Args:
        evidence: Shared with other verifiers, so that it is gathered once.
    """

    name = "no leak"

    def __init__(self, evidence: Evidence | None = None) -> None:
        self._evidence = evidence or Evidence()

    def check(self, trace: Trace) -> Verdict:
        """Drop a trace with a turn in which nothing had to be looked up."""
        for number, turn in enumerate(trace.turns, 1):
            seen = [one for step in turn.steps for one in step.observations if one.ok]
            if not seen or any(one.kind == "image" for one in seen):
                continue
            if found := _told_already(trace, number, turn, self._evidence):
                return dropped(f"turn {number}: the request itself says {found}")
        return PASSED


class MatchesTruth:
    """Answers and found boxes agree with what the source knows; see `Truth`.

    A trace whose source knows nothing passes.
    """

    name = "ground truth"

    def check(self, trace: Trace) -> Verdict:
        """Compare each turn of which the source knows something."""
        for truth in truths_of(trace):
            if truth.turn > len(trace.turns):
                return dropped(f"the ground truth is of turn {truth.turn}, which is not there")
            turn = trace.turns[truth.turn - 1]
            if why := _wrong(truth, turn) or _misplaced(truth, turn, trace):
                return dropped(f"turn {truth.turn}: {why}")
        return PASSED


def _unsupported(trace: Trace, number: int, turn: Turn, evidence: Evidence) -> str:
    written = [step.answer for step in turn.steps if step.answer]
    text = " ".join([turn.answer, *written])
    there = handles_by(trace, number)
    for handle in handles_in(text):
        if handle not in there:
            return f"the answer names {handle}, which was not there"
    quotes, claims = quotes_in(turn.answer), tuple(claims_in(without_quotes(turn.answer)))
    if not quotes and not claims:
        return ""
    seen = evidence.upto(trace, number)
    there_is = (_known(trace, number), request_facts(trace, number), seen)
    for quote in quotes:
        if not any(facts.quote(quote) for facts in there_is):
            return f"the answer quotes {quote!r}, which nobody said and nothing showed"
    for claim in claims:
        if not any(facts.number(claim) for facts in there_is):
            return f"the answer says {claim.text}, which nobody said and nothing showed"
    return ""


def _known(trace: Trace, upto: int) -> Facts:
    """Return what the source says of the turns so far."""
    known = [text for truth in truths_of(trace) if truth.turn <= upto for text in truth.known]
    words = "\n".join(known)
    return Facts(words=folded(words), numbers=tuple(numbers_in(words)))


def _told_already(trace: Trace, number: int, turn: Turn, evidence: Evidence) -> str:
    """Return what of an answer was looked up, if its request says all of that itself."""
    quotes, claims = quotes_in(turn.answer), tuple(claims_in(without_quotes(turn.answer)))
    if not quotes and not claims:
        return ""
    seen, asked = evidence.upto(trace, number), _request(turn.message)
    quotes = tuple(filter(seen.quote, quotes))
    claims = tuple(filter(seen.number, claims))
    if all(map(asked.quote, quotes)) and all(map(asked.number, claims)):
        return ", ".join([*quotes, *(claim.text for claim in claims)])
    return ""


def _request(message: str) -> Facts:
    return Facts(words=folded(message), numbers=tuple(numbers_in(message)))


def _wrong(truth: Truth, turn: Turn) -> str:
    """Say what is wrong with an answer."""
    answer = folded(turn.answer)
    if truth.answers and not any(_stands(each, answer) for each in truth.answers):
        return f"the answer has none of {', '.join(map(repr, truth.answers))}"
    for text in truth.texts:
        if folded(text) not in answer:
            return f"the answer does not quote {text!r}"
    said = numbers_in(turn.answer)
    for label, number in truth.counts.items():
        none = number == 0 and any(word in f"{answer} " for word in NONE)
        if not (none or number in said or folded(counted(number, label)) in answer):
            return f"the answer does not say that there are {number} of {label!r}"
    return ""


def _stands(words: str, answer: str) -> bool:
    """Whether words stand in an answer, not as a part of longer ones."""
    return re.search(rf"(?<!\w){re.escape(folded(words))}(?!\w)", answer) is not None


def _misplaced(truth: Truth, turn: Turn, trace: Trace) -> str:
    """Say what was found elsewhere than where it is."""
    handles = [seen.handle for step in turn.steps for seen in step.observations if seen.handle]
    values = [trace.artifacts[handle].value for handle in handles]
    for label, boxes in truth.boxes.items():
        found = next((v for v in values if isinstance(v, Boxes) and v.query == label), None)
        if found is not None and not _matched(list(boxes), list(found.xyxy)):
            return f"{len(found)} of {label!r} were found; there are {len(boxes)}, or elsewhere"
    return ""


def _matched(wanted: list[Box], found: list[Box]) -> bool:
    """Whether each box has a partner, the nearest first."""
    if len(wanted) != len(found):
        return False
    for box in wanted:
        best = max(found, key=lambda other: _overlap(box, other))
        if _overlap(box, best) < OVERLAP:
            return False
        found.remove(best)
    return True


def _overlap(one: Box, other: Box) -> float:
    """Return intersection over union, 0..1."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0.0) * max(height, 0.0)
    whole = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - shared
    return shared / whole if whole else 0.0
