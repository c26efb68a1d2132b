"""Inline calls share a few threads: none waits for one that hangs, nor does the program's end."""

import asyncio
import gc
import subprocess
import sys
import threading
import time
import weakref
from contextvars import copy_context

import pytest

from llava_plus.skills import Artifacts, Call, Number, Runtime, SkillRegistry, skill
from llava_plus.skills.threads import MOST_IDLE, _idle, begin


@pytest.fixture
def release():
    """Lets all that hangs go on; set at the end, so that no thread stays busy."""
    event = threading.Event()
    yield event
    event.set()


def call(name, **args):
    return Call(id=name, skill=name, args=args)


def test_calls_after_each_other_share_a_thread():
    seen = []

    @skill(cache=False)
    def where(turn: int) -> Number:
        """Note the thread."""
        seen.append(threading.get_ident())
        return Number(turn)

    async def calls():
        runtime = Runtime(SkillRegistry([where]), Artifacts())
        for turn in range(20):
            assert (await runtime.run(call("where", turn=turn))).ok

    asyncio.run(calls())
    assert len(seen) == 20
    assert len(set(seen)) < 4


def test_more_calls_that_hang_than_threads_are_kept_hold_up_no_other_call(release):
    @skill(time_limit=0.2, cache=False)
    def hang(turn: int) -> Number:
        """Hang."""
        release.wait(60)
        return Number(turn)

    @skill
    def quick(turn: int) -> Number:
        """Be quick."""
        return Number(turn)

    async def calls():
        runtime = Runtime(SkillRegistry([hang, quick]), Artifacts())
        hanging = [call("hang", turn=turn) for turn in range(2 * MOST_IDLE)]
        stuck = await runtime.run_many(hanging)
        return stuck, [await runtime.run(call("quick", turn=turn)) for turn in range(3)]

    stuck, others = asyncio.run(calls())
    assert {one.error for one in stuck} == {"time"}
    assert [one.text for one in others] == ["0", "1", "2"]


def test_no_more_threads_are_kept_than_said(release):
    def threads():
        return sum(thread.name == "skills" for thread in threading.enumerate())

    async def work():
        many = [begin(lambda: release.wait(60), copy_context()) for _ in range(4 * MOST_IDLE)]
        assert threads() >= 4 * MOST_IDLE
        release.set()
        await asyncio.gather(*many)

    stuck = threads() - len(_idle)  # what other tests have left hanging
    asyncio.run(work())
    deadline = time.monotonic() + 20
    while threads() > MOST_IDLE + stuck and time.monotonic() < deadline:
        time.sleep(0.05)
    assert threads() <= MOST_IDLE + stuck


def test_a_thread_that_waits_holds_nothing_of_its_last_call():
    class Big:
        pass

    async def work():
        big = Big()
        left = weakref.ref(big)
        outcome = await begin(lambda big=big: big, copy_context())
        assert outcome[0] is big
        return left

    left = asyncio.run(work())
    gc.collect()
    assert left() is None


PROGRAM = """
import asyncio, os, sys, time
from llava_plus.skills import Artifacts, Call, Number, Runtime, SkillRegistry, skill

@skill(time_limit=0.2, cache=False)
def wait(seconds: float) -> Number:
    '''Wait.'''
    time.sleep(seconds)
    return Number(seconds)

def run(seconds):
    runtime = Runtime(SkillRegistry([wait]), Artifacts())
    seen = asyncio.run(runtime.run(Call(id="c", skill="wait", args={"seconds": seconds})))
    return seen.error or seen.text
"""


def said(program):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM + program], capture_output=True, text=True, timeout=300
    )
    return done.stdout, done.stderr, done.returncode


def test_a_program_ends_although_a_call_hangs():
    assert said("print(run(3600))") == ("time\n", "", 0)


def test_a_fork_runs_calls_in_threads_of_its_own():
    program = (
        "run(0.0)\n"
        "if child := os.fork():\n"
        "    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "else:\n"
        "    os._exit(7 if run(0.0) == '0' else 1)\n"
    )
    assert said(program)[0] == "7\n"
