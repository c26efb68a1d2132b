"""What a teacher has said so far, on disk: nothing is paid for twice, also after a kill."""

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llava_plus.agent.planners.spending import Spent
from llava_plus.errors import SetupError

TABLES = """
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, text TEXT NOT NULL, finish TEXT NOT NULL, refused INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS spent (
    one INTEGER PRIMARY KEY CHECK (one = 1), requests INTEGER, read INTEGER, cached INTEGER,
    written INTEGER, money REAL);
CREATE TABLE IF NOT EXISTS pace (one INTEGER PRIMARY KEY CHECK (one = 1), next REAL);
INSERT OR IGNORE INTO spent VALUES (1, 0, 0, 0, 0, 0.0);
INSERT OR IGNORE INTO pace VALUES (1, 0.0);
"""
BUSY = 60.0  # seconds to wait for another process that writes
ADD = """
UPDATE spent SET requests = requests + ?, read = read + ?, cached = cached + ?,
    written = written + ?, money = money + ?
"""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """One reply as it was paid for.

    Args:
        text: Its words.
        finish: Why it ended, as servers say it: "stop", "length", "content_filter".
        refused: Whether the server marked it as a refusal.
    """

    text: str
    finish: str = "stop"
    refused: bool = False


class Replies:
    """A SQLite file of replies by the content of their requests; processes may share it.

    It also holds what was spent, and when the next request may go out. It is in write-ahead mode:
    a killed process loses nothing that was committed. Not covered: a reply that was on its way
    when the process was killed is paid for again, and so is a request that two processes make at
    the very same time.

    Raises:
        SetupError: The file cannot be used.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self._lock = threading.Lock()
        with self._understood():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(
                self.path, timeout=BUSY, isolation_level=None, check_same_thread=False
            )
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = NORMAL")
            self._file.executescript(TABLES)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def find(self, key: str) -> Kept | None:
        """Return what was said to a request before."""
        with self._understood(), self._lock:
            query = "SELECT text, finish, refused FROM replies WHERE key = ?"
            row = self._file.execute(query, (key,)).fetchone()
        return None if row is None else Kept(text=row[0], finish=row[1], refused=bool(row[2]))

    def keep(self, key: str, reply: Kept, cost: Spent) -> None:
        """Write down a reply and what it cost, both or neither."""
        sums = (cost.requests, cost.read, cost.cached, cost.written, cost.money)
        with self._understood(), self._writing() as file:
            values = (key, reply.text, reply.finish, int(reply.refused))
            file.execute("INSERT OR REPLACE INTO replies VALUES (?, ?, ?, ?)", values)
            file.execute(ADD, sums)

    def spent(self) -> Spent:
        """Return what all replies have cost."""
        with self._understood(), self._lock:
            query = "SELECT requests, read, cached, written, money FROM spent"
            requests, read, cached, written, money = self._file.execute(query).fetchone()
        return Spent(requests=requests, read=read, cached=cached, written=written, money=money)

    def reserve(self, per_minute: float) -> float:
        """Take the next place in the line of all processes; return the seconds until then."""
        with self._understood(), self._writing() as file:
            now = time.time()
            (planned,) = file.execute("SELECT next FROM pace").fetchone()
            # A clock that was set back must not stop everything.
            place = now if planned - now > 3600 else max(now, planned)
            file.execute("UPDATE pace SET next = ?", (place + 60 / per_minute,))
        return place - now

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:  # one connection for all threads
            self._file.execute("BEGIN IMMEDIATE")
            try:
                yield self._file
            except BaseException:
                self._file.execute("ROLLBACK")
                raise
            self._file.execute("COMMIT")

    @contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise SetupError(
                f"The teacher's replies cannot be kept in {self.path}: {error}. Free some space, "
                "or name another file (cache: in the teacher's file); a damaged one has to go."
            ) from error


def key_of(request: Mapping[str, Any], sample: int) -> str:
    """Return the name of a request, the same wherever its server is.

    Args:
        request: Its body.
        sample: Which of several replies to the same request is meant, from 0.
    """
    text = json.dumps([request, sample], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
