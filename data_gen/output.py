"""A folder that is written once: half written until its manifest is there, which comes last."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from llava_plus.errors import SetupError
from llava_plus.skills import Image
from llava_plus.skills.store import write_whole

from .folders import MANIFEST, UNFINISHED

FORMAT = 1
SHARD = 1000  # lines


class Output:
    """The files of a folder, counted while they are written.

    From the start to `finish` a file ``unfinished`` lies there. A folder that an interrupted run
    has left is begun again from its start; pictures in it stay, since they are named by content.

    Args:
        folder: A new or an empty folder, or one that a run has left half written.

    Raises:
        SetupError: Something else is there, or it cannot be written.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser()
        self.files: list[dict[str, Any]] = []
        self._mark = self.folder / UNFINISHED
        with writing(self.folder):
            self._begin()

    def create(self, name: str) -> "Writing":
        """Begin a file; once it is closed it is on the disk, and counted for the manifest.

        Args:
            name: Its path within the folder.
        """
        with writing(self.folder):
            return Writing(self.reserve(name), name, self.files)

    def reserve(self, name: str) -> Path:
        """Note that a file will lie here, and make its folder; return its path.

        What another library writes there counts after `take`.
        """
        path = self.folder / name
        with writing(self.folder):
            with self._mark.open("a", encoding="utf-8") as mark:
                mark.write(f"{name}\n")
            path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def take(self, name: str) -> None:
        """Count a file that another library has written, now that it is whole."""
        path = self.folder / name
        with writing(self.folder), path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self.files.append({"name": name, "bytes": path.stat().st_size, "sha256": digest})

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Write the manifest; from now on the folder counts as whole."""
        manifest = {"format": FORMAT, **facts, "files": self.files}
        text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
        with writing(self.folder):
            write_whole(self.folder / MANIFEST, lambda file: file.write(text.encode()))
            self._mark.unlink()

    def _begin(self) -> None:
        if self.folder.is_file():
            raise SetupError(f"{self.folder} is a file. Name a new folder.")
        if (self.folder / MANIFEST).exists():
            raise SetupError(f"{self.folder} is there already. Name a new folder, or delete it.")
        if self._mark.exists():
            self._clear()
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise SetupError(f"{self.folder} is not empty. Name a new folder.")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._mark.write_text("", encoding="utf-8")

    def _clear(self) -> None:
        """Delete what an interrupted run has written."""
        for name in self._mark.read_text(encoding="utf-8").splitlines():
            path = (self.folder / name).resolve()
            if path.is_relative_to(self.folder.resolve()):
                path.unlink(missing_ok=True)


class Writing:
    """One file of an output, with its size and its checksum so far.

    Args:
        path: Where it lies.
        name: How the manifest calls it.
        done: The list to which its facts are added when it is whole.
    """

    def __init__(self, path: Path, name: str, done: list[dict[str, Any]]) -> None:
        self.name = name
        self.lines = self.bytes = 0
        self._hash = hashlib.sha256()
        self._file = path.open("wb")
        self._done = done

    def write(self, text: str) -> None:
        """Add text."""
        data = text.encode("utf-8", "replace")
        with writing(Path(self._file.name).parent):
            self._file.write(data)
        self._hash.update(data)
        self.lines += data.count(b"\n")
        self.bytes += len(data)

    def close(self) -> None:
        """Bring all of it to the disk."""
        with writing(Path(self._file.name).parent):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        facts = {"name": self.name, "lines": self.lines, "bytes": self.bytes}
        self._done.append({**facts, "sha256": self._hash.hexdigest()})

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self.close()
        else:
            with suppress(OSError):  # what broke off the work is told already
                self._file.close()


class Shards:
    """Lines in files of a bounded number of lines: ``traces-00000.jsonl`` and so on.

    Args:
        output: Where they go.
        stem: How their names begin; a folder may come before it.
        size: Lines of each file.
        suffix: How their names end.
    """

    def __init__(
        self, output: Output, stem: str = "traces", *, size: int = SHARD, suffix: str = ".jsonl"
    ) -> None:
        self.lines = 0
        self._output = output
        self._stem, self._suffix = stem, suffix
        self._size = size
        self._file: Writing | None = None

    def add(self, line: str) -> None:
        """Write a line, without its end."""
        if self.lines % self._size == 0:
            self.close()
            number = self.lines // self._size
            self._file = self._output.create(f"{self._stem}-{number:05d}{self._suffix}")
        assert self._file is not None
        self._file.write(f"{line}\n")
        self.lines += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self.close()
        elif self._file is not None:
            self._file.__exit__(kind)

    def close(self) -> None:
        """Bring the last file to the disk."""
        if self._file is not None:
            self._file.close()
            self._file = None


class PictureFiles:
    """Pictures as PNG files named by their content, each once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, image: Image) -> str:
        """Write a picture if it is not there yet; return the name of its file."""
        name = f"{image.digest}.png"
        path = self.folder / name
        if not path.exists():
            with writing(self.folder):
                write_whole(path, lambda file: image.to_pil().save(file, "PNG", compress_level=3))
        return name


@contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Say in a sentence why a folder cannot be written."""
    try:
        yield
    except OSError as error:
        raise SetupError(
            f"Cannot write to {folder}: {error.strerror or error}. Free some space there or name "
            "another folder, then run the same command again."
        ) from error
