"""The sessions that were kept: found, named, exported, deleted, and not kept for ever."""

import os
import shutil
import tempfile
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from llava_plus.errors import SetupError
from llava_plus.skills import Artifacts, ArtifactStore

from .home import Home, StoreError, data_home, hold
from .record import FILE, Record
from .trace import Trace, Turn

DAY = 86400.0  # seconds


@dataclass(frozen=True, kw_only=True)
class SessionInfo:
    """What a list shows of a session."""

    id: str
    title: str = ""  # its first request, or what a person called it
    changed: float = 0.0  # seconds since 1970
    turns: int = 0
    bytes: int = 0  # with all pictures that it uses, also those that others use too
    interrupted: bool = False  # a request was begun and is not over
    problem: str = ""  # why it cannot be read


@dataclass(frozen=True, kw_only=True)
class Retention:
    """How long sessions are kept; None is for ever. The oldest go first, never an open one."""

    days: float | None = None  # since they last changed
    bytes: int | None = None  # of all sessions with their pictures


class SessionStore:
    """All sessions of one data directory.

    Args:
        home: The directory; see `data_home`, which is meant if it is left out.
    """

    def __init__(self, home: str | Path | None = None) -> None:
        self.home = Home(data_home() if home is None else home)

    def infos(self) -> list[SessionInfo]:
        """Return what there is, the newest first; what cannot be read says why."""
        if not self.home.sessions.is_dir():
            return []
        ids = [path.name for path in self.home.sessions.iterdir() if (path / FILE).exists()]
        infos = [self._info(id) for id in ids]
        return sorted(infos, key=lambda info: (-info.changed, info.id))

    def trace(self, id: str) -> Trace:
        """Return all that has happened in a session."""
        with self._look(id) as record, record.understood():
            facts = record.facts()
            lines = [*record.table("turns").values()]
            lines += [facts["running"]["turn"]] if facts.get("running") else []
            store = ArtifactStore(self.home.pictures)
            return Trace(
                id=id,
                planner=facts.get("planner", ""),
                skills=facts.get("skills", {}),
                turns=tuple(Turn.model_validate(line) for line in lines),
                artifacts=Artifacts.from_json(record.table("artifacts").values(), store),
            )

    def rename(self, id: str, title: str) -> None:
        """Give a session another title."""
        if not (title := " ".join(title.split())):
            raise SetupError("The title is empty. Name the session in a few words.")
        with self._look(id) as record:
            record.note({"title": title})

    def export(self, id: str, target: str | Path) -> Path:
        """Write ``trace.json`` and the pictures.

        Args:
            id: Which session.
            target: A new folder, or a new file whose name ends in ``.zip``.
        """
        trace, target = self.trace(id), Path(target).expanduser()
        if target.exists():
            raise SetupError(f"{target} is there already. Choose another name.")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as name:
                folder = Path(name) / "session"
                folder.mkdir()
                trace.save(folder / "trace.json")
                whole = _zipped(folder) if target.suffix == ".zip" else folder
                whole.rename(target)
        except OSError as error:
            why = error.strerror or error
            raise SetupError(f"Cannot export to {target}: {why}. Choose another place.") from error
        return target

    def delete(self, id: str) -> int:
        """Delete a session and the pictures that no other one uses; return the bytes set free.

        While another session cannot be read, no pictures are deleted: it may use them.
        """
        folder = self.home.folder(id)
        if not folder.is_dir():
            raise self._unknown(id)
        held = hold(folder)
        try:
            return self._delete(id, folder)
        finally:
            os.close(held)

    def prune(self, retention: Retention) -> list[str]:
        """Delete what is too old or too much, the oldest first; return the ids."""
        oldest = [info for info in reversed(self.infos()) if not info.problem]
        deleted: list[str] = []
        total = _size(self.home.sessions) + _size(self.home.pictures)  # the cache has its own cap
        for info in oldest:
            old = retention.days is not None and info.changed < time.time() - retention.days * DAY
            much = retention.bytes is not None and total > retention.bytes
            if old or much:
                try:
                    total -= self.delete(info.id)
                except StoreError:  # it is open
                    continue
                deleted.append(info.id)
        return deleted

    def _info(self, id: str) -> SessionInfo:
        try:
            with self._look(id) as record:
                facts = record.facts()
                return SessionInfo(
                    id=id,
                    title=facts["title"],
                    changed=facts["changed"],
                    turns=record.count("turns"),
                    bytes=_size(record.folder) + sum(map(self._picture_size, record.pictures())),
                    interrupted=bool(facts.get("running")),
                )
        except (SetupError, KeyError) as error:
            folder = self.home.sessions / id
            return SessionInfo(id=id, bytes=_size(folder), problem=str(error))

    def _delete(self, id: str, folder: Path) -> int:
        before = _size(folder)
        with self.home.deleting_pictures():
            mine = self._pictures_of(id)
            others = [self._pictures_of(path.name) for path in self._folders() if path != folder]
            lonely: set[str] = set()
            if mine is not None and None not in others:
                lonely = mine.difference(*(digests for digests in others if digests is not None))
            try:
                for digest in lonely:
                    before += self._picture_size(digest)
                    self._picture(digest).unlink(missing_ok=True)
                shutil.rmtree(folder)
            except OSError as error:
                raise StoreError(
                    f"Cannot delete {folder}: {error.strerror or error}. Make it writable."
                ) from error
        return before

    def _pictures_of(self, id: str) -> set[str] | None:
        """Return the digests that a session uses, None if nobody can tell."""
        try:
            with self._look(id) as record:
                return record.pictures()
        except SetupError:
            return None

    def _folders(self) -> list[Path]:
        return [path for path in self.home.sessions.iterdir() if (path / FILE).exists()]

    def _picture(self, digest: str) -> Path:
        return ArtifactStore(self.home.pictures).path(digest)

    def _picture_size(self, digest: str) -> int:
        path = self._picture(digest)
        return path.stat().st_size if path.exists() else 0

    @contextmanager
    def _look(self, id: str) -> Iterator[Record]:
        if not (self.home.folder(id) / FILE).exists():
            raise self._unknown(id)
        record = Record(self.home, id, new=False, look=True)
        try:
            yield record
        finally:
            record.close()

    def _unknown(self, id: str) -> SetupError:
        return SetupError(
            f"There is no session {id!r} in {self.home.sessions}. "
            "`llava-plus sessions list` shows what there is."
        )


def _zipped(folder: Path) -> Path:
    whole = folder.with_suffix(".zip")
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return whole


def _size(folder: Path) -> int:
    """Return the bytes of all files below; what vanishes meanwhile counts nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += Path(place, name).stat().st_size
            except FileNotFoundError:
                continue
    return total
