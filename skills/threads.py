"""Threads that are used again, for work that may take any time or hang."""

import asyncio
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context
from queue import SimpleQueue
from typing import Any

MOST_IDLE = 8  # threads kept for the next work; more end when theirs is done

Outcome = tuple[Any, BaseException | None]  # what work returned, or what it raised
Work = Callable[[], Any]
Tell = Callable[[Outcome], None]

_idle: list[SimpleQueue[tuple[Work, Tell]]] = []  # where each waiting thread finds its next work
os.register_at_fork(after_in_child=_idle.clear)  # a fork has none of the threads


def cores_of_a_network() -> int:
    """Return how many threads a network may compute with: OMP_NUM_THREADS, 0 for its own choice.

    onnxruntime does not look at that variable itself.
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdecimal() else 0


def begin(work: Work, context: Context) -> asyncio.Future[Outcome]:
    """Work in a thread that does nothing else meanwhile; return what becomes the outcome.

    Work that hangs keeps its thread, but neither other work nor the end of the program waits for
    it. An outcome that nobody awaits any more is dropped.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[Outcome] = loop.create_future()

    def settle(outcome: Outcome) -> None:
        if not ended.done():
            ended.set_result(outcome)

    def tell(outcome: Outcome) -> None:
        with suppress(RuntimeError):  # the loop is closed, nobody waits any more
            loop.call_soon_threadsafe(settle, outcome)

    try:
        inbox = _idle.pop()
    except IndexError:
        inbox = SimpleQueue()
        threading.Thread(target=_serve, args=(inbox,), name="skills", daemon=True).start()
    inbox.put((lambda: context.run(work), tell))
    return ended


def _serve(inbox: SimpleQueue[tuple[Work, Tell]]) -> None:
    while _serve_once(inbox):
        pass  # nothing of the last work is held on to while waiting


def _serve_once(inbox: SimpleQueue[tuple[Work, Tell]]) -> bool:
    """Do the next work, and say whether the thread waits for more."""
    work, tell = inbox.get()
    outcome: Outcome
    try:
        outcome = (work(), None)
    except BaseException as error:  # also a skill that calls sys.exit()
        outcome = (None, error)
    if stays := len(_idle) < MOST_IDLE:
        _idle.append(inbox)  # before anybody hears of the outcome, and begins the next work
    tell(outcome)
    return stays
