"""Carrying out the calls of one step: a person is asked where need be, then they run."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

from llava_plus.errors import LlavaPlusError
from llava_plus.skills import Call, Observation, Runtime

from .approvals import Approvals, needs_approval
from .events import ActionProgressed, Event
from .failures import refused, stopped, unkept
from .halt import Halt, HaltedError
from .home import StoreError


async def ask(
    calls: Sequence[Call],
    *,
    runtime: Runtime,
    approvals: Approvals,
    halt: Halt,
    write: Callable[[Event], None],
) -> dict[str, Observation]:
    """Ask a person about calls that need it; return observations of all that do not run."""
    asking = [call for call in calls if needs_approval(call, runtime.registry)]
    if not asking:
        return {}
    try:
        with halt.paused():
            answers = await halt.guard(approvals.ask(asking, write))
    except HaltedError:
        return {call.id: stopped(call) for call in calls}
    said = [(call, answers[call.id]) for call in asking]
    return {call.id: refused(call, why) for call, why in said if why is not None}


async def run(
    calls: Sequence[Call], *, runtime: Runtime, halt: Halt, write: Callable[[Event], None]
) -> list[Observation]:
    """Run calls side by side, until they end or the turn has to."""
    if not calls:
        return []
    loop, running = asyncio.get_running_loop(), {call.id: call for call in calls}

    def note(id: str, done: int, total: int) -> None:
        if (call := running.get(id)) is not None:
            write(ActionProgressed(call=call, done=done, total=total))

    def progress(id: str, done: int, total: int) -> None:  # in the thread of the skill
        with suppress(RuntimeError):  # the loop is closed, nobody looks on any more
            loop.call_soon_threadsafe(note, id, done, total)

    work = runtime.run_many(calls, cancel=halt.event, progress=progress)
    try:
        return list(await halt.see_out(work))
    except HaltedError:
        return [stopped(call) for call in calls]
    except StoreError:  # the turn goes on later, and these calls with it
        raise
    except LlavaPlusError as error:  # such as a full disk
        return [unkept(call, str(error)) for call in calls]
    finally:
        running.clear()
