"""Worker processes shared by all sessions of this process: few, warm, and killed when they must."""

import atexit
import os
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any

from llava_plus.errors import SetupError, SkillError

from .keeper import Keeper
from .origin import Origin
from .outcome import Broke, Failed
from .process import Unstarted, Worker
from .protocol import Message, ProtocolError, decode_value
from .spec import SkillSpec
from .values import Value

# Of the call that runs in this context: set when nobody waits for it any more.
GIVEN_UP: ContextVar[threading.Event] = ContextVar("GIVEN_UP")
_POLL = 0.05  # seconds between looks at the wish to stop while all workers are busy


class WorkerPool:
    """Processes for skills, made when needed, kept for the next call, ended when idle.

    A file of a person has workers of its own, so that what it changes in its process reaches no
    other skill. A worker whose call runs out of time or memory, or is cancelled, is killed with
    all that it has started; the next call gets another worker, so a late result has nobody to
    reach. All end with this process, also when it is killed.

    Not covered: a skill has the rights of the person who started the program. It can write where
    that person can, reach the network, and leave things behind in its own process for later calls
    of the same file. Memory is that of the worker alone, not of processes that it starts.

    Args:
        limit: Processes at most; as many as there are processors, but 2 to 4, if left out.
        idle: Seconds without a call after which a process ends.
    """

    def __init__(self, *, limit: int | None = None, idle: float = 60.0) -> None:
        self._limit = limit or min(max(os.cpu_count() or 2, 2), 4)
        self._idle_seconds = idle
        self._idle: list[Worker] = []  # the longest idle first
        self._busy: set[Worker] = set()
        self._starting = 0
        self._closed = False
        self._changed = threading.Condition()
        self._keeper = Keeper()
        self._owner = os.getpid()

    def run(
        self, spec: SkillSpec, origin: Origin, args: Mapping[str, Any], stop: threading.Event
    ) -> Value:
        """Run a skill in a worker and wait for what it returns.

        Args:
            spec: The skill; its time counts from when the function begins.
            origin: Where the worker finds it.
            args: Checked arguments.
            stop: Set by whoever gives up waiting; the worker is killed then.

        Raises:
            Failed: It ran out of time or memory, was stopped, or its process ended.
            Broke: The skill raised something, or returned what it had not promised.
            SkillError: What the skill says to the planner.
            SetupError: What it says to the person, or no process could be started.
        """
        while True:
            worker = self._take(origin.home, stop)
            try:
                answer = worker.run(spec, origin, args, stop)
            except Unstarted:
                self._end(worker)
            except BaseException:
                self._end(worker)
                raise
            else:
                self._give_back(worker)
                return _value(answer)

    def pids(self) -> tuple[int, ...]:
        """Return the ids of the processes that there are."""
        with self._changed:
            return tuple(worker.pid for worker in (*self._idle, *self._busy))

    def close(self) -> None:
        """End all processes, also busy ones."""
        if os.getpid() != self._owner:  # a fork of the owner
            return
        with self._changed:
            self._closed = True
            idle, self._idle = self._idle, []
            busy = tuple(self._busy)
            self._changed.notify_all()
        for worker in busy:
            worker.kill()  # whoever waits for it ends it
        for worker in idle:
            worker.end()
        self._keeper.close()

    def _take(self, home: str, stop: threading.Event) -> Worker:
        """Wait for a worker of that home: an idle one, or a new one in a free place."""
        with self._changed:
            while True:
                if stop.is_set() or self._closed:
                    raise Failed("cancelled", "The call was cancelled.")
                fitting = [each for each in self._idle if each.home == home]
                worker = fitting[-1] if fitting else None  # the others may grow old and end
                if worker is not None:
                    self._idle.remove(worker)
                    self._busy.add(worker)
                    return worker
                total = len(self._idle) + len(self._busy) + self._starting
                if total < self._limit or self._idle:
                    old = self._idle.pop(0) if total >= self._limit else None
                    self._starting += 1
                    break
                self._changed.wait(_POLL)
        if old is not None:
            old.end()
        return self._start(home)

    def _start(self, home: str) -> Worker:
        worker = None
        try:
            worker = Worker(home, self._keeper, idle=self._idle_seconds, silent=self._drop)
            return worker
        finally:
            with self._changed:
                self._starting -= 1
                if worker is not None:
                    self._busy.add(worker)
                self._changed.notify_all()

    def _give_back(self, worker: Worker) -> None:
        with self._changed:
            self._busy.discard(worker)
            if not self._closed:
                self._idle.append(worker)
            self._changed.notify_all()
        if self._closed:
            worker.end()

    def _end(self, worker: Worker) -> None:
        worker.end()
        with self._changed:
            self._busy.discard(worker)
            self._changed.notify_all()

    def _drop(self, worker: Worker) -> None:
        """Forget a worker that has ended while idle; of a busy one, its call takes care."""
        with self._changed:
            if worker not in self._idle:
                return
            self._idle.remove(worker)
            self._changed.notify_all()
        worker.end()


def default_pool() -> WorkerPool:
    """Return the pool of this process, which ends with it."""
    return _pool_of(os.getpid())


@cache
def _pool_of(pid: int) -> WorkerPool:
    del pid  # a fork gets a pool of its own
    pool = WorkerPool()
    atexit.register(pool.close)
    return pool


def _value(answer: Message) -> Value:
    words, pictures = answer
    match words:
        case {"state": "value", "value": dict(data)}:
            try:
                return decode_value(data, pictures)
            except ProtocolError as error:
                raise Broke("returned a value that cannot be read", str(error)) from error
        case {"state": "refused", "whose": "setup", "text": str(text)}:
            raise SetupError(text)
        case {"state": "refused", "text": str(text)}:
            raise SkillError(text)
        case {"state": "broke", "kind": str(kind), "details": str(details)}:
            raise Broke(kind, details)
    raise Broke("sent no answer", str(words)[:200])
