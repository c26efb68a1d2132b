"""A conversation with what runs in it, however many pages look at it, or none."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from llava_plus.agent import (
    ActionFinished,
    ActionProgressed,
    Agent,
    AnswerDelta,
    ApprovalNeeded,
    Event,
    Session,
    ThoughtDelta,
    Turn,
)
from llava_plus.errors import LlavaPlusError, SetupError
from llava_plus.skills import Call

from .progress import advance

PAUSE = 0.12  # seconds between two looks at a text that is still growing
log = logging.getLogger(__name__)


class Conversation:
    """A session and the request that it carries out, in a task that belongs to no page.

    Args:
        agent: Whose session it is.
        session: Open, and nobody else's.
        idle: Called when a request is over, in a thread of its own.
    """

    def __init__(
        self, agent: Agent, session: Session, idle: Callable[["Conversation"], None]
    ) -> None:
        self.agent = agent
        self.session = session
        self.turn: Turn | None = None  # what runs, as far as it has come
        self.visitors: dict[object, float] = {}  # who looks at it, last seen when; see the lobby
        self._asking: dict[str, Call] = {}
        self._come: dict[str, tuple[int, int]] = {}  # how far each running call is
        self._problem: Exception | None = None
        self._idle = idle
        self._claimed = threading.Lock()
        self._closing = False
        self._stop = threading.Event()
        self._changed = asyncio.Event()
        self._told_at = 0.0
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def id(self) -> str:
        return self.session.id

    @property
    def running(self) -> bool:
        """Whether a request runs, or is about to."""
        return self._claimed.locked()

    @property
    def asking(self) -> Call | None:
        """The call that a person has to allow next."""
        return next(iter(self._asking.values()), None)

    @property
    def progress(self) -> str:
        """How far the calls have come that say so, as in "12/20"."""
        return ", ".join(f"{done}/{total}" for done, total in self._come.values())

    def claim(self) -> None:
        """Take the right to run one request; `start` or `unclaim` has to follow."""
        if not self._claimed.acquire(blocking=False):
            raise SetupError("One request at a time: wait for this one, or press Stop.")
        self._stop, self._problem = threading.Event(), None

    def unclaim(self) -> None:
        """Give the right back."""
        self._claimed.release()

    def start(self, turn: Turn, events: AsyncGenerator[Event]) -> None:
        """Carry a claimed request out, whoever looks on; call it where an event loop runs.

        Args:
            turn: As it begins, or as far as it had come.
            events: What the session does.
        """
        self.turn = turn
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._work(events))

    async def watch(self) -> AsyncGenerator[Turn]:
        """Yield the running turn whenever it has changed; raise, once, what it failed with."""
        while (turn := self.turn) is not None:
            changed = self._changed
            yield turn
            await changed.wait()
        problem, self._problem = self._problem, None
        if problem is not None:
            raise problem

    def nudge(self) -> None:
        """Let all who watch look again, from any thread."""
        if (loop := self._loop) is not None and self.running:
            loop.call_soon_threadsafe(self._tell)

    def stop(self) -> None:
        """End what runs, from any thread; it stays in the trace."""
        self._stop.set()
        if self.running:
            self.session.stop()

    def answer(self, call_id: str, allowed: bool, why: str) -> None:
        """Say whether a call may run, from any thread; a `SetupError` says if none waits."""
        if allowed:
            self.session.approve(call_id)
        else:
            self.session.refuse(call_id, why)
        self._asking.pop(call_id, None)
        self.nudge()

    def close(self) -> None:
        """Let others open the session, once nothing runs any more."""
        self._closing = True
        if self.running:
            self.stop()
        else:
            self.session.close()

    async def _work(self, events: AsyncGenerator[Event]) -> None:
        try:
            async with aclosing(events) as happenings:
                async for event in happenings:
                    if self._stop.is_set():  # also when that was before the session had begun
                        self.session.stop()
                    self._take(event)
        except Exception as error:
            if not isinstance(error, LlavaPlusError):
                log.error("a request broke", exc_info=error)
            self._problem = error
        finally:
            self.turn, self._asking, self._come = None, {}, {}
            self._claimed.release()
            self._tell()
            if self._closing:
                self.session.close()
            asyncio.get_running_loop().run_in_executor(None, self._idle, self)  # it may wait

    def _take(self, event: Event) -> None:
        """Note what has happened; of a text that grows, not every word is told at once."""
        assert self.turn is not None
        self.turn = advance(self.turn, event)
        if isinstance(event, ApprovalNeeded):
            self._asking[event.call.id] = event.call
        elif isinstance(event, ActionProgressed):
            self._come[event.call.id] = (event.done, event.total)
        elif isinstance(event, ActionFinished):
            self._asking.pop(event.call.id, None)
            self._come.pop(event.call.id, None)
        small = isinstance(event, ThoughtDelta | AnswerDelta | ActionProgressed)
        if not small or time.monotonic() - self._told_at > PAUSE:
            self._tell()

    def _tell(self) -> None:
        self._told_at = time.monotonic()
        self._changed.set()
        self._changed = asyncio.Event()
