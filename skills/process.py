"""One worker process, as its parent sees it: started, called, watched and killed."""

import contextlib
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from llava_plus.errors import SetupError

from .keeper import Keeper
from .origin import Origin
from .outcome import Failed
from .protocol import Message, ProtocolError, encode_args, receive, send
from .spec import SkillSpec

_log = logging.getLogger(__name__)

LOAD_LIMIT = 120.0  # seconds for the process to start and to import the skill
_POLL = 0.05  # seconds between looks at the clock and at the person's wish to stop
_LINE = 2000  # bytes of a printed line that are logged as one
_STATM = Path("/proc/self/statm").exists()  # Linux
_LOOK = 0.05 if _STATM else 0.5  # seconds between looks at the memory
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[3]); "
    "from llava_plus.skills.worker_main import main; main(int(sys.argv[1]), float(sys.argv[2]))"
)


class Unstarted(Exception):  # noqa: N818
    """The process had ended before it could take the call; another one can."""


class Worker:
    """A process that runs calls, one at a time, in a process group and a folder of its own.

    It is a new interpreter, not a fork, and it imports what this one can import. What it prints
    goes to the log. Only one thread at a time may use or end it.

    Args:
        home: What the skills have in common that it runs; see ``Origin.home``.
        keeper: Ends it if this process is killed.
        idle: Seconds without a call after which it ends by itself.
        silent: Called from another thread when it has closed its output.
    """

    def __init__(
        self, home: str, keeper: Keeper, *, idle: float, silent: Callable[["Worker"], None]
    ) -> None:
        self.home = home
        self._used = False
        self._keeper = keeper
        self._folder = tempfile.mkdtemp(prefix="llava-plus-worker-")
        self._connection, theirs = socket.socketpair()
        self._connection.settimeout(_POLL)
        try:
            keeper.ready()
            with theirs:
                self._process = _started(theirs.fileno(), idle, self._folder)
        except OSError as error:
            self._connection.close()
            shutil.rmtree(self._folder, ignore_errors=True)
            raise SetupError(
                f"Cannot start a process for a skill: {error.strerror or error}. "
                "Close other programs, or raise the limit on processes."
            ) from error
        keeper.add(self.pid, self._folder)
        threading.Thread(
            target=self._hand_on, args=(silent,), name=f"output of {self.pid}", daemon=True
        ).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(
        self, spec: SkillSpec, origin: Origin, args: Mapping[str, Any], stop: threading.Event
    ) -> Message:
        """Send a call and wait for the answer; after anything else than an answer, end it.

        Raises:
            Failed: Its time or memory is used up, ``stop`` is set, or the process has ended.
            Unstarted: The process had ended while nobody needed it.
        """
        watch = _Watch(spec, self.pid, stop)
        used, self._used = self._used, True
        words, pictures = encode_args(args, spec)
        try:
            request = {"origin": asdict(origin), "args": words}
            send(self._connection, request, pictures, watch.check)
            answer = receive(self._connection, watch.check)
            if answer[0].get("state") == "running":
                watch.begin()
                answer = receive(self._connection, watch.check)
        except (EOFError, ConnectionError) as error:
            if used and not watch.running:
                raise Unstarted from error
            raise _bug(spec, f"its process ended, {_ending(self.end())}") from error
        except ProtocolError as error:
            raise _bug(spec, str(error)) from error
        return answer

    def kill(self) -> None:
        """Kill the process and all that it has started; whoever is calling it notices."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # it has just ended
                os.killpg(self.pid, signal.SIGKILL)

    def end(self) -> int:
        """Kill it, tidy up after it, and return its exit code."""
        self.kill()
        code = self._process.wait()
        self._keeper.forget(self.pid)
        self._connection.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        return code

    def _hand_on(self, silent: Callable[["Worker"], None]) -> None:
        """Write what the process prints to the log."""
        assert self._process.stdout is not None
        name = f"{Path(self.home).name}, process {self.pid}"
        with self._process.stdout as output:
            while line := output.readline(_LINE):
                _log.info("%s: %s", name, line.decode(errors="replace").rstrip())
        silent(self)


class _Watch:
    """Ends the waiting for a call by an exception when it must not go on."""

    def __init__(self, spec: SkillSpec, pid: int, stop: threading.Event) -> None:
        self._spec, self._pid, self._stop = spec, pid, stop
        self.running = False
        self._limit = LOAD_LIMIT
        self._until = time.monotonic() + LOAD_LIMIT
        self._next_look = 0.0

    def begin(self) -> None:
        """Count the time of the skill from now on."""
        self.running = True
        self._limit = self._spec.time_limit
        self._until = time.monotonic() + self._limit

    def check(self) -> None:
        now, name = time.monotonic(), self._spec.name
        if self._stop.is_set():
            raise Failed("cancelled", f"{name} was cancelled.")
        if now > self._until:
            raise out_of_time(name, self._limit)
        if now < self._next_look:
            return
        self._next_look = now + _LOOK
        if memory_of(self._pid) > self._spec.memory_limit:
            limit = f"{self._spec.memory_limit} MiB"
            raise Failed("memory", f"{name} ran out of memory ({limit}). Try a smaller picture.")


def out_of_time(name: str, limit: float) -> Failed:
    """Say that a skill has had its seconds."""
    return Failed("time", f"{name} ran out of time ({limit:g} s). Try a smaller picture.")


def memory_of(pid: int, *, statm: bool = _STATM) -> float:
    """Return the MiB of memory that a process holds; 0 where it has ended.

    Args:
        pid: The process.
        statm: Ask /proc, which Linux has, and not ``ps``.
    """
    if not statm:
        told = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True)
        return int(told.stdout or 0) / 1024  # ps says KiB
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _started(descriptor: int, idle: float, folder: str) -> subprocess.Popen[bytes]:
    paths = json.dumps([str(Path(path).absolute()) for path in sys.path])
    python = [sys.executable, "-u", "-X", "faulthandler"]
    return subprocess.Popen(
        [*python, "-c", _START, str(descriptor), str(idle), paths],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[descriptor],
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "utf-8:backslashreplace"},
        start_new_session=True,
    )


def _bug(spec: SkillSpec, why: str) -> Failed:
    _log.error("skill %s: %s", spec.name, why)
    return Failed("bug", f"{spec.name} broke: a bug in the skill ({why}). Try another way.")


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
