"""What is known of a folder's pictures, on disk: facts in SQLite, vectors in safetensors files."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import SetupError
from llava_plus.skills.store import write_whole

Vectors = NDArray[np.float16]  # (n, dimension), each of length 1
SHARDS = 8  # files of vectors; more are brought into one
_TABLES = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pictures (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path TEXT NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    digest TEXT NOT NULL,
    shard TEXT,
    place INTEGER,
    problem TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS digests ON pictures (digest);
"""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file, as it was when it was looked at.

    Args:
        path: Its place below the folder, with "/" between the parts.
        size: Bytes.
        changed: When it was changed, in nanoseconds.
        digest: sha256 of its bytes; empty where it could not be read.
        shard: The file of vectors in which its own is; empty where it is no picture.
        place: Which of these vectors.
        problem: Why it could not be read; empty where it could.
        id: Its number, which no other picture ever gets; 0 before it has one.
    """

    path: str
    size: int
    changed: int
    digest: str = ""
    shard: str = ""
    place: int = 0
    problem: str = ""
    id: int = 0


class Index:
    """The vectors of a folder's pictures, made by one model.

    What is written is whole at any moment: a file of vectors first, then the facts that name it.
    What a killed process left over is deleted by the next one that writes.

    Args:
        root: The folder of the index; made when it is first written, readable by its owner only.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._loaded: tuple[str, tuple[Entry, ...], Vectors] | None = None

    @property
    def exists(self) -> bool:
        """Whether anything was ever written."""
        return (self.root / "index.sqlite").is_file()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only process that writes; others may read meanwhile."""
        with _told(self.root):
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with _told(self.root), closing(self._open()) as db, db:
                db.executescript(_TABLES)
            self._sweep()
            yield
        except BlockingIOError:
            raise SetupError(
                "This folder of pictures is being indexed already, by another process. "
                "Wait until it has ended."
            ) from None
        finally:
            os.close(lock)

    def entries(self) -> dict[str, Entry]:
        """Return all that is known, by path."""
        if not self.exists:
            return {}
        with _told(self.root), closing(self._open()) as db:
            return {entry.path: entry for entry in _entries(db)}

    def entry(self, id: int) -> Entry | None:
        """Return what is known of a picture by its number."""
        if not self.exists:
            return None
        with _told(self.root), closing(self._open()) as db:
            return next(_entries(db, "WHERE id = ?", (id,)), None)

    def write(
        self, entries: Sequence[Entry], vectors: Vectors, *, gone: Iterable[str] = ()
    ) -> None:
        """Take files in, each instead of what was known under its path, and forget others.

        Args:
            entries: Files; of those without shard and without problem the vector is among the next.
            vectors: (n, dimension), in the order of these files.
            gone: Paths to forget.
        """
        shard = self._save(vectors) if len(vectors) else ""
        places = iter(range(len(vectors)))
        rows = []
        for entry in entries:
            new = not entry.shard and not entry.problem
            where = (shard, next(places)) if new else (entry.shard, entry.place)
            facts = (entry.path, entry.size, entry.changed, entry.digest)
            rows.append((*facts, *(where if where[0] else (None, None)), entry.problem))
        with _told(self.root), closing(self._open()) as db, db:
            old = [(path,) for path in (*gone, *(entry.path for entry in entries))]
            db.executemany("DELETE FROM pictures WHERE path = ?", old)
            db.executemany(
                "INSERT INTO pictures (path, size, changed, digest, shard, place, problem) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                rows,
            )
            _next_state(db)

    def tidy(self) -> None:
        """Bring the vectors into one file where they are in many, or most of one is not needed."""
        entries, vectors = self.vectors()
        files = {entry.shard for entry in entries}
        held = sum(len(_load(self.root / name)) for name in files)
        if len(files) <= SHARDS and held <= 2 * len(entries):
            return
        shard = self._save(vectors) if len(vectors) else ""
        moves = [(shard, place, entry.id) for place, entry in enumerate(entries)]
        with _told(self.root), closing(self._open()) as db, db:
            db.executemany("UPDATE pictures SET shard = ?, place = ? WHERE id = ?", moves)
            _next_state(db)
        self._sweep()

    def vectors(self) -> tuple[tuple[Entry, ...], Vectors]:
        """Return the pictures that have vectors, and these, (n, dimension), in the same order."""
        for _ in range(3):  # a process that writes may bring files together meanwhile
            try:
                return self._read()
            except FileNotFoundError:
                continue
        raise SetupError(
            f"Files of vectors are missing in {self.root}. Index the folder of pictures again."
        )

    def _read(self) -> tuple[tuple[Entry, ...], Vectors]:
        if not self.exists:
            return (), np.zeros((0, 0), np.float16)
        with _told(self.root), closing(self._open()) as db:
            state = _state(db)
            if self._loaded is not None and self._loaded[0] == state:
                return self._loaded[1:]
            entries = tuple(_entries(db, "WHERE shard IS NOT NULL ORDER BY path"))
        shards = {name: _load(self.root / name) for name in sorted({e.shard for e in entries})}
        rows = [shards[entry.shard][entry.place] for entry in entries]
        vectors = np.stack(rows) if rows else np.zeros((0, 0), np.float16)
        self._loaded = (state, entries, vectors)
        return entries, vectors

    def _save(self, vectors: Vectors) -> str:
        from safetensors.numpy import save

        numbers = [int(path.stem.partition("-")[2]) for path in self._shards()]
        name = f"vectors-{max(numbers, default=0) + 1:06}.safetensors"
        with _told(self.root):
            write_whole(self.root / name, lambda file: file.write(save({"vectors": vectors})))
        return name

    def _shards(self) -> list[Path]:
        return sorted(self.root.glob("vectors-*.safetensors"))

    def _sweep(self) -> None:
        """Delete what nothing names."""
        named = {entry.shard for entry in self.entries().values()}
        for path in (*self._shards(), *self.root.glob(".*.part")):
            if path.name not in named:
                path.unlink(missing_ok=True)

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.root / "index.sqlite", timeout=30)
        db.execute("PRAGMA journal_mode=WAL")
        return db


def _entries(
    db: sqlite3.Connection, where: str = "", values: tuple[int, ...] = ()
) -> Iterator[Entry]:
    columns = "path, size, changed, digest, shard, place, problem, id"
    for row in db.execute(f"SELECT {columns} FROM pictures {where}", values):
        path, size, changed, digest, shard, place, problem, id = row
        yield Entry(
            path=path, size=size, changed=changed, digest=digest, shard=shard or "",
            place=place or 0, problem=problem, id=id,
        )  # fmt: skip


def _state(db: sqlite3.Connection) -> str:
    row = db.execute("SELECT value FROM facts WHERE name = 'state'").fetchone()
    return str(row[0]) if row else ""


def _next_state(db: sqlite3.Connection) -> None:
    """Note that something has changed since others have read."""
    row = ("state", str(int(_state(db) or 0) + 1))
    db.execute("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)", row)


def _load(path: Path) -> Vectors:
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        with _told(path.parent):
            tensors: Mapping[str, Vectors] = load(path.read_bytes())
        return tensors["vectors"]
    except (SafetensorError, KeyError) as error:
        raise SetupError(
            f"{path} is damaged. Delete the folder {path.parent} and index the pictures again."
        ) from error


@contextmanager
def _told(root: Path) -> Iterator[None]:
    """Say it in a sentence where the index cannot be read or written."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise SetupError(
            f"The index in {root} cannot be used: {error}. "
            "Delete that folder and index the pictures again."
        ) from error
    except (FileNotFoundError, BlockingIOError):
        raise
    except OSError as error:
        raise SetupError(
            f"Cannot keep an index in {root}: {error.strerror or error}. Make room, or make it "
            "writable."
        ) from error
