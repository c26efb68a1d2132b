"""Worker processes: shared, killed, replaced, idle, and gone when the program is."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from llava_plus.skills import (
    Call,
    SkillRegistry,
    WorkerPool,
)
from llava_plus.skills.process import memory_of


@pytest.mark.parametrize("how", ["event", "task"])
def test_who_cancels_ends_the_work_with_all_that_it_started(
    runtime, tmp_path, how, pid_of, alive, eventually, hanging
):
    path, pids = hanging(tmp_path)
    cancel = threading.Event()
    call = Call(id="late", skill="hang", args={"image": "img_1", "path": path})

    async def give_up():
        task = asyncio.create_task(runtime.run(call, cancel))
        found = await asyncio.to_thread(pids)
        cancel.set() if how == "event" else task.cancel()
        with suppress(asyncio.CancelledError):
            assert (await task).error == "cancelled"
        return found

    found = asyncio.run(give_up())
    eventually(lambda: not any(map(alive, found)), "both have ended")
    assert pid_of(runtime) not in found
    assert runtime.artifacts.handles("number") == ("number_1",)


def test_a_worker_that_is_killed_from_outside_is_replaced(runtime, tmp_path, run, pid_of, hanging):
    os.kill(pid_of(runtime), signal.SIGKILL)  # while it waits for work
    assert run(runtime, "pid").ok
    path, pids = hanging(tmp_path)
    killer = threading.Thread(target=lambda: os.kill(pids()[0], signal.SIGKILL))
    killer.start()
    seen = run(runtime, "hang", path=path)
    killer.join()
    assert (seen.error, "SIGKILL" in seen.text) == ("bug", True)
    assert run(runtime, "pid").ok


def test_twenty_calls_at_once_share_few_processes(runtime, pool):
    calls = [Call(id=str(i), skill="pid", args={"image": "img_1", "n": i}) for i in range(20)]
    seen = asyncio.run(runtime.run_many(calls))
    assert [o.text.split()[1] for o in seen] == [str(i) for i in range(20)]
    assert {int(o.text.split()[0]) for o in seen} <= set(pool.pids())
    assert len(pool.pids()) <= 2


def test_a_full_pool_makes_room_for_another_file(runtime, pool, mine, tmp_path, runtime_of, pid_of):
    calls = [Call(id=str(i), skill="pid", args={"image": "img_1", "n": i}) for i in range(4)]
    asyncio.run(runtime.run_many(calls))
    other = tmp_path / "other.py"
    other.write_text(mine.read_text())
    assert pid_of(runtime_of(SkillRegistry.from_file(other), pool)) in pool.pids()
    assert len(pool.pids()) <= 2


def test_idle_processes_end_and_come_back(mine, runtime_of, pid_of, alive, eventually):
    pool = WorkerPool(limit=1, idle=0.1)
    runtime = runtime_of(SkillRegistry.from_file(mine), pool)
    first = pid_of(runtime)
    eventually(lambda: not pool.pids(), "the pool is empty")
    assert not alive(first)
    assert pid_of(runtime) != first
    pool.close()


def test_each_call_has_an_empty_working_directory_that_is_deleted(runtime, run):
    for _ in range(2):
        found, folder = run(runtime, "litter").text.split(" ", 1)
        assert found == "[]"
        assert Path(folder) != Path.cwd()
        assert not Path(folder).exists()


PARENT = """
import asyncio, sys, time
import numpy as np
from llava_plus.skills import Artifacts, Call, Image, Runtime, SkillRegistry

artifacts = Artifacts()
artifacts.add(Image(np.zeros((2, 2, 3), np.uint8)))
runtime = Runtime(SkillRegistry.from_file(sys.argv[1]), artifacts)

async def go():
    args = {"image": "img_1"}
    task = asyncio.create_task(
        runtime.run(Call(id="a", skill="hang", args=args | {"path": sys.argv[2]}))
    )
    print((await runtime.run(Call(id="b", skill="litter", args=args))).text, flush=True)
    print((await runtime.run(Call(id="c", skill="pid", args=args))).text, flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    if sys.argv[3] == "exit":
        sys.exit(0)
    await task

asyncio.run(go())
"""


@pytest.mark.parametrize("how", ["kill", "exit"])
def test_however_the_program_ends_it_leaves_no_process_and_no_folder(
    mine, tmp_path, how, alive, eventually, hanging
):
    path, pids = hanging(tmp_path)
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(mine), path, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    ) as parent:
        try:
            folder = Path(parent.stdout.readline().split(" ", 1)[1].strip()).parent
            found = [*pids(), int(parent.stdout.readline().split()[0])]
            assert all(map(alive, found))
            assert folder.exists()
        except BaseException:
            parent.kill()  # else it is waited for
            raise
        if how == "kill":
            parent.kill()
        else:
            parent.stdin.write("\n")
            parent.stdin.flush()
    eventually(lambda: not any(map(alive, found)), "all have ended")
    eventually(lambda: not folder.exists(), "the folder is gone")


def test_memory_is_counted_alike_by_both_ways(pool):
    asked, read = memory_of(os.getpid(), statm=False), memory_of(os.getpid())
    assert asked == pytest.approx(read, rel=0.3)
    assert memory_of(2**22 + 1, statm=False) == 0
    assert memory_of(2**22 + 1) == 0
