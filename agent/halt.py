"""Ending a turn early: by the person, from any thread, or by the clock."""

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal, TypeVar

T = TypeVar("T")
GRACE = 2.0  # seconds that work gets to end once it must; then it is left behind


class HaltedError(Exception):
    """The work was given up because the turn has to end."""


class Halt:
    """One turn's stop switch; the first reason stays.

    ``event`` is what planners and skills look at from their threads. Not covered: a planner that
    blocks the event loop and ignores ``event``.

    Args:
        seconds: How long the turn may take, None for any time.
        spent: How much of that had gone before the process was killed.
    """

    def __init__(self, seconds: float | None, spent: float = 0.0) -> None:
        self.event = threading.Event()
        self.reason: Literal["cancelled", "time"] | None = None
        self.began = time.monotonic() - spent
        self.deadline = None if seconds is None else self.began + seconds
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._patience: asyncio.Timeout | None = None  # with work that ends by itself
        self._lock = threading.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._start_clock()

    def set(self, reason: Literal["cancelled", "time"] = "cancelled") -> None:
        """End the turn, from whatever thread."""
        with self._lock:
            self.reason = self.reason or reason
        self.event.set()
        with suppress(RuntimeError):  # the loop is closed, the turn is over
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._ended.done():
            return
        self._ended.set_result(None)
        if self._patience is not None:
            self._patience.reschedule(self._loop.time() + GRACE)

    def elapsed(self) -> float:
        """Return the seconds that the turn has taken; waiting for a person does not count."""
        return round(time.monotonic() - self.began, 3)

    def close(self) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop the clock while a person is asked."""
        self.close()
        since = time.monotonic()
        try:
            yield
        finally:
            waited = time.monotonic() - since
            self.began += waited
            if self.deadline is not None:
                self.deadline += waited
            self._start_clock()

    def _start_clock(self) -> None:
        if self.deadline is not None and self.reason is None:
            left = max(0.0, self.deadline - time.monotonic())
            self._timer = self._loop.call_later(left, self.set, "time")

    async def see_out(self, work: Coroutine[Any, Any, T]) -> T:
        """Await work that looks at ``event`` and so ends by itself soon after the turn has to.

        Raises:
            HaltedError: The turn had to end before the work began, or GRACE seconds ago.
        """
        self._begin(work)
        patience = self._patience = asyncio.timeout(None)
        try:
            async with patience:
                return await work
        except TimeoutError:
            if patience.expired():
                raise HaltedError from None
            raise
        finally:
            self._patience = None

    async def guard(self, work: Coroutine[Any, Any, T], *, quick: bool = False) -> T:
        """Await work, or cancel it and raise `HaltedError` as soon as the turn has to end.

        Work that cancelling does not end is left behind.

        Args:
            work: What is awaited.
            quick: Whether it waits for nothing, so that there is no time to cancel it.
        """
        self._begin(work)
        if quick:
            return await work
        task = asyncio.ensure_future(work)
        try:
            ends: set[asyncio.Future[Any]] = {task, self._ended}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
            raise HaltedError
        finally:
            if not task.done():
                task.cancel()
                task.add_done_callback(_forget)
                await asyncio.wait({task}, timeout=GRACE)

    def _begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """Raise `HaltedError` if it is too late to begin the work."""
        if self.event.is_set():
            work.close()
            raise HaltedError


def _forget(task: asyncio.Task[Any]) -> None:
    """Take note of how abandoned work ended, so that asyncio does not complain."""
    if not task.cancelled():
        task.exception()
