"""An index of a folder of traces, so that any of them is found at once however many there are."""

import json
import sqlite3
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llava_plus.agent import Trace
from llava_plus.errors import SetupError

from .folders import DROPPED, PICTURES, WANTED, Problem, read_line, stores_beside

TABLES = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
CREATE TABLE traces (
    number INTEGER PRIMARY KEY, file INTEGER, start INTEGER, line INTEGER, id TEXT, request TEXT,
    skills TEXT, verdict TEXT, verifier TEXT, reason TEXT, words TEXT);
CREATE TABLE uses (skill TEXT, number INTEGER, PRIMARY KEY (skill, number)) WITHOUT ROWID;
CREATE INDEX by_verdict ON traces (verdict, verifier);
"""
KEPT, GONE, UNREADABLE = "kept", "dropped", "unreadable"
BATCH = 500  # lines that are written at once
SHORT = 160  # characters of a request in the list


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which traces are looked for; what is empty does not matter.

    Args:
        text: Words of requests, thoughts, answers, ids or reasons, in any case.
        skill: One that is called.
        verdict: "kept", "dropped" or "unreadable".
        verifier: Which one dropped it.
    """

    text: str = ""
    skill: str = ""
    verdict: str = ""
    verifier: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A trace in the list."""

    number: int
    id: str
    request: str
    skills: str
    verdict: str
    reason: str  # with the verifier that dropped it


class TraceIndex:
    """All traces below a folder, those that were dropped, too.

    The index is a file of its own for the time being; the traces stay where they are, and memory
    does not grow with them.

    Args:
        path: The folder.
        pictures: Further folders of pictures, see `TraceFolder`.

    Raises:
        SetupError: There are no traces.
    """

    def __init__(self, path: str | Path, *, pictures: Sequence[Path] = ()) -> None:
        self.path = Path(path).expanduser()
        self.files = tuple(sorted(_files(self.path)))
        if not self.files:
            raise SetupError(f"There are no traces in {self.path}. {WANTED}")
        self.whole = False  # whether all of it was read
        self._pictures = tuple(pictures)
        self._over = threading.Event()
        self._counts: dict[tuple[Wanted, int], int] = {}
        self._folder = tempfile.TemporaryDirectory(
            prefix="llava-plus-show-", ignore_cleanup_errors=True
        )
        self._file = Path(self._folder.name) / "index.sqlite"
        with closing(self._open()) as index:
            index.executescript(TABLES)

    def fill(self) -> None:
        """Read everything; what was read so far can be looked for meanwhile."""
        try:
            with closing(self._open()) as index:
                for number, place in enumerate(self.files):
                    with place.open("rb") as lines:
                        self._read(index, number, lines)
        except sqlite3.Error:
            if not self._over.is_set():  # else the index was deleted while it was written
                raise
        self.whole = not self._over.is_set()

    def close(self) -> None:
        """Stop reading, and delete the index."""
        self._over.set()
        self._folder.cleanup()

    def __len__(self) -> int:
        with closing(self._open()) as index:
            (count,) = index.execute("SELECT count(*) FROM traces").fetchone()
        return int(count)

    def find(self, wanted: Wanted, *, page: int, size: int) -> tuple[list[Row], int]:
        """Return one page of what is looked for, in the order of the files, and how many there are.

        Args:
            wanted: What is looked for.
            page: Which one, from 0.
            size: Rows of a page.
        """
        where, values = _where(wanted)
        columns = "number, id, request, skills, verdict, verifier, reason"
        query = f"SELECT {columns} FROM traces WHERE {where} ORDER BY number LIMIT ? OFFSET ?"
        with closing(self._open()) as index:
            rows = index.execute(query, (*values, size, page * size)).fetchall()
            (read,) = index.execute("SELECT max(number) FROM traces").fetchone()
            if (key := (wanted, read or 0)) not in self._counts:
                count = f"SELECT count(*) FROM traces WHERE {where}"
                self._counts = {key: int(index.execute(count, values).fetchone()[0])}
        return [_row(row) for row in rows], self._counts[key]

    def skills(self) -> list[str]:
        """Return the names of all skills that were called."""
        return self._names("SELECT DISTINCT skill FROM uses ORDER BY skill")

    def verifiers(self) -> list[str]:
        """Return the names of those that dropped something."""
        query = "SELECT DISTINCT verifier FROM traces WHERE verdict = 'dropped' ORDER BY verifier"
        return [name for name in self._names(query) if name]

    def open(self, number: int) -> Trace | Problem:
        """Return a trace, or why it cannot be read.

        Raises:
            SetupError: There is none of that number, or its file is gone.
        """
        with closing(self._open()) as index:
            query = "SELECT file, start, line, verdict FROM traces WHERE number = ?"
            found = index.execute(query, (number,)).fetchone()
        if found is None:
            raise SetupError(f"There is no trace {number}. Choose one of the list.")
        file, start, line, verdict = found
        path = self.files[file]
        try:
            with path.open("rb") as lines:
                lines.seek(start)
                raw = lines.readline()
        except OSError as error:
            raise SetupError(f"Cannot read {path}: {error.strerror}. Start this again.") from error
        where = f"{path.relative_to(self.path)}:{line}"
        if verdict == UNREADABLE and (noted := _noted(raw)) is not None:
            return noted
        return read_line(raw, where, stores_beside(path, self._pictures))

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._file, timeout=60, isolation_level=None)

    def _names(self, query: str) -> list[str]:
        with closing(self._open()) as index:
            return [name for (name,) in index.execute(query)]

    def _read(self, index: sqlite3.Connection, file: int, lines: Any) -> None:
        """Note all lines of a file."""
        start = 0
        gone = self.files[file].relative_to(self.path).parts[-2:-1] == (DROPPED,)
        index.execute("BEGIN")
        for number, raw in enumerate(lines, 1):
            if raw.strip():
                facts = _facts(raw, gone, self.files[file].suffix == ".txt")
                called = facts.pop("called")
                row = index.execute(
                    "INSERT INTO traces (file, start, line, id, request, skills, verdict,"
                    " verifier, reason, words) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (file, start, number, *facts.values()),
                ).lastrowid
                index.executemany("INSERT INTO uses VALUES (?, ?)", [(one, row) for one in called])
            start += len(raw)
            if number % BATCH == 0:
                index.execute("COMMIT")
                if self._over.is_set():
                    return
                index.execute("BEGIN")
        index.execute("COMMIT")


def _noted(raw: bytes) -> Problem | None:
    """Return the problem that a run or a verifier wrote down, if the line is one."""
    try:
        facts: Any = json.loads(raw)
        line = str(facts.get("line", ""))
        return Problem(where=str(facts["where"]), why=str(facts["why"]), line=line)
    except (ValueError, KeyError, AttributeError, TypeError):
        return None


def _files(root: Path) -> Iterator[Path]:
    """Yield the files of traces, and of what a sieve could not read."""
    if not root.is_dir():
        raise SetupError(f"There is no folder {root}. {WANTED}")
    for path in root.rglob("*"):
        parts = path.relative_to(root).parts
        hidden = PICTURES in parts or any(part.startswith(".") for part in parts)
        lines = path.suffix == ".jsonl" or path.name == "trace.json"
        unread = path.parent.name == DROPPED and path.suffix == ".txt"
        if not hidden and (lines or unread) and path.is_file():
            yield path


def _facts(raw: bytes, gone: bool, unread: bool) -> dict[str, Any]:
    """Return what the list shows of a line and what it is found by, in the table's order."""
    try:
        fields: Any = json.loads(raw)
        if unread or ("why" in fields and "turns" not in fields):  # of a verifier, of a run
            return _unreadable(str(fields["why"]), str(fields["where"]))
        return _of_trace(fields, gone)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return _unreadable(f"This is no trace ({type(error).__name__}).", "")


