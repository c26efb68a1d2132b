"""What outlives the process: how each call of a running request ended."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .calls import Call
from .values import Value


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a call ended: what its observation says, and the value where there is one."""

    facts: Mapping[str, Any]  # fields of its `Observation`
    value: Value | None = None
    key: str = ""  # names the call by content; empty where its result may not be reused


class Journal(Protocol):
    """Where the ends of calls are written down at once, so that no finished call runs again."""

    def find(self, call: Call) -> Ended | None:
        """Return how this very call ended before, None if it did not."""

    def note_call(self, call: Call, ended: Ended) -> None:
        """Write down how a call ended; when this returns, a kill does not undo it."""
