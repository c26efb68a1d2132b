"""A small process that ends the workers when their parent is gone, however it went.

It reads from a pipe which workers there are. The pipe closes when the parent ends, also by
``kill -9``; then the keeper kills what is left, with all that it started, and deletes its folders.
A worker itself could not be relied on for that: its code may be stuck where nothing else runs.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import suppress


class Keeper:
    """The parent's side: start it, tell it of workers, let it go."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}  # process group, folder
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def ready(self) -> None:
        """Start it if it does not run."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._start()

    def add(self, group: int, folder: str) -> None:
        """Watch over a process group and a folder from now on."""
        with self._lock:
            self._known[group] = folder
            self._tell(f"+ {group} {folder}")

    def forget(self, group: int) -> None:
        """Leave alone a process group that has ended."""
        with self._lock:
            if self._known.pop(group, None) is not None:
                self._tell(f"- {group}")

    def close(self) -> None:
        """Let it end all that it still watches over, and wait for that."""
        with self._lock:
            self._known.clear()
            if self._process is not None and self._process.stdin is not None:
                with suppress(BrokenPipeError):
                    self._process.stdin.close()
                self._process.wait()

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        for group, folder in self._known.items():
            self._tell(f"+ {group} {folder}")

    def _tell(self, line: str) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # somebody killed it; the next worker starts another one
            self._process.stdin.write(os.fsencode(line) + b"\n")
            self._process.stdin.flush()


def main() -> None:
    """Read until the parent is gone, then end what it has left."""
    known: dict[int, bytes] = {}
    for line in sys.stdin.buffer:
        sign, group, *folder = line.rstrip(b"\n").split(b" ", 2)
        if sign == b"+":
            known[int(group)] = folder[0]
        else:
            known.pop(int(group), None)
    for group_id, folder_name in known.items():
        with suppress(OSError):
            os.killpg(group_id, signal.SIGKILL)
        shutil.rmtree(folder_name, ignore_errors=True)


if __name__ == "__main__":
    main()
