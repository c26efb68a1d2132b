"""Checkpoints of a running turn, in the session's own file; as plain JSON, nothing else is read.

Durability is "sync": the next node begins only when the last one's state is on disk, so a call
never starts before the decision that it follows. "async" might lose that decision, "exit" all of
them. What a node did by halves is not kept here: a plan is asked again, calls have the journal.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
)
from langgraph.checkpoint.sqlite import SqliteSaver

from .draft import Draft
from .planner import Decision
from .record import Record
from .trace import Turn

TURN, DECISION = "llava_plus.Turn", "llava_plus.Decision"


class Checkpoints(SqliteSaver):
    """LangGraph's checkpoints of one session; each turn is a thread of its own."""

    def __init__(self, record: Record) -> None:
        super().__init__(record.connection, serde=PlainJson())
        self.lock = record.lock
        self.record = record

    def state(self, thread: str) -> dict[str, Any] | None:
        """Return the state that a turn had reached, None if it had not begun."""
        with self.record.understood():
            found = self.get_tuple(config_of(thread))
            return None if found is None else found.checkpoint["channel_values"].get("state")

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the newest checkpoint."""
        with self.record.understood():
            return await asyncio.to_thread(self.get_tuple, config)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Keep a checkpoint."""
        with self.record.explained():
            return await asyncio.to_thread(self.put, config, checkpoint, metadata, new_versions)

    async def aput_writes(
        self,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str = "",
    ) -> None:
        """Keep nothing: a node counts when its checkpoint is there."""


class PlainJson:
    """Writes states as JSON and reads nothing but JSON; turns and decisions are packed as text."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Write."""
        return "json", json.dumps(obj, default=_pack).encode()

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        """Read."""
        kind, content = data
        if kind != "json":
            raise ValueError(f"A checkpoint of kind {kind!r}; wanted 'json'.")
        return json.loads(content, object_hook=_unpack)


def config_of(thread: str) -> RunnableConfig:
    """Name a turn as LangGraph does."""
    return {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}


def _pack(value: Any) -> Any:
    match value:
        case Turn():
            return {TURN: json.dumps(value.model_dump(mode="json"))}
        case Decision():
            return {DECISION: json.dumps(value.to_json())}
        case Draft():  # what was shown of it is shown anew
            return value.answer
    raise TypeError(f"{type(value).__name__} has no place in a checkpoint")


def _unpack(fields: dict[str, Any]) -> Any:
    match fields:
        case {"llava_plus.Turn": str(text)}:
            return Turn.model_validate(json.loads(text))
        case {"llava_plus.Decision": str(text)}:
            return Decision.from_json(json.loads(text))
    return fields
