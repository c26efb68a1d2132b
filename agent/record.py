"""One session on disk: a SQLite file with its turns, its values and what runs just now.

The running turn's checkpoints lie in the same file, see `checkpoints.py`; pictures lie beside it,
by content. The file is in write-ahead mode with ``synchronous=NORMAL``: a killed process loses
nothing that was committed. Not covered: after a power cut the last moments may be missing.
"""

import json
import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .home import VARIABLE, Home, StoreError, hold, make_folder, unwritable

FORMAT = 1
FILE = "session.sqlite"
TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS turns (number INTEGER PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS artifacts (number INTEGER PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS calls (id TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answers (id TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pictures (digest TEXT PRIMARY KEY);
"""
RUNNING = {"calls", "answers", "checkpoints", "writes"}  # empty while no turn runs
WHAT_TO_DO = {  # by the beginning of SQLite's name for the error
    "SQLITE_FULL": "The disk is full. Free some space; then the session goes on where it stopped.",
    "SQLITE_IOERR": "The disk cannot be read or written. Check it and its free space; then the "
    "session goes on where it stopped.",
    "SQLITE_READONLY": f"It is read-only. Make it writable, or choose another folder with "
    f"{VARIABLE}.",
    "SQLITE_CANTOPEN": f"It cannot be opened. Make it readable and writable, or choose another "
    f"folder with {VARIABLE}.",
    "SQLITE_BUSY": "Another program holds it. Close that, then try again.",
    "SQLITE_LOCKED": "Another program holds it. Close that, then try again.",
}
DAMAGED = (
    "It is damaged. Nothing was changed: put a copy back in its place, or begin another session; "
    "`llava-plus sessions delete {id}` removes it."
)


class Record:
    """The file of one session; all methods may be called from any thread.

    Args:
        home: Where sessions lie.
        id: Which one.
        new: Whether to begin the session where there is none.
        look: Only look, without keeping other processes out of the session.
    """

    def __init__(self, home: Home, id: str, *, new: bool = True, look: bool = False) -> None:
        self.id = id
        self.home = home
        self.folder = home.folder(id)
        self.path = self.folder / FILE
        self.lock = threading.Lock()
        if not (new or self.path.exists()):
            raise StoreError(f"There is no session {id!r} in {home.sessions}.")
        make_folder(self.folder)
        held = None if look else hold(self.folder)
        try:
            with self.explained():
                self.connection = _connect(self.path)
        except BaseException:
            _close(None, held)
            raise
        self.close = weakref.finalize(self, _close, self.connection, held)
        try:
            self._check()
        except BaseException:
            self.close()
            raise

    def facts(self) -> dict[str, Any]:
        """Return what is noted of the session: ``title``, ``began``, ``changed``, ``running``."""
        return self.table("facts")

    def table(self, name: str) -> dict[Any, Any]:
        """Return a table's content by its first column, oldest first."""
        with self.understood():
            return {key: json.loads(value) for key, value in self._rows(name)}

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return len(self._rows(table))

    def pictures(self) -> set[str]:
        """Return the digests of all pictures that the session may use."""
        return {str(row[0]) for row in self._rows("pictures")}

    def note(self, facts: Mapping[str, Any], artifacts: Sequence[Any] = ()) -> None:
        """Write facts, and artifacts after those that are there, all or nothing."""
        with self.writing() as connection:
            _write_facts(connection, {**facts, "changed": time.time()})
            _append(connection, "artifacts", artifacts)

    def begin(self, facts: Mapping[str, Any], artifacts: Sequence[Any]) -> None:
        """Write that a turn runs now, and what it begins with."""
        with self.writing() as connection:
            _clear(connection)
            _write_facts(connection, {**facts, "changed": time.time()})
            _append(connection, "artifacts", artifacts)

    def end(self, turn: Any, facts: Mapping[str, Any], artifacts: Sequence[Any]) -> None:
        """Write a finished turn, and forget how far it had come."""
        with self.writing() as connection:
            _append(connection, "turns", [turn])
            _append(connection, "artifacts", artifacts)
            _write_facts(connection, {**facts, "changed": time.time()})
            _clear(connection)

    def put(self, table: str, id: str, value: Any) -> None:
        """Write what concerns one call of the running turn."""
        with self.writing() as connection:
            connection.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", (id, _json(value)))

    def refer(self, digest: str) -> None:
        """Note that the session uses a picture."""
        with self.writing() as connection:
            connection.execute("INSERT OR IGNORE INTO pictures VALUES (?)", (digest,))

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give the database for one transaction."""
        with self.explained(), self.lock, self.connection:
            yield self.connection

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Say what a person can do where SQLite fails."""
        try:
            yield
        except sqlite3.ProgrammingError as error:
            raise self.failed("It is closed. Open the session again.") from error
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            todo = next((WHAT_TO_DO[kind] for kind in WHAT_TO_DO if name.startswith(kind)), DAMAGED)
            raise self.failed(todo) from error

    @contextmanager
    def understood(self) -> Iterator[None]:
        """Say what a person can do where what was read makes no sense."""
        try:
            with self.explained():
                yield
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise self.failed(DAMAGED) from error

    def failed(self, todo: str) -> StoreError:
        """Return the error for the session's file."""
        return StoreError(f"Session {self.id}, {self.path}: {todo.format(id=self.id)}")

    def _check(self) -> None:
        """Make sure that the file is whole, and one of ours."""
        with self.understood():
            (verdict,) = self.connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise self.failed(DAMAGED)
            facts = self.facts()
        if not facts:
            self.note({"format": FORMAT, "began": time.time(), "title": ""})
        elif (version := facts.get("format")) != FORMAT:
            raise self.failed(
                f"It has format {version!r}; wanted {FORMAT}. Open it with the version of "
                "LLaVA-Plus that wrote it."
            )

    def _rows(self, table: str) -> list[tuple[Any, ...]]:
        with self.explained(), self.lock:
            return self.connection.execute(f"SELECT * FROM {table} ORDER BY rowid").fetchall()


def _connect(path: Path) -> sqlite3.Connection:
    if not path.exists():
        with unwritable(path.parent):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlite3.connect(path, timeout=10, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.executescript(TABLES)
    except BaseException:
        connection.close()
        raise
    return connection


def _close(connection: sqlite3.Connection | None, held: int | None) -> None:
    if connection is not None:
        connection.close()
    if held is not None:
        os.close(held)


def _clear(connection: sqlite3.Connection) -> None:
    """Forget what was kept of a running turn."""
    there = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in there:
        if table in RUNNING:
            connection.execute(f"DELETE FROM {table}")


def _append(connection: sqlite3.Connection, table: str, values: Sequence[Any]) -> None:
    rows = [(_json(value),) for value in values]
    connection.executemany(f"INSERT INTO {table} (value) VALUES (?)", rows)


def _write_facts(connection: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
    rows = [(name, _json(value)) for name, value in facts.items()]
    connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", rows)


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
