"""Ending work early: what looks at the event is seen out, and not for ever."""

import asyncio

import pytest

from llava_plus.agent import halt
from llava_plus.agent.halt import Halt, HaltedError


async def listens(event):
    """Work that ends by itself soon after it must."""
    while not event.is_set():
        await asyncio.sleep(0.01)
    return "tidied up"


def test_work_that_listens_ends_by_itself_with_its_result():
    async def run():
        stop = Halt(None)
        asyncio.get_running_loop().call_later(0.05, stop.set)
        return await stop.see_out(listens(stop.event))

    assert asyncio.run(run()) == "tidied up"


def test_work_that_does_not_listen_is_cancelled_after_the_grace(monkeypatch):
    monkeypatch.setattr(halt, "GRACE", 0.1)

    async def run():
        stop = Halt(None)
        asyncio.get_running_loop().call_later(0.05, stop.set)
        await stop.see_out(asyncio.sleep(3600))

    with pytest.raises(HaltedError):
        asyncio.run(run())


def test_a_timeout_inside_the_work_stays_what_it_is():
    async def broken():
        raise TimeoutError("the disk")

    async def run():
        await Halt(None).see_out(broken())

    with pytest.raises(TimeoutError, match="the disk"):
        asyncio.run(run())


def test_nothing_begins_when_the_turn_has_to_end_already():
    begun = []

    async def work():
        begun.append(1)

    async def run():
        stop = Halt(None)
        stop.set()
        for wait in (stop.see_out, stop.guard):
            with pytest.raises(HaltedError):
                await wait(work())

    asyncio.run(run())
    assert not begun
