"""What calls have returned, on disk, by the content of the call, up to a number of bytes."""

import hashlib
import json
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from llava_plus.errors import SetupError

from .origin import code_digest, origin_of
from .outcome import VALUES
from .pixels import Image
from .protocol import plain
from .spec import SkillSpec
from .store import ArtifactStore, write_whole
from .values import Value, value_from_json, value_to_json

_log = logging.getLogger(__name__)
_ANY: TypeAdapter[Any] = TypeAdapter(Any)
_BLOCK = 4096  # bytes: the least that a file takes on a disk


class ResultCache:
    """Results in a folder: values as JSON, pictures as PNG; the least recently used go first.

    Each entry holds its own checksum, and a picture is checked by its digest: what is damaged is
    deleted and counts as not there. Files are only ever written whole, so several processes can
    use one folder; each may write a tenth of the cap before it notices what the others wrote.
    A disk that is full or cannot be written costs no call anything but the memory of it.

    Args:
        root: The folder; made when it is first needed, readable by its owner only.
        cap: Bytes that the files may take.
        worth: Seconds; what took less is not kept, since reading it would take as long.
    """

    quick = False  # whether nothing else waits meanwhile, so that no thread is needed to look

    def __init__(self, root: Path, *, cap: int = 1_000_000_000, worth: float = 0.2) -> None:
        self.root = root
        self.cap = cap
        self.worth = worth
        self._pictures = ArtifactStore(root / "pictures")
        self._total = cap  # unknown: the first result is a reason to look
        self._unseen = 0  # written since the last look
        self._lock = threading.Lock()

    def find(self, spec: SkillSpec, key: str) -> Value | None:
        """Return the result of a call that ``call_key`` names, as the skill's code is now."""
        lasting = _lasting(spec, key)
        return self.get(lasting) if lasting else None

    def keep(self, spec: SkillSpec, key: str, value: Value, seconds: float) -> None:
        """Keep the result of a call, if it took long enough."""
        lasting = _lasting(spec, key) if seconds >= self.worth else ""
        if lasting:
            self.put(lasting, value)

    def get(self, key: str) -> Value | None:
        """Return the result of a call, if it is there and whole."""
        path = self._path(key)
        entry: dict[str, Any] = {}
        try:
            checksum, text = path.read_text(encoding="utf-8").split("\n", 1)
            if checksum != _sha256(text):
                raise ValueError("its checksum is wrong")
            entry = json.loads(text)
            value = value_from_json(entry, self._pictures.get)
        except FileNotFoundError:
            return None
        except Exception as error:  # a decoder raises whatever a damaged file makes it raise
            _log.warning("dropped a result from %s: %s", path, error)
            self._drop(path, entry)
            return None
        for used in self._files_of(path, entry):
            with suppress(OSError):  # another process has just deleted it
                os.utime(used)
        return value

    def put(self, key: str, value: Value) -> None:
        """Keep a result."""
        entry = value_to_json(value)
        path = self._path(key)
        try:
            text = json.dumps(entry, default=plain)
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if isinstance(value, Image):
                self._pictures.put(value)
            write_whole(path, lambda file: file.write(f"{_sha256(text)}\n{text}".encode()))
            self._make_room(sum(_size(file) for file in self._files_of(path, entry)))
        except (OSError, SetupError, TypeError, ValueError) as error:
            _log.warning("a result was not kept in %s: %s", self.root, error)

    def size(self) -> int:
        """Return the bytes that all files take now."""
        return sum(size for _, size, _ in self._files())

    def _make_room(self, written: int) -> None:
        """Count what was written; when it is too much, delete the least recently used."""
        with self._lock:
            self._total += written
            self._unseen += written
            if self._total <= self.cap and self._unseen <= self.cap // 10:
                return
            files = sorted(self._files())
            self._unseen, self._total = 0, sum(size for _, size, _ in files)
            if self._total <= self.cap:
                return
            for _, size, path in files:
                path.unlink(missing_ok=True)
                self._total -= size
                if self._total <= self.cap * 9 // 10:
                    return

    def _files(self) -> Iterator[tuple[int, int, Path]]:
        """Yield time of last use, size and place of every file; others may delete meanwhile."""
        for path in self.root.rglob("*"):
            with suppress(FileNotFoundError):
                if path.is_file():
                    yield path.stat().st_mtime_ns, _size(path), path

    def _files_of(self, path: Path, entry: Mapping[str, Any]) -> list[Path]:
        digest = entry.get("digest")
        return [path, self._pictures.path(digest)] if isinstance(digest, str) else [path]

    def _drop(self, path: Path, entry: Mapping[str, Any]) -> None:
        for file in self._files_of(path, entry):
            with suppress(OSError):
                file.unlink()

    def _path(self, key: str) -> Path:
        return self.root / f"results/{key[:2]}/{key}.json"


def call_key(spec: SkillSpec, args: Mapping[str, Any]) -> str:
    """Name a call by content. An image counts with its facts, which skills can read too."""
    inputs = {
        name: value_to_json(given)
        if isinstance(given, VALUES)
        else _ANY.dump_python(given, mode="json")
        for name, given in args.items()
    }
    names = [spec.name, spec.version, spec.backend, inputs]
    return _sha256(json.dumps(names, sort_keys=True))


def _lasting(spec: SkillSpec, key: str) -> str:
    """Name a call together with the code behind it; nothing where that cannot be told."""
    try:
        origin = origin_of(spec)
        return _sha256(f"{key} {code_digest(origin)}") if origin else ""
    except (SetupError, OSError):
        return ""


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _size(path: Path) -> int:
    return -(-path.stat().st_size // _BLOCK) * _BLOCK
