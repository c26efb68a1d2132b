"""What persons said of answers, and a folder of the chats that they gave for training."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from llava_plus.agent import Trace
from llava_plus.errors import SetupError
from llava_plus.skills import ArtifactStore
from llava_plus.skills.store import write_whole

from .folders import PICTURES
from .output import writing
from .verify import put_pictures

FIELD = "person"  # of a trace's verdicts


class Opinion(BaseModel):
    """What a person said of one turn.

    Args:
        turn: Which one, from 1.
        liked: Thumbs up or down.
        better: The answer that the person would have wanted, "" where none was written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    turn: int = Field(ge=1)
    liked: bool
    better: str = ""


_OPINIONS = TypeAdapter(tuple[Opinion, ...])


def opinions_of(trace: Trace) -> tuple[Opinion, ...]:
    """Return what persons said of a trace's turns.

    Raises:
        SetupError: What stands there is no such thing.
    """
    try:
        return _OPINIONS.validate_python(trace.verdicts.get(FIELD, ()))
    except ValidationError as error:
        raise SetupError(
            f"What a person said of trace {trace.id} cannot be read: {error.errors()[0]['msg']}. "
            "docs/data.md shows its form."
        ) from error


def with_opinions(trace: Trace, opinions: Sequence[Opinion]) -> Trace:
    """Return the trace with what a person said, one opinion for each turn, the last one given."""
    latest = {one.turn: one for one in opinions}
    plain: list[Any] = [
        latest[turn].model_dump(mode="json", exclude_defaults=True) for turn in sorted(latest)
    ]
    return trace.model_copy(update={"verdicts": {**trace.verdicts, FIELD: plain}})


class Collection:
    """Chats that persons gave, a file for each, in a folder that the `data` commands read.

    A chat is called by a digest of its id, so that nobody can tell which ones one visitor gave.

    Args:
        folder: New, then readable by its owner only, or one that earlier runs have filled.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser().resolve()
        with writing(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._store = ArtifactStore(self.folder / PICTURES)

    def keep(self, trace: Trace, opinions: Sequence[Opinion]) -> None:
        """Write a chat as it stands now, in the place of what was written of it before."""
        name = self._name(trace.id)
        line = with_opinions(trace, opinions).model_copy(update={"id": name}).to_json()
        with writing(self.folder):
            put_pictures(trace, self._store)
            write_whole(self._path(name), lambda file: file.write(f"{line}\n".encode()))

    def has(self, id: str) -> bool:
        """Say whether a chat was given."""
        return self._path(self._name(id)).exists()

    def opinions(self, id: str) -> tuple[Opinion, ...]:
        """Return what was said of a chat so far; nothing of one that was not given."""
        path = self._path(self._name(id))
        if not path.exists():
            return ()
        return opinions_of(Trace.from_json(path.read_text(encoding="utf-8"), self._store))

    def forget(self, id: str) -> None:
        """Take a chat back, with the pictures that no other chat has."""
        path = self._path(self._name(id))
        if not path.exists():
            return
        with writing(self.folder):
            mine = set(_pictures(path))
            path.unlink()
            for digest in mine.difference(*map(_pictures, self.folder.glob("*.jsonl"))):
                for file in (self.folder / PICTURES).glob(f"*/{digest}.*"):
                    file.unlink()

    def _name(self, id: str) -> str:
        return hashlib.sha256(id.encode()).hexdigest()[:16]

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.jsonl"


def _pictures(path: Path) -> Iterator[str]:
    """Yield the digests of a chat's pictures."""
    for artifact in json.loads(path.read_text(encoding="utf-8"))["artifacts"]:
        if artifact["value"].get("kind") == "image":
            yield str(artifact["value"]["digest"])
