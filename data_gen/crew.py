"""Who makes the parts of a run: this process, several processes, or Ray Data."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path

from llava_plus.errors import LlavaPlusError, SetupError

from .recipe import Recipe
from .workshop import Job, Workshop
from .writing import SpentError

# Libraries that would each take all cores look at one of these when they are loaded.
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
STARTS = 3  # how often in a row a process may end before its first item
Jobs = Callable[[], Job | None]  # the next part to make; none while there is nothing to do
Tick = Callable[[], object]
Crew = Generator[Path, None, None]  # the files of parts, as they are made


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What every process of a run opens."""

    recipe: Recipe
    out: Path
    cache: Path | None

    def open(self) -> Workshop:
        """Open it here, with one thread for each library."""
        if find_spec("cv2"):
            import cv2

            cv2.setNumThreads(1)
        return Workshop(self.recipe, self.out, self.cache)


def here(setup: Setup, jobs: Jobs, tick: Tick) -> Crew:
    """Make the parts in this process, one after the other; yield their files."""
    workshop = setup.open()
    try:
        while (job := jobs()) is not None:
            yield workshop.make(job, lambda index: tick())
    finally:
        workshop.close()


def processes(setup: Setup, jobs: Jobs, tick: Tick, *, workers: int) -> Crew:
    """Make the parts in processes of their own; yield their files as they come.

    A process that ends in the middle of an item, by a crash or for want of memory, costs that item;
    another one goes on with its part. Not covered: one that neither ends nor gets on.

    Raises:
        SetupError: A process could not begin, or something cannot be read or written.
        SpentError: A writer's budget is used up.
    """
    crew = [_Worker(setup) for _ in range(workers)]
    try:
        while True:
            for worker in crew:
                worker.take_up(jobs)
            busy = {worker.connection: worker for worker in crew if worker.job is not None}
            if not busy:
                return
            for ready in wait(list(busy)):
                assert isinstance(ready, Connection)
                done = busy[ready].hear()
                tick()
                if done is not None:
                    busy[ready].take_up(jobs)  # it works while others look at what is done
                    yield done
    finally:
        for worker in crew:
            worker.end()


class _Worker:
    """A process that makes one part at a time, as its parent sees it."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self.job: Job | None = None
        self._at: int | None = None
        self._starts = 0
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process: SpawnProcess = context.Process(
            target=_work, args=(theirs, self._setup), daemon=True
        )
        with _one_thread():
            self._process.start()
        theirs.close()  # so that its end is heard here

    def take_up(self, jobs: Jobs) -> None:
        """Let it make the next part, if there is one and it makes none."""
        if self.job is None and (job := jobs()) is not None:
            self.give(job)

    def give(self, job: Job) -> None:
        """Let it make a part."""
        self.job, self._at = job, None
        with suppress(OSError):  # it has ended; that is heard next
            self.connection.send(job)

    def hear(self) -> Path | None:
        """Take in what it says; return the file of a part that is done."""
        try:
            kind, said = self.connection.recv()
        except (EOFError, ConnectionError):
            self._replace()
            return None
        match kind:
            case "at":
                self._at, self._starts = said, 0
            case "done":
                self.job = None
                return Path(said)
            case "spent":
                raise SpentError(said)
            case "setup":
                raise SetupError(said)
        return None

    def _replace(self) -> None:
        """Put another process in its place, which passes over the item that ended this one."""
        job = self.job
        self.end()
        code = self._process.exitcode
        if self._at is None:
            self._starts += 1
            if self._starts >= STARTS:
                raise SetupError(
                    f"A process of the run ended {STARTS} times before it began (exit code "
                    f"{code}). Run with --workers 1 to see why."
                )
        elif job is not None:
            words = f"the process that worked on it ended (exit code {code})"
            job = replace(job, passed_over=(*job.passed_over, (self._at, words)))
        self._start()
        if job is not None:
            self.give(job)

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()
        self.connection.close()


def _work(connection: Connection, setup: Setup) -> None:
    """Make parts until the parent is gone or says no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to hear
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        workshop = setup.open()
        while True:
            job: Job = connection.recv()
            path = workshop.make(job, lambda index: connection.send(("at", index)))
            connection.send(("done", str(path)))
    except SpentError as error:
        connection.send(("spent", str(error)))
    except LlavaPlusError as error:
        connection.send(("setup", str(error)))
    except EOFError:
        pass


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let a process that is started meanwhile use one thread for each library."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
