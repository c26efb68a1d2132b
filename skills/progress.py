"""How far a call has come, told while it works."""

from collections.abc import Callable
from contextvars import ContextVar

# Of the call that runs in this context: gets the parts that are done, and all there are.
PROGRESS: ContextVar[Callable[[int, int], None] | None] = ContextVar("PROGRESS", default=None)


def tell_progress(done: int, total: int) -> None:
    """Say how much of the work is done, for whoever looks on; a skill may call this at any time.

    Not covered: what a skill in a worker says stays there.

    Args:
        done: Parts that are done, from 0.
        total: All parts.
    """
    if (tell := PROGRESS.get()) is not None:
        tell(done, total)
