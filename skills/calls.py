"""What is asked of a skill, and what comes of it."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

Failure = Literal["skill", "bug", "time", "memory", "cancelled"]


class Call(BaseModel):
    """What a planner asks for: a skill, and arguments that may name handles."""

    model_config = ConfigDict(frozen=True)

    id: str
    skill: str
    args: dict[str, JsonValue] = {}


class Observation(BaseModel):
    """What came of a call: a new handle and its description, or what went wrong."""

    model_config = ConfigDict(frozen=True)

    call_id: str
    skill: str
    ok: bool
    handle: str | None = None
    kind: str | None = None
    text: str
    error: Failure | None = None
    seconds: float = 0.0
    backend: str = ""
    version: str = ""
    cached: bool = False
