"""What a session has so far: its values and turns, and what waits for the next request."""

from collections.abc import Callable, Sequence
from typing import Any

from llava_plus.errors import SetupError
from llava_plus.skills import Artifacts, Image, Runtime

from .home import StoreError
from .keeper import Keeper, Kept, Running
from .planner import Decision
from .pointing import Pointer
from .trace import POINTED, Reason, Trace, Turn, artifacts_before

Provenance = dict[str, Any]  # of a trace: who planned, and with which skills


class History:
    """The past of a session, in memory and, where it has a keeper, on disk.

    Args:
        begin: Makes an empty runtime, with the session's skills and store.
        keeper: Keeps it on disk.
    """

    def __init__(self, begin: Callable[[], Runtime], keeper: Keeper | None) -> None:
        self._begin = begin
        self.keeper = keeper
        self.restore()

    def restore(self) -> None:
        """Begin empty, or with what was kept."""
        self.runtime = self._begin()
        kept = Kept() if self.keeper is None else self.keeper.restore(self.runtime)
        self.turns, self.running = kept.turns, kept.running
        self._attached, self._pointers = kept.attached, kept.pointers  # since the last turn

    @property
    def artifacts(self) -> Artifacts:
        return self.runtime.artifacts

    def attach(self, pictures: Sequence[Image]) -> tuple[str, ...]:
        """Add pictures for the next turn; return their handles."""
        handles = tuple(self.artifacts.add(picture) for picture in pictures)
        self._attached += handles
        return handles

    def point(self, image: str, pointer: Pointer) -> str:
        """Add places or boxes on a picture for the next turn; return their handle."""
        if image not in self.artifacts or self.artifacts[image].kind != "image":
            there = ", ".join(self.artifacts.handles("image")) or "none yet"
            raise SetupError(f"{image!r} is no picture of this session. There are: {there}.")
        handle = self.artifacts.add(pointer, source=f"{POINTED}{image}")
        self._pointers += (handle,)
        return handle

    def note(self) -> None:
        """Keep what was added since the last turn."""
        if self.keeper is not None:
            self.keeper.note(self.artifacts, self._attached, self._pointers)

    def begin(self, message: str, decision: Decision | None, provenance: Provenance) -> Running:
        """Begin a turn with all that was attached and pointed at since the last one."""
        turn = Turn(
            message=message,
            images=self._attached,
            pointers=self._pointers,
            by="planner" if decision is None else "person",
        )
        if self.keeper is not None:
            self.keeper.begin(turn, decision, self.artifacts, provenance)
        self._attached = self._pointers = ()
        return Running(turn=turn, decision=decision)

    def end(self, turn: Turn, reason: Reason, seconds: float) -> Turn:
        """End a turn; for the reason that it has already, if it has one."""
        reason = reason if turn.reason == "running" else turn.reason
        turn = turn.model_copy(update={"reason": reason, "seconds": seconds})
        if self.keeper is not None:
            try:
                self.keeper.end(turn, self.artifacts, self._attached, self._pointers)
            except StoreError:
                self.restore()  # the turn waits as it is on disk
                raise
        self.turns += (turn,)
        self.running = None
        return turn

    def take_up(self, trace: Trace, turn: int, provenance: Provenance) -> str:
        """Stand where another session stood before a turn; return what that asked."""
        if self.turns or len(self.artifacts) or not 0 < turn <= len(trace.turns):
            raise SetupError("Only a new session can take up a turn that another one has made.")
        for artifact in artifacts_before(trace, turn):
            self.artifacts.add(artifact.value, source=artifact.source)
        for before in trace.turns[: turn - 1]:
            if self.keeper is not None:
                self.keeper.begin(before, None, self.artifacts, provenance)
            self.end(before, "cancelled", before.seconds)
        asked = trace.turns[turn - 1]
        self._attached, self._pointers = asked.images, asked.pointers
        self.note()
        return asked.message
