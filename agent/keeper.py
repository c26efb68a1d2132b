"""Keeps a session on disk while it goes on, and brings it back after a kill."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from llava_plus.skills import (
    Artifacts,
    ArtifactStore,
    Call,
    Ended,
    Image,
    Runtime,
    value_from_json,
    value_to_json,
)

from .home import Home
from .planner import Decision
from .record import Record
from .trace import Turn

if TYPE_CHECKING:
    from .checkpoints import Checkpoints

LONGEST_TITLE = 80


@dataclass(frozen=True, kw_only=True)
class Running:
    """A turn that was begun and is not over; ``turn`` is as far as its last checkpoint."""

    turn: Turn
    decision: Decision | None = None
    spent: float = 0.0  # seconds of its time
    checkpointed: bool = False


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What was kept of a session, beside its artifacts."""

    turns: tuple[Turn, ...] = ()
    attached: tuple[str, ...] = ()
    pointers: tuple[str, ...] = ()
    running: Running | None = None


class Keeper:
    """One session's place on disk, made when there is something to keep.

    It is the `Journal` of the session's runtime: how a call ended is on disk before anything
    builds on it.
    """

    def __init__(self, home: Home, id: str) -> None:
        self.home = home
        self.id = id
        self.store = KeptPictures(self)
        self._lock = threading.Lock()
        self._record = Record(home, id) if home.folder(id).exists() else None
        self._turns = 0
        self._artifacts = 0  # how many are written
        self._ended: dict[str, tuple[Call, Ended]] = {}  # of the running turn

    @property
    def record(self) -> Record:
        """The session's file, which is made now at the latest."""
        with self._lock:
            if self._record is None:
                self._record = Record(self.home, self.id)
            return self._record

    @property
    def thread(self) -> str:
        """What LangGraph calls the running turn."""
        return f"turn-{self._turns + 1}"

    def checkpoints(self) -> "Checkpoints":
        """Return where the graph keeps its state."""
        from .checkpoints import Checkpoints

        return Checkpoints(self.record)

    def close(self) -> None:
        """Let other processes open the session."""
        with self._lock:
            if self._record is not None:
                self._record.close()

    def restore(self, runtime: Runtime) -> Kept:
        """Bring back what was kept.

        Args:
            runtime: A new one; the session's values come into its artifacts, under the handles
                that they had.
        """
        if self._record is None:
            return Kept()
        record = self._record
        with record.understood():
            facts = record.facts()
            for fields in record.table("artifacts").values():
                self._take(fields, runtime)
            self._artifacts = len(runtime.artifacts)
            turns = tuple(Turn.model_validate(line) for line in record.table("turns").values())
            self._turns = len(turns)
            self._ended = self._read_calls(record.table("calls"))
            running = self._running(facts["running"], runtime) if facts.get("running") else None
            return Kept(
                turns=turns,
                attached=tuple(facts.get("attached", ())),
                pointers=tuple(facts.get("pointers", ())),
                running=running,
            )

    def note(
        self, artifacts: Artifacts, attached: tuple[str, ...], pointers: tuple[str, ...]
    ) -> None:
        """Keep what a person added between two turns."""
        facts = {"attached": attached, "pointers": pointers}
        self.record.note(facts, self._new(artifacts))
        self._artifacts = len(artifacts)

    def begin(
        self,
        turn: Turn,
        decision: Decision | None,
        artifacts: Artifacts,
        provenance: Mapping[str, Any],
    ) -> None:
        """Keep that a turn runs from now on.

        Args:
            turn: As it begins.
            decision: What a person chose, None where the planner chooses.
            artifacts: Those of the session.
            provenance: More facts of the session.
        """
        running = {
            "turn": turn.model_dump(mode="json"),
            "decision": None if decision is None else decision.to_json(),
        }
        facts = {**provenance, "attached": (), "pointers": (), "running": running}
        if not self.record.facts()["title"]:
            facts["title"] = turn.message.splitlines()[0][:LONGEST_TITLE]
        self.record.begin(facts, self._new(artifacts))
        self._artifacts = len(artifacts)
        self._ended = {}

    def end(
        self,
        turn: Turn,
        artifacts: Artifacts,
        attached: tuple[str, ...],
        pointers: tuple[str, ...],
    ) -> None:
        """Keep a turn that is over, and what was added while it ran."""
        facts = {"attached": attached, "pointers": pointers, "running": None}
        self.record.end(turn.model_dump(mode="json"), facts, self._new(artifacts))
        self._artifacts = len(artifacts)
        self._turns += 1
        self._ended = {}

    def find(self, call: Call) -> Ended | None:
        """Return how this very call ended before, None if it did not."""
        before = self._ended.get(call.id)
        return before[1] if before is not None and before[0] == call else None

    def note_call(self, call: Call, ended: Ended) -> None:
        """Write down how a call ended."""
        fields = {
            "call": call.model_dump(mode="json"),
            "facts": dict(ended.facts),
            "value": None if ended.value is None else value_to_json(ended.value),
            "key": ended.key,
        }
        self.record.put("calls", f"{self.thread}/{call.id}", fields)
        self._ended[call.id] = call, ended

    def answers(self) -> dict[str, str | None]:
        """Return what a person said to calls of the running turn, by their ids; None is yes."""
        begin = f"{self.thread}/"
        said = self.record.table("answers")
        return {id.removeprefix(begin): why for id, why in said.items() if id.startswith(begin)}

    def note_answer(self, call_id: str, refusal: str | None) -> None:
        """Write down what a person said to a call."""
        self.record.put("answers", f"{self.thread}/{call_id}", refusal)

    def _take(self, fields: Mapping[str, Any], runtime: Runtime) -> None:
        value = value_from_json(fields["value"], self.store.get)
        handle = runtime.recall(value, source=fields["source"], key=fields["key"])
        if handle != fields["handle"]:
            raise ValueError(f"handles out of order: {handle} for {fields['handle']}")

    def _new(self, artifacts: Artifacts) -> list[dict[str, Any]]:
        """Return the artifacts that are not written yet, as plain JSON."""
        keys = {id: ended.key for id, (_, ended) in self._ended.items()}
        return [
            {
                "handle": handle,
                "source": artifact.source,
                "value": value_to_json(artifact.value),
                "key": keys.get(artifact.source, ""),
            }
            for handle, artifact in list(artifacts.items())[self._artifacts :]
        ]

    def _read_calls(self, rows: Mapping[str, Any]) -> dict[str, tuple[Call, Ended]]:
        ended: dict[str, tuple[Call, Ended]] = {}
        for id, fields in rows.items():
            if id.startswith(f"{self.thread}/"):
                call, value = Call.model_validate(fields["call"]), fields["value"]
                value = None if value is None else value_from_json(value, self.store.get)
                end = Ended(facts=fields["facts"], value=value, key=fields["key"])
                ended[call.id] = call, end
        return ended

    def _running(self, fields: Mapping[str, Any], runtime: Runtime) -> Running:
        """Return how far the turn had come, and bring back what its whole steps made."""
        state = self.checkpoints().state(self.thread)
        if not state or "turn" not in state:
            decision = fields["decision"] and Decision.from_json(fields["decision"])
            return Running(turn=Turn.model_validate(fields["turn"]), decision=decision)
        turn = state["turn"]
        for seen in (one for step in turn.steps for one in step.observations):
            if seen.handle is not None:
                ended = self._ended[seen.call_id][1]
                assert ended.value is not None
                runtime.recall(ended.value, source=seen.call_id, key=ended.key)
        return Running(turn=turn, spent=state.get("spent", 0.0), checkpointed=True)


class KeptPictures(ArtifactStore):
    """The pictures of all sessions; says first that its session uses one, so that it stays."""

    def __init__(self, keeper: Keeper) -> None:
        super().__init__(keeper.home.pictures)
        self._keeper = keeper
        self._referred: set[str] = set()

    def put(self, image: Image) -> str:
        """Keep a picture and return its digest."""
        if image.digest in self._referred and image.digest in self:
            return image.digest
        with self._keeper.home.adding_pictures():
            self._keeper.record.refer(image.digest)
            self._referred.add(image.digest)
            return super().put(image)
