"""Answers and judgements in files: what came so far, and what somebody else made."""

import fcntl
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from llava_plus.errors import SetupError

from .questions import Mistakes, Question, read_objects

IDS = ("id", "question_id")  # the second names are those of LLaVA's files
ANSWERS = ("answer", "text")
JUDGEMENTS = ("judgement", "content")


def read_stored(file: Path, fields: Sequence[str], known: Iterable[str]) -> dict[str, str]:
    """Read a file of stored texts by the id of their question.

    Args:
        file: One JSON object a line, such as ``{"id": "7", "answer": "yes"}``; a first line
            without an id, which our own files have, is skipped.
        fields: What the text may be called.
        known: The ids of all questions.
    """
    mistakes = Mistakes(file=file, found=[])
    ids, lines, texts = set(known), dict[str, int](), dict[str, str]()
    for line, row in read_objects(file, mistakes):
        id, text = _named(row, IDS), _named(row, fields)
        if line == 1 and id is None and "task" in row:
            continue
        if not isinstance(id, str | int) or not isinstance(text, str):
            mistakes.add(line, f'wanted "{IDS[0]}" and the words of "{fields[0]}"')
        elif str(id) not in ids:
            mistakes.add(line, f"there is no question {str(id)!r}")
        elif str(id) in texts:
            mistakes.add(line, f"the id {str(id)!r} is that of line {lines[str(id)]}, too")
        else:
            lines[str(id)], texts[str(id)] = line, text
    mistakes.end()
    return texts


def all_of(texts: Mapping[str, str], questions: Sequence[Question], file: Path) -> list[str]:
    """The texts in the order of the questions; one that is missing is an error."""
    missing = [question for question in questions if question.id not in texts]
    if missing:
        first = ", ".join(f"{one.id!r} (line {one.line})" for one in missing[:5])
        more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
        raise SetupError(
            f"{file} has nothing for {len(missing)} of {len(questions)} questions: {first}{more}. "
            "Add them, or score fewer with --limit."
        )
    return [texts[question.id] for question in questions]


class Growing:
    """A file that gets a line for each answer as it comes, and is gone on with after a kill.

    A last line that was cut short is dropped. One process at a time may write.

    Args:
        path: The file; made where it is not there.
        facts: What it was made from; one that was made from something else is not gone on with.
    """

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        self.path = path
        self.rows: dict[str, dict[str, Any]] = {}
        self._facts = dict(facts)
        self._file = _opened(path)
        try:
            self._go_on()
        except BaseException:
            self._file.close()
            raise

    def add(self, id: str, **row: Any) -> None:
        """Write a line, so that a kill does not lose it."""
        self.rows[id] = {"id": id, **row}
        self._line(self.rows[id])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def _go_on(self) -> None:
        data = self._file.read()
        whole = data[: data.rfind(b"\n") + 1]
        if whole:
            self._read(whole)
        elif not b'{"task"'.startswith(data[:7]):
            raise SetupError(f"{self.path} is no file of answers. {_ELSEWHERE}")
        self._file.truncate(len(whole))
        self._file.seek(len(whole))
        if not whole:
            self._line(self._facts)

    def _read(self, lines: bytes) -> None:
        try:
            facts, *rows = [json.loads(line) for line in lines.split(b"\n")[:-1]]
            self.rows = {row["id"]: row for row in rows}
        except (ValueError, KeyError, TypeError) as error:
            raise SetupError(f"{self.path} is no file of answers. {_ELSEWHERE}") from error
        if facts != self._facts:
            other = facts if isinstance(facts, dict) else {}
            name = next((n for n, fact in self._facts.items() if other.get(n) != fact), "task")
            raise SetupError(
                f"{self.path} was begun with {name} {other.get(name)!r}, now it is "
                f"{self._facts.get(name)!r}. {_ELSEWHERE}"
            )

    def _line(self, row: Mapping[str, Any]) -> None:
        try:
            self._file.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
            self._file.flush()
        except OSError as error:
            raise SetupError(
                f"Cannot write {self.path}: {error.strerror}. Make room; what is there is kept."
            ) from error


_ELSEWHERE = "Name another file with --out, or delete this one."


def _opened(path: Path) -> IO[bytes]:
    try:
        file = path.open("r+b" if path.exists() else "x+b")
    except OSError as error:
        raise SetupError(f"Cannot write {path}: {error.strerror}. {_ELSEWHERE}") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise SetupError(f"{path} is being written by another process. {_ELSEWHERE}") from None
    return file


def _named(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((row[name] for name in names if name in row), None)
