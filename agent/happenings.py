"""Events on their way from the loop's nodes to whoever reads them."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from .events import Event


class Happenings:
    """What has happened in a turn and was not taken yet.

    For one reader: an event is taken when the reader comes back for the next one.
    """

    def __init__(self) -> None:
        self._waiting: deque[Event] = deque()
        self._over = False
        self._more = asyncio.Event()
        self._none_left = asyncio.Event()

    def write(self, event: Event) -> None:
        """Tell of an event."""
        self._waiting.append(event)
        self._more.set()

    def close(self) -> None:
        """Say that nothing happens any more."""
        self._over = True
        self._more.set()

    async def read(self) -> AsyncGenerator[Event]:
        """Yield events as they happen, until nothing happens any more."""
        while self._waiting or not self._over:
            while self._waiting:
                yield self._waiting[0]
                self._waiting.popleft()
            self._none_left.set()
            await self._more.wait()
            self._more.clear()

    async def taken(self) -> None:
        """Wait until all that has happened was taken."""
        while self._waiting:
            self._none_left.clear()
            await self._none_left.wait()