def _of_trace(fields: dict[str, Any], gone: bool) -> dict[str, Any]:
    turns = fields["turns"]
    steps = [step for turn in turns for step in turn["steps"]]
    called = list(dict.fromkeys(call["skill"] for step in steps for call in step["actions"]))
    said = {name: one for name, one in fields["verdicts"].items() if isinstance(one, dict)}
    against = [
        (name, str(one.get("reason"))) for name, one in said.items() if one.get("ok") is False
    ]
    verifier, reason = against[-1] if against else ("", "")
    requests = [str(turn["message"]) for turn in turns]
    words = [*requests, *(str(turn["answer"]) for turn in turns)]
    words += [*(str(step["thought"]) for step in steps), str(fields["id"]), reason]
    return {
        "id": str(fields["id"]),
        "request": " / ".join(requests)[:SHORT],
        "skills": ", ".join(called),
        "verdict": GONE if gone or against else KEPT,
        "verifier": verifier,
        "reason": reason,
        "words": "\n".join(words).casefold(),
        "called": called,
    }


def _unreadable(why: str, where: str) -> dict[str, Any]:
    return {
        "id": where,
        "request": "",
        "skills": "",
        "verdict": UNREADABLE,
        "verifier": "",
        "reason": why,
        "words": f"{where}\n{why}".casefold(),
        "called": [],
    }


def _where(wanted: Wanted) -> tuple[str, list[str]]:
    """Return a condition and its values."""
    conditions: list[str] = ["1"]
    values: list[str] = []
    if word := wanted.text.strip().casefold():
        literal = word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
        conditions.append(r"words LIKE ? ESCAPE '\'")
        values.append(f"%{literal}%")
    if wanted.skill:
        conditions.append("number IN (SELECT number FROM uses WHERE skill = ?)")
        values.append(wanted.skill)
    for column in ("verdict", "verifier"):
        if value := getattr(wanted, column):
            conditions.append(f"{column} = ?")
            values.append(value)
    return " AND ".join(conditions), values


def _row(fields: Sequence[Any]) -> Row:
    number, id, request, skills, verdict, verifier, reason = fields
    why = f"{verifier}: {reason}" if verifier else str(reason)
    return Row(number=number, id=id, request=request, skills=skills, verdict=verdict, reason=why)
