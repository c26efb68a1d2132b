"""Waiting for a person to allow or refuse calls; nothing runs and no clock ticks meanwhile."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import Call, SkillRegistry

from .events import ApprovalNeeded, Event


class Approvals:
    """What a person says to the calls of one turn, from whatever thread.

    Args:
        keep: Writes an answer down before it counts.
        given: The answers from before a restart: by call id, None for yes or why not.
    """

    def __init__(
        self,
        keep: Callable[[str, str | None], None] | None = None,
        given: Mapping[str, str | None] | None = None,
    ) -> None:
        self._keep = keep
        self._answers = dict(given or {})
        self._asked: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._wake: Callable[[], object] = lambda: None

    async def ask(
        self, calls: Sequence[Call], write: Callable[[Event], None]
    ) -> dict[str, str | None]:
        """Wait for an answer to each call; return them by call id, None for yes or why not."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(woken.set)
        open_calls = [call for call in calls if call.id not in self._answers]
        self._asked = tuple(call.id for call in open_calls)
        try:
            for call in open_calls:
                write(ApprovalNeeded(call=call))
            while self.waiting:
                await woken.wait()
                woken.clear()
        finally:
            self._asked = ()
        return {call.id: self._answers[call.id] for call in calls}

    @property
    def waiting(self) -> tuple[str, ...]:
        """The ids of the calls that still wait."""
        return tuple(id for id in self._asked if id not in self._answers)

    def answer(self, call_id: str, refusal: str | None) -> None:
        """Say yes with None, or why not."""
        with self._lock:
            if call_id not in self.waiting:
                there = ", ".join(self.waiting) or "none"
                raise SetupError(f"No call {call_id!r} waits for approval. Waiting: {there}.")
            if self._keep is not None:
                self._keep(call_id, refusal)
            self._answers[call_id] = refusal
        self._wake()


def needs_approval(call: Call, skills: SkillRegistry) -> bool:
    """Say whether a person has to allow the call; one of an unknown skill runs nothing."""
    try:
        return skills.find(call.skill).approval
    except SkillError:
        return False
