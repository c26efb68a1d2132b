"""Whether a trace may be used: the licence of its pictures, and requests to be refused."""

import re
from collections.abc import Collection

from llava_plus.agent import Trace
from llava_plus.data_gen.truth import truths_of

from .verdict import PASSED, Verdict, dropped

# What may be given on, changed and trained on by anybody, also for money.
ALLOWED = (
    "Apache-2.0", "BSD-3-Clause", "CC-BY-2.0", "CC-BY-3.0", "CC-BY-4.0", "CC0", "CC0-1.0", "MIT",
    "PDM-1.0", "public domain",
)  # fmt: skip
JOINTS = re.compile(r"\s+(?:or|and)\s+|[,;+]")


class Licences:
    """The licence that a trace names for its pictures is on a list; one without pictures passes.

    Where several are named, each has to be on it. Not covered: whether what is named is true.
    """

    name = "licence"

    def __init__(self, allowed: Collection[str] = ALLOWED) -> None:
        self.allowed = {name.casefold() for name in allowed}

    def check(self, trace: Trace) -> Verdict:
        """Look at what the trace says of its pictures."""
        if not any(turn.images for turn in trace.turns):
            return PASSED
        named = [one.strip() for one in JOINTS.split(trace.licence) if one.strip()]
        if not named:
            return dropped("it does not say under which licence its pictures are")
        if unknown := [one for one in named if one.casefold() not in self.allowed]:
            return dropped(f"its pictures are under {', '.join(unknown)}, which is not allowed")
        return PASSED


class Refusals:
    """A request that its source marks as one to refuse was answered without any skill.

    Not covered: everything else about safety. It does not look at pictures, nor does it look for
    words, which would find much that is harmless and miss what is worded with care; a harmful
    request that no source has marked passes.
    """

    name = "refusal"

    def check(self, trace: Trace) -> Verdict:
        """Look at the turns that are marked."""
        for truth in truths_of(trace):
            if not truth.refuse or truth.turn > len(trace.turns):
                continue
            called = [c.skill for step in trace.turns[truth.turn - 1].steps for c in step.actions]
            if called:
                return dropped(f"turn {truth.turn} must be refused, and {called[0]} was called")
        return PASSED
