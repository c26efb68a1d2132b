"""LLaVA-Plus's training data read in: validated, its calls run by our skills, kept as traces."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from llava_plus.agent import Trace, recorded, replay
from llava_plus.data_gen.folders import PICTURES, Problem
from llava_plus.data_gen.output import Output, Shards
from llava_plus.data_gen.verify import put_pictures
from llava_plus.errors import SetupError
from llava_plus.skills import ArtifactStore, SkillRegistry

BLOCK = 1 << 20  # characters read at once
LONGEST = 64 << 20  # characters of one conversation
SHOWN = 5
SPACE = " \t\r\n"


@dataclass(kw_only=True)
class Imported:
    """What became of a file of conversations."""

    read: int = 0
    written: int = 0
    refused: int = 0  # no conversations, or without their picture
    calls: int = 0
    same: int = 0  # whose result is the recorded one, to the byte
    failed: int = 0  # that no skill here could answer
    problems: list[Problem] = field(default_factory=list)  # the first few


def import_plus(
    file: str | Path,
    out: str | Path,
    *,
    images: Sequence[Path] = (),
    skills: SkillRegistry | None = None,
    licence: str = "",
    tick: Callable[[], object] = lambda: None,
) -> Imported:
    """Read conversations, run their calls, and write traces with the results of now.

    Args:
        file: A JSON list as LLaVA-Plus released and reads it, or a conversation in each line.
        out: A new folder.
        images: Folders in which ``image`` (or ``file_name``) of a conversation is looked for, in
            this order.
        skills: Those that run; the built-in ones if left out. API names are added.
        licence: That of the pictures, where a conversation does not say.
        tick: Called after each conversation.

    Raises:
        SetupError: The file cannot be read, or the folder cannot be written.
    """
    done, path, output = Imported(), Path(file).expanduser(), Output(out)
    store = ArtifactStore(output.folder / PICTURES)
    with Shards(output) as shards:
        for item in stream_items(path):
            done.read += 1
            try:
                trace = _trace(item, done, images, skills, licence)
            except SetupError as error:
                done.refused += 1
                if len(done.problems) < SHOWN:
                    where = f"{path.name}, conversation {done.read}"
                    done.problems.append(Problem(where=where, why=str(error), line=""))
            else:
                put_pictures(trace, store)
                shards.add(trace.to_json())
                done.written += 1
            tick()
    counts = {"read": done.read, "written": done.written, "refused": done.refused}
    calls = {"calls": done.calls, "same_result": done.same, "failed": done.failed}
    output.finish({"kind": "traces", "imported": {**counts, **calls}})
    return done


def stream_items(path: Path) -> Iterator[Any]:
    """Yield what a JSON list holds, or each line, with only a piece of the file in memory.

    Raises:
        SetupError: It cannot be read, is not JSON, or is cut short.
    """
    try:
        with path.open(encoding="utf-8") as file:
            yield from _items(_Pieces(file, path))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise SetupError(f"Cannot read {path}: {why}.") from error
    except RecursionError as error:
        raise SetupError(f"{path} is nested too deeply to be conversations.") from error


class _Pieces:
    """A text file of which as much is in memory as the next value needs."""

    def __init__(self, file: TextIO, path: Path) -> None:
        self.text = ""
        self.values = 0  # read so far
        self._file = file
        self._path = path

    def skip(self, characters: str) -> None:
        """Go on to the next character that is none of these."""
        self.text = self.text.lstrip(characters)
        while not self.text and self._more():
            self.text = self.text.lstrip(characters)

    def value(self) -> Any:
        """Read one value."""
        while True:
            try:
                value, end = json.JSONDecoder().raw_decode(self.text)
            except ValueError as error:
                if len(self.text) < LONGEST and self._more():
                    continue
                raise self.damaged(str(error)) from error
            self.text = self.text[end:]
            self.values += 1
            return value

    def damaged(self, why: str) -> SetupError:
        """Return the error for the file."""
        return SetupError(
            f"{self._path} is damaged or cut short after {self.values} conversations: {why}. "
            "Copy or download it again."
        )

    def _more(self) -> bool:
        block = self._file.read(BLOCK)
        self.text += block
        return bool(block)


def _items(pieces: _Pieces) -> Iterator[Any]:
    pieces.skip(SPACE)
    if not pieces.text:
        raise pieces.damaged("it is empty")
    # A list of lists is one conversation, as a server's log has it.
    if listed := re.match(r"\[(?!\s*\[)", pieces.text) is not None:
        pieces.text = pieces.text[1:]
    while True:
        pieces.skip(f"{SPACE}," if listed else SPACE)
        if listed and pieces.text.startswith("]"):
            return
        if not pieces.text:
            if listed:
                raise pieces.damaged("its list does not end")
            return
        yield pieces.value()


def _trace(
    item: Any,
    done: Imported,
    images: Sequence[Path],
    skills: SkillRegistry | None,
    licence: str,
) -> Trace:
    conversation = recorded(item)
    facts: dict[str, Any] = item if isinstance(item, dict) else {}
    name = facts.get("image") or facts.get("file_name")
    image = _find(str(name), images) if name and conversation.turns[0].picture else None
    played = replay(conversation, image, skills=skills)
    done.calls += len(played.results)
    done.same += sum(result.same for result in played.results)
    done.failed += sum(not result.ok for result in played.results)
    own = str(facts.get("unique_id") or facts.get("id") or played.trace.id)
    named = {"id": own, "licence": str(facts.get("licence") or licence)}
    return played.trace.model_copy(update=named)


def _find(name: str, folders: Sequence[Path]) -> Path:
    """Return the first file of that name; a name never leads out of a folder."""
    for folder in folders:
        root = folder.expanduser().resolve()
        path = (root / name).resolve()
        if path.is_relative_to(root) and path.is_file():
            return path
    where = ", ".join(map(str, folders)) or "no folder: name one with --images"
    raise SetupError(f"Its picture {name!r} is missing. Looked in {where}.")
