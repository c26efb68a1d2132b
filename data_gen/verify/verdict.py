"""What a verifier is, and what it says."""

from dataclasses import dataclass
from typing import Protocol

from llava_plus.agent import Trace


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether a trace may stay, and why not."""

    ok: bool
    reason: str = ""


PASSED = Verdict(ok=True)


def dropped(reason: str) -> Verdict:
    """Say that a trace must go, and why."""
    return Verdict(ok=False, reason=reason)


class Verifier(Protocol):
    """Looks at one trace at a time; may remember the ones before."""

    @property
    def name(self) -> str:
        """What yields and traces call it."""

    def check(self, trace: Trace) -> Verdict:
        """Return whether the trace may stay; whatever this raises costs that trace only."""
