"""Waiting for the end of a request, wherever that is wanted."""

import asyncio
import contextvars
from collections.abc import AsyncGenerator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Any, TypeVar

from .events import Event, Finished
from .trace import Trace

T = TypeVar("T")


async def last(events: AsyncGenerator[Event]) -> Trace:
    """Return the trace that a request ends with."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Finished):
                return event.trace
    raise RuntimeError("the session ended without saying so")


def wait(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; where a loop is running already, beside it in a thread."""
    ends: list[T] = []

    async def run() -> None:  # asyncio.run writes out whatever its task returns, a whole session
        ends.append(await work)

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(run())
    else:
        context = contextvars.copy_context()
        with ThreadPoolExecutor(1) as pool:
            pool.submit(context.run, asyncio.run, run()).result()
    return ends[0]
