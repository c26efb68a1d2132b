"""Folders of traces: line after line of every file, each with the pictures that belong to it."""

import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llava_plus.agent import Trace, data_home
from llava_plus.errors import SetupError
from llava_plus.skills import ArtifactStore, Image

MANIFEST, UNFINISHED = "manifest.json", "unfinished"
RECENT = 8  # pictures that stay in memory
COUNTS = ("seen", "kept", "dropped", "raised")  # of a yield
PICTURES, DROPPED = "artifacts", "dropped"  # folders beside the files
WANTED = (
    "Wanted a folder with traces in *.jsonl files or in trace.json, as "
    "`llava-plus sessions export` and `llava-plus data` write them."
)


class RecentPictures(ArtifactStore):
    """A store on disk that need not read again what it has read of late: traces share pictures."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._recent: OrderedDict[str, Image] = OrderedDict()

    def get(self, digest: str) -> Image:
        """Return a picture, see `ArtifactStore.get`."""
        picture = self._recent.pop(digest, None)
        if picture is None:
            picture = super().get(digest)
        self._recent[digest] = picture
        if len(self._recent) > RECENT:
            self._recent.popitem(last=False)
        return picture


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A line that is no trace, or one whose pictures are missing."""

    where: str  # file and line
    why: str
    line: str


class TraceFolder:
    """All traces below a folder, read one at a time; what was dropped before is left out.

    Shards with a manifest are checked against its checksums. The pictures of a trace lie in
    ``artifacts`` beside its file or one folder higher, in a folder that is given, or among those
    of the kept sessions.

    Args:
        path: The folder.
        pictures: Further folders of pictures, by content as `ArtifactStore` keeps them.

    Raises:
        SetupError: It is missing, a file, empty, or what an interrupted run has left.
    """

    def __init__(self, path: str | Path, *, pictures: Sequence[Path] = ()) -> None:
        self.path = Path(path).expanduser()
        self.files = tuple(_files(self.path))
        self.bytes = sum(file.stat().st_size for file in self.files)
        self.done = 0  # bytes that were read so far
        self._more = pictures

    def read(self) -> Iterator[Trace | Problem]:
        """Yield what each line holds; a file is checked before its first line is given out."""
        self.done = 0
        for file in self.files:
            _check(file)
            stores = stores_beside(file, self._more)
            with file.open("rb") as lines:
                for number, raw in enumerate(lines, 1):
                    self.done += len(raw)
                    if raw.strip():
                        yield read_line(raw, f"{file.relative_to(self.path)}:{number}", stores)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what a finished output says of itself; nothing where there is no manifest of ours.

    Raises:
        SetupError: It is damaged.
    """
    path = folder / MANIFEST
    if not path.exists():
        return {}
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "it is damaged"
        raise SetupError(f"Cannot read {path}: {why}. Make that folder again.") from error
    return found if isinstance(found, dict) and isinstance(found.get("files"), list) else {}


def yields_of(folder: Path) -> list[dict[str, Any]]:
    """Return what verifiers let through when a folder was made; nothing where none did."""
    found = read_manifest(folder).get("yields")
    rows = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return [
        {"name": str(row.get("name")), **{column: row[column] for column in COUNTS}}
        for row in rows
        if all(isinstance(row.get(column), int) for column in COUNTS)
    ]


def _checksums(folder: Path) -> dict[str, str]:
    files = read_manifest(folder).get("files", [])
    return {str(one.get("name")): str(one.get("sha256")) for one in files if isinstance(one, dict)}


def _files(root: Path) -> Iterator[Path]:
    if not root.exists():
        raise SetupError(f"There is no folder {root}. {WANTED}")
    if not root.is_dir():
        raise SetupError(f"{root} is a file. Name the folder that it lies in. {WANTED}")
    found = False
    for place, folders, names in os.walk(root):
        folders[:] = sorted(n for n in folders if n not in (PICTURES, DROPPED) and n[0] != ".")
        if UNFINISHED in names and MANIFEST not in names:
            raise SetupError(
                f"{place} is only half written: the command that makes it was interrupted. "
                "Run that command again."
            )
        for name in _checksums(Path(place)):
            if "/" not in name and name not in names:
                raise SetupError(f"{place} lacks {name}, which its manifest names. Copy it again.")
        for name in sorted(names):
            if name.endswith(".jsonl") or name == "trace.json":
                found = True
                yield Path(place, name)
    if not found:
        raise SetupError(f"There are no traces in {root}. {WANTED}")


def _check(file: Path) -> None:
    """Compare a shard with its manifest, where there is one."""
    wanted = _checksums(file.parent).get(file.name)
    if wanted is None:
        return
    with file.open("rb") as shard:
        digest = hashlib.file_digest(shard, "sha256").hexdigest()
    if wanted != digest:
        raise SetupError(
            f"{file} was changed or cut short since its manifest was written. "
            "Copy it again, or make that folder again."
        )


def stores_beside(file: Path, more: Sequence[Path] = ()) -> list[ArtifactStore]:
    """Return where the pictures of a file's traces may lie; ``more`` names further folders."""
    folders = [file.parent / PICTURES, file.parent.parent / PICTURES]
    return [RecentPictures(folder) for folder in (*folders, *more, data_home() / "pictures")]


def read_line(raw: bytes, where: str, stores: Sequence[ArtifactStore]) -> Trace | Problem:
    """Return what a line holds, with the pictures of the first of the stores that has them."""
    line = raw.decode("utf-8", "replace").strip()
    try:
        digests = _digests(json.loads(line))
        whole = (store for store in stores if all(digest in store for digest in digests))
        if (store := next(whole, None)) is None:
            return Problem(where=where, why=_missing(digests, stores), line=line)
        return Trace.from_json(line, store)
    except RecursionError:
        return Problem(where=where, why="It is nested too deeply to be a trace.", line=line)
    except ValueError as error:
        return Problem(where=where, why=f"It is not JSON: {error}.", line=line)
    except SetupError as error:
        return Problem(where=where, why=str(error), line=line)


def _digests(fields: Any) -> set[str]:
    """Return the pictures that a trace needs; of what is no trace, as many as can be told."""
    artifacts = fields.get("artifacts") if isinstance(fields, dict) else None
    listed = artifacts if isinstance(artifacts, list) else []
    values = [one.get("value") for one in listed if isinstance(one, dict)]
    pictures = [one for one in values if isinstance(one, dict) and one.get("kind") == "image"]
    return {str(one.get("digest")) for one in pictures}


def _missing(digests: set[str], stores: Sequence[ArtifactStore]) -> str:
    best = max(stores, key=lambda store: sum(digest in store for digest in digests))
    gone = sorted(digest for digest in digests if digest not in best)
    return (
        f"{len(gone)} of its {len(digests)} pictures are missing ({gone[0][:12]}… is one). "
        f"Put the folder {PICTURES!r} beside the file, or name another with --pictures; chats keep "
        "their pictures with `llava-plus chat --session NAME`."
    )
