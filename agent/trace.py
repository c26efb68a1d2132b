"""What happened in a session: turns of steps of calls and what came back, as one line of JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from llava_plus.errors import SetupError
from llava_plus.skills import Artifact, Artifacts, ArtifactStore, Call, Image, Observation

Reason = Literal["answered", "steps", "time", "cancelled", "error"]
FORMAT = 1
POINTED = "user:"  # how the source of a pointer begins; the picture's handle follows
BREAKS = str.maketrans({c: f"\\u{ord(c):04x}" for c in "\x85\u2028\u2029"})


class Step(BaseModel):
    """One round: the planner thinks, then calls skills or answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    thought: str
    actions: tuple[Call, ...] = ()
    observations: tuple[Observation, ...] = ()
    answer: str | None = None  # as the planner wrote it, its {citations} not yet put into words
    raw: str = ""  # the start of an output that could not be read
    seconds: float = 0.0


class Turn(BaseModel):
    """A request and all that was done about it; ``answer`` is what the person reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    message: str
    images: tuple[str, ...] = ()
    pointers: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    answer: str = ""
    cited: tuple[str, ...] = ()
    reason: Reason | Literal["running"] = "running"
    by: Literal["planner", "person"] = "planner"  # who chose the calls
    seconds: float = 0.0


class Trace(BaseModel):
    """A session with where everything in it came from; pictures by digest, in a store.

    Args:
        truth: What the source of made data knows of the right answers, turn by turn.
        tags: Words about made data, such as its kind, its language and who wrote it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    id: str
    planner: str
    skills: dict[str, str] = {}  # versions by name
    licence: str = ""  # of the pictures
    seed: int | None = None
    truth: tuple[JsonValue, ...] = ()
    tags: dict[str, str] = {}
    verdicts: dict[str, JsonValue] = {}  # what verifiers said
    turns: tuple[Turn, ...] = ()
    artifacts: Annotated[Artifacts, Field(repr=False)]

    def to_json(self) -> str:
        """Write one line, without the pictures' pixels."""
        fields: dict[str, Any] = {"format": FORMAT}
        fields |= self.model_dump(mode="json", exclude={"artifacts"})
        fields["artifacts"] = self.artifacts.to_json()
        line = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
        return line.translate(BREAKS)

    @classmethod
    def from_json(cls, line: str, store: ArtifactStore) -> "Trace":
        """Read what `to_json` wrote; the store has the pictures."""
        try:
            fields = json.loads(line)
            if (version := fields.pop("format")) != FORMAT:
                raise SetupError(f"The trace has format {version!r}; wanted {FORMAT}.")
            fields["artifacts"] = Artifacts.from_json(fields["artifacts"], store)
            if "truth" in (said := fields.get("verdicts", {})):  # where older traces have it
                fields["truth"] = said.pop("truth")
            return cls.model_validate(fields)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SetupError(
                f"This is no trace: {line[:80]!r} ({type(error).__name__}). "
                "Wanted one line as Trace.to_json writes it."
            ) from error

    def save(self, path: str | Path) -> None:
        """Write the line to a file, and the pictures into the folder ``artifacts`` beside it."""
        path = Path(path)
        store = ArtifactStore(path.parent / "artifacts")
        for _, artifact in self.artifacts.items():
            if isinstance(artifact.value, Image):
                store.put(artifact.value)
        path.write_text(self.to_json() + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "Trace":
        """Read what `save` wrote."""
        path = Path(path)
        line = path.read_text(encoding="utf-8")
        return cls.from_json(line, ArtifactStore(path.parent / "artifacts"))


def pointed_at(artifact: Artifact) -> str:
    """Return the handle of the picture that a click or a dragged box lies on."""
    return artifact.source.removeprefix(POINTED)


def artifacts_before(trace: Trace, turn: int) -> Iterator[Artifact]:
    """Yield what there was before the first call of a turn, counted from 1, in order."""
    turns = trace.turns[turn - 1 :]
    made = {call.id for one in turns for step in one.steps for call in step.actions}
    later = {handle for one in turns[1:] for handle in (*one.images, *one.pointers)}
    for handle, artifact in trace.artifacts.items():
        if artifact.source in made or handle in later:
            return
        yield artifact
