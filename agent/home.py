"""The one directory in which all stays that is kept, and who may work in it."""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llava_plus.errors import SetupError

VARIABLE = "LLAVA_PLUS_HOME"


class StoreError(SetupError):
    """Something could not be kept or read again; what was kept before is still there."""


def data_home() -> Path:
    """Return where data lies: LLAVA_PLUS_HOME, else where this system keeps such things."""
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "llava-plus"
    shared = Path(os.environ.get("XDG_DATA_HOME", ""))  # to be ignored where it is not absolute
    base = shared if shared.is_absolute() else Path.home() / ".local" / "share"
    return base / "llava-plus"


class Home:
    """The layout: ``sessions/ID/`` for each session, ``pictures/`` for all of them.

    The results of slow skills may lie beside them, in ``cache/``; see `ResultCache`.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = Path(root).expanduser().resolve()
        self.pictures = self.root / "pictures"
        self.sessions = self.root / "sessions"

    def folder(self, id: str) -> Path:
        """Return a session's folder, whether or not it is there."""
        safe = id.replace("-", "").replace("_", "").isalnum() and id.isascii() and id[0] != "-"
        if not (safe and len(id) <= 64):
            raise SetupError(
                f"A session cannot be called {id[:80]!r}. Use up to 64 letters, digits, - and _."
            )
        return self.sessions / id

    @contextmanager
    def adding_pictures(self) -> Iterator[None]:
        """Keep others from deleting pictures meanwhile; many may add at once."""
        with self._pictures_locked(fcntl.LOCK_SH):
            yield

    @contextmanager
    def deleting_pictures(self) -> Iterator[None]:
        """Keep others from adding pictures meanwhile."""
        with self._pictures_locked(fcntl.LOCK_EX):
            yield

    @contextmanager
    def _pictures_locked(self, how: int) -> Iterator[None]:
        make_folder(self.root)
        with unwritable(self.root):
            lock = os.open(self.root / "pictures.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, how)
            yield
        finally:
            os.close(lock)


def make_folder(path: Path) -> None:
    """Make a folder that only its owner can look into."""
    with unwritable(path):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def unwritable(path: Path) -> Iterator[None]:
    """Say it in a sentence where a folder cannot be written."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"Cannot keep sessions in {path}: {error.strerror or error}. Make room or make it "
            f"writable, or choose another folder with {VARIABLE}."
        ) from error


def hold(folder: Path) -> int:
    """Take a session's folder for this process alone; return what `os.close` gives back.

    The system gives it back, too, when the process ends, however it ends.
    """
    path = folder / "lock"
    while True:
        with unwritable(folder):
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(lock)
            raise StoreError(
                f"Session {folder.name} is open already, in process {holder}. "
                "Go on there, or close it first."
            ) from None
        if _still_there(lock, path):
            os.ftruncate(lock, 0)
            os.write(lock, str(os.getpid()).encode())
            return lock
        os.close(lock)  # somebody deleted the session in between


def _still_there(lock: int, path: Path) -> bool:
    try:
        return os.fstat(lock).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
