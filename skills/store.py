"""Where pictures lie, by content, and what a session calls its values."""

from __future__ import annotations

import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image as Pillow

from llava_plus.errors import ImageError, SetupError, SkillError

from .pixels import Image
from .values import PREFIXES, Value, value_from_json, value_to_json


class ArtifactStore:
    """Pictures by their digest, each once: PNG files in a folder, or in memory without one."""

    quick = False  # whether nothing else waits meanwhile, so that no thread is needed to write

    def __init__(self, root: Path | None = None) -> None:
        self.root = root
        self._memory: dict[str, Image] = {}

    def put(self, image: Image) -> str:
        """Keep a picture and return its digest."""
        if self.root is None:
            self._memory.setdefault(image.digest, image)
        elif not (path := self.path(image.digest)).exists():
            try:
                write_whole(path, lambda file: image.to_pil().save(file, "PNG", compress_level=3))
            except OSError as error:
                why = error.strerror or error
                raise SetupError(
                    f"Cannot store a picture in {self.root}: {why}. Free some space there, "
                    "or choose another folder."
                ) from error
        return image.digest

    def get(self, digest: str) -> Image:
        """Return a picture; what was damaged on disk is an error, never a wrong picture."""
        if self.root is None and digest in self._memory:
            return self._memory[digest]
        if digest not in self:
            where = "in memory" if self.root is None else f"in {self.root}"
            raise ImageError(
                f"No picture {digest[:12]!r} {where}. Was its folder emptied or moved?"
            )
        path = self.path(digest)
        try:
            with Pillow.open(path, formats=["PNG"]) as picture:
                image = Image(np.asarray(picture))
        except (OSError, ValueError, SyntaxError) as error:
            raise ImageError(f"{path} is damaged. Delete it and add the picture again.") from error
        if image.digest != digest:
            raise ImageError(f"{path} was changed. Delete it and add the picture again.")
        return image

    def __contains__(self, digest: object) -> bool:
        if self.root is None:
            return digest in self._memory
        name = isinstance(digest, str) and re.fullmatch("[0-9a-f]{64}", digest)
        return bool(name) and self.path(str(digest)).is_file()

    def path(self, digest: str) -> Path:
        """Return where a picture lies, or would lie, below the store's folder."""
        return (self.root or Path()) / f"{digest[:2]}/{digest}.png"


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A value under its handle; ``source`` is "user" or the id of the call that made it."""

    handle: str
    value: Value
    source: str = "user"

    @property
    def kind(self) -> str:
        return self.value.kind

    def save(self, path: str | Path) -> None:
        """Write a picture to a file, in the format that the suffix names."""
        if not isinstance(self.value, Image):
            raise SetupError(f"{self.handle} is {self.kind}, only images are saved as files.")
        self.value.save(path)


class Artifacts:
    """One session's values by handle, in the order in which they came. Entries never change."""

    def __init__(self, store: ArtifactStore | None = None) -> None:
        self.store = store or ArtifactStore()
        self._entries: dict[str, Artifact] = {}
        self._counts: dict[str, int] = {}  # by kind
        self._lock = threading.Lock()

    def add(self, value: Value, *, source: str = "user") -> str:
        """Take a value in and return its handle."""
        if isinstance(value, Image):
            self.store.put(value)
        with self._lock:
            number = self._counts[value.kind] = self._counts.get(value.kind, 0) + 1
            handle = f"{PREFIXES[value.kind]}_{number}"
            self._entries[handle] = Artifact(handle=handle, value=value, source=source)
        return handle

    def copy(self) -> Artifacts:
        """Return the values as they are now, under the same handles."""
        copy = Artifacts(self.store)
        with self._lock:
            copy._entries, copy._counts = self._entries.copy(), self._counts.copy()
        return copy

    def handles(self, kind: str | None = None) -> tuple[str, ...]:
        """Return the handles, or those of one kind, oldest first."""
        entries = tuple(self._entries.values())
        return tuple(entry.handle for entry in entries if kind in (None, entry.kind))

    def items(self) -> Iterable[tuple[str, Artifact]]:
        return tuple(self._entries.items())

    def __getitem__(self, handle: str) -> Artifact:
        try:
            return self._entries[handle]
        except KeyError:
            there = ", ".join(self._entries) or "none yet"
            raise SkillError(f"No handle {handle!r}. There are: {there}.") from None

    def __contains__(self, handle: object) -> bool:
        return handle in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def to_json(self) -> list[dict[str, Any]]:
        """Return plain JSON; the pixels stay in the store."""
        return [
            {"handle": entry.handle, "source": entry.source, "value": value_to_json(entry.value)}
            for entry in self._entries.values()
        ]

    @classmethod
    def from_json(cls, data: Iterable[Mapping[str, Any]], store: ArtifactStore) -> Artifacts:
        """Build a session's values again, with the pictures that the store holds."""
        artifacts = cls(store)
        for entry in data:
            value = value_from_json(entry["value"], store.get)
            handle = artifacts.add(value, source=entry["source"])
            if handle != entry["handle"]:
                raise ValueError(f"Handles out of order: wanted {handle}, got {entry['handle']}.")
        return artifacts


def write_whole(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write beside the place and move there, so that nobody ever reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
