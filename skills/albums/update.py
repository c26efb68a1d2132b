"""Bringing an index up to date with its folder: what is new or changed is looked at, once."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import ImageError, SetupError
from llava_plus.skills import Image, load_image
from llava_plus.skills.images import IMAGE_SUFFIXES, MAX_BYTES

from .index import Entry, Index

AT_ONCE = 64  # files, after which what was done is kept


class Looker(Protocol):
    """What turns pictures into vectors."""

    def vectors(self, images: Iterable[Image]) -> NDArray[np.float32]:
        """Return (n, dimension), each of length 1; of one picture after the other."""


@dataclass(frozen=True, kw_only=True)
class Report:
    """What an update has done, in numbers of files; ``problems`` names those left out and why."""

    new: int = 0
    changed: int = 0
    gone: int = 0
    same: int = 0
    problems: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        counts = f"{self.new} new, {self.changed} changed, {self.gone} gone, {self.same} as before"
        return counts + (f"; {len(self.problems)} could not be read" if self.problems else "")


def update(
    index: Index,
    folder: Path,
    looker: Looker,
    *,
    say: Callable[[int, int], None] = lambda done, of: None,
) -> Report:
    """Look at the pictures in a folder and below it that are new or changed; forget those gone.

    A file counts as changed when its size or its time is another. One that was moved, or lies
    there twice, is known by its bytes and not looked at again. What was done is kept every 64
    files: after a kill the next update goes on from there. Files that cannot be read are noted,
    and tried again only when they have changed.

    Not covered: links are not followed; hidden files and folders, folders that may not be entered,
    and names with signs that cannot be shown, are left out.

    Args:
        index: What is known.
        folder: The pictures.
        looker: The model; always the same one for an index.
        say: Told how many of how many files are done.

    Raises:
        SetupError: There is no such folder, or the index cannot be written.
    """
    if not folder.is_dir():
        raise SetupError(f"There is no folder {str(folder)!r}. Name one with pictures in it.")
    with index.held():
        known, there = index.entries(), {entry.path: entry for entry in scan(folder)}
        gone = [path for path in known if path not in there]
        todo = [entry for path, entry in there.items() if not _same(entry, known.get(path))]
        index_of = {e.digest: e for e in known.values() if e.shard}  # moved files are still in it
        if gone:
            index.write((), np.zeros((0, 0), np.float16), gone=gone)
        say(0, len(todo))
        for start in range(0, len(todo), AT_ONCE):
            part = todo[start : start + AT_ONCE]
            seen = list(_looked(part, folder, looker, index_of))
            index.write([entry for entry, _ in seen], _stacked([v for _, v in seen]))
            say(start + len(part), len(todo))
        index.tidy()
        problems = [(e.path, e.problem) for e in index.entries().values() if e.problem]
    changed = sum(entry.path in known for entry in todo)
    return Report(
        new=len(todo) - changed,
        changed=changed,
        gone=len(gone),
        same=len(there) - len(todo),
        problems=tuple(sorted(problems)),
    )


def scan(folder: Path) -> Iterator[Entry]:
    """Yield the files in a folder and below it that are called like pictures, in their order."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(place) / name
            if name.startswith(".") or path.suffix.lower() not in IMAGE_SUFFIXES:
                continue
            below = path.relative_to(folder).as_posix()
            try:
                facts = path.lstat()
            except OSError:  # deleted since the folder was listed
                continue
            if stat.S_ISREG(facts.st_mode) and below.isprintable():
                yield Entry(path=below, size=facts.st_size, changed=facts.st_mtime_ns)


def _same(entry: Entry, known: Entry | None) -> bool:
    return known is not None and (entry.size, entry.changed) == (known.size, known.changed)


def _looked(
    entries: Sequence[Entry], folder: Path, looker: Looker, known: dict[str, Entry]
) -> Iterator[tuple[Entry, NDArray[np.float32] | None]]:
    """Yield each file with what is known of it now, and its vector where it is a new one."""
    ready: list[Entry] = []

    def pictures() -> Iterator[Image]:
        """Decode one picture after the other, so that only one is in memory."""
        for entry in entries:
            read, image = _read(folder, entry, known)
            ready.append(read)
            if image is not None:
                yield image

    vectors = iter(looker.vectors(pictures()))
    for entry in ready:
        alone = not entry.shard and not entry.problem
        yield entry, next(vectors) if alone else None


def _read(folder: Path, entry: Entry, known: dict[str, Entry]) -> tuple[Entry, Image | None]:
    """Return a file with its digest, and the picture where it is one that is not known."""
    try:
        data = _bytes(folder / entry.path)
    except OSError as error:
        return replace(entry, problem=error.strerror or str(error)), None
    digest = hashlib.sha256(data).hexdigest()
    if (twin := known.get(digest)) is not None:
        return replace(entry, digest=digest, shard=twin.shard, place=twin.place), None
    try:
        image = load_image(data)
    except ImageError as error:
        return replace(entry, digest=digest, problem=str(error)), None
    return replace(entry, digest=digest), image


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _stacked(vectors: Sequence[NDArray[np.float32] | None]) -> NDArray[np.float16]:
    new = [vector for vector in vectors if vector is not None]
    return np.stack(new).astype(np.float16) if new else np.zeros((0, 0), np.float16)
