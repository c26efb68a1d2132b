import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from llava_plus.errors import SetupError
from llava_plus.skills import (
    Artifacts,
    Boxes,
    Call,
    Image,
    Masks,
    Number,
    Points,
    Runtime,
    SkillRegistry,
    Table,
    Tags,
    Text,
    TextLines,
    WorkerPool,
    default_registry,
    skill,
)
from llava_plus.skills.process import memory_of
from llava_plus.skills.protocol import ProtocolError, receive, send

MINE = '''
import ctypes, os, subprocess, sys, time
from datetime import date
from typing import Literal

import numpy as np

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import Image, Number, Text, Value, skill


@skill(cache=False)
def pid(image: Image, n: int = 0) -> Number:
    """Tell which process this is."""
    return Number(np.int64(os.getpid()), str(n))


@skill
def same(value: Value) -> Value:
    """Give it back."""
    return value


@skill
def tell(image: Image, words: list[str] | None = None, *, level: float | None = 0.5,
         side: Literal["left", "right"] = "left", day: date | None = None) -> Text:
    """Tell what came in."""
    return Text(f"{words} {level} {side} {day!r}")


@skill(time_limit=0.5)
def stuck(image: Image) -> Number:
    """Hold the interpreter in C code."""
    ctypes.PyDLL(None).sleep(600)


@skill(time_limit=600)
def hang(image: Image, path: str) -> Number:
    """Start a process, say which processes there are, and hold the interpreter in C code."""
    child = subprocess.Popen(["sleep", "600"])
    with open(path + ".part", "w") as file:
        file.write(f"{os.getpid()} {child.pid}")
    os.rename(path + ".part", path)
    ctypes.PyDLL(None).sleep(600)


@skill(memory_limit=400)
def hoard(image: Image) -> Number:
    """Take more and more memory."""
    blocks = []
    for _ in range(40):
        blocks.append(np.ones(2**23))
        time.sleep(0.02)
    time.sleep(600)


@skill
def leave(image: Image) -> Number:
    """End the process."""
    os._exit(3)


@skill
def fall(image: Image) -> Number:
    """Crash the interpreter."""
    ctypes.string_at(0)


@skill
def quit(image: Image) -> Number:
    """Leave politely."""
    sys.exit(3)


@skill
def fail(image: Image) -> Number:
    """Raise."""
    raise KeyError("where it happened")


@skill
def refuse(image: Image) -> Number:
    """Refuse."""
    raise SkillError("refuse: not this one.")


@skill
def lack(image: Image) -> Number:
    """Lack something."""
    raise SetupError("lack needs a thing: pip install thing")


@skill
def lie(image: Image) -> Number:
    """Return what nobody could send."""
    return lambda: 1


@skill
def hide(image: Image) -> Text:
    """Return a value with something inside that nobody could send."""
    return Text(lambda: 1)


@skill(cache=False)
def chat(image: Image) -> Number:
    """Print by all ways."""
    print("printed")
    print("complained", file=sys.stderr)
    os.write(1, b"written\\n")
    subprocess.run(["echo", "echoed"])
    return Number(1)


@skill(cache=False)
def litter(image: Image) -> Text:
    """Leave a file in the working directory."""
    found = os.listdir()
    open("litter.txt", "w").close()
    return Text(f"{found} {os.getcwd()}")


@skill(isolation="inline", cache=False)
def here(image: Image) -> Number:
    """Run where the program runs."""
    return Number(os.getpid())
'''
VALUES = [
    Image(np.arange(60, dtype=np.uint8).reshape(4, 5, 3), meta={"camera": "A"}),
    Image(np.arange(16, dtype=np.uint8).reshape(2, 2, 4)),
    Boxes(((0, 0, 0.5, 1 / 3),), labels=("face",), scores=(0.9,), query="face"),
    Boxes((), query="cat"),
    Masks.from_array(np.eye(4, dtype=bool)[None]),
    Points(((0.5, 0.25),), (False,)),
    TextLines(("開 \ud800",), (((0, 0), (1, 0), (1, 0.5)),)),
    Tags(("sea", "sky"), scores=(0.5, 0.25)),
    Text("x" * 1_000_000),
    Number(3.5, "m"),
    Table(("a", "b"), ((1, None), (True, "x"))),
]


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    path = tmp_path_factory.mktemp("mine") / "mine.py"
    path.write_text(MINE)
    return path


@pytest.fixture(scope="module")
def pool():
    pool = WorkerPool(limit=2)
    yield pool
    pool.close()


@pytest.fixture
def runtime(mine, pool):
    return runtime_of(SkillRegistry.from_file(mine), pool)


def runtime_of(registry, pool):
    artifacts = Artifacts()
    artifacts.add(Image(np.full((4, 6, 3), 100, np.uint8)))
    return Runtime(registry, artifacts, pool=pool)


def run(runtime, skill, cancel=None, **args):
    call = Call(id="c", skill=skill, args={"image": "img_1"} | args)
    return asyncio.run(runtime.run(call, cancel))


def pid_of(runtime):
    return int(runtime.artifacts[run(runtime, "pid").handle].value.value)


def alive(pid):
    told = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return told.stdout.strip()[:1] not in ("", "Z")


def eventually(condition, what):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within a minute: {what}")
        time.sleep(0.05)


def test_skills_of_a_file_share_one_warm_process_that_is_not_this_one(runtime):
    first = pid_of(runtime)
    assert first != os.getpid()
    assert pid_of(runtime) == first
    assert int(run(runtime, "here").text) == os.getpid()


def test_every_value_travels_whole(mine, pool):
    runtime = runtime_of(SkillRegistry.from_file(mine), pool)
    for value in VALUES:
        handle = runtime.artifacts.add(value)
        seen = asyncio.run(runtime.run(Call(id="c", skill="same", args={"value": handle})))
        back = runtime.artifacts[seen.handle].value
        assert back == value
        assert getattr(back, "meta", None) == getattr(value, "meta", None)


def test_arguments_arrive_as_the_function_takes_them(runtime):
    seen = run(runtime, "tell", words=["a", "é"], level=None, side="right", day="2024-05-06")
    assert seen.text == "['a', 'é'] None right datetime.date(2024, 5, 6)"
    assert run(runtime, "tell").text == "None 0.5 left None"


def test_code_that_never_gives_way_is_killed_when_its_time_is_up(runtime, pool):
    before = pid_of(runtime)
    seen = run(runtime, "stuck")
    assert (seen.ok, seen.error) == (False, "time")
    assert seen.text == "stuck ran out of time (0.5 s). Try a smaller picture."
    assert not alive(before)
    assert pid_of(runtime) != before


def test_who_takes_too_much_memory_is_killed(runtime):
    before = pid_of(runtime)
    seen = run(runtime, "hoard")
    assert (seen.ok, seen.error) == (False, "memory")
    assert "hoard ran out of memory (400 MiB)" in seen.text
    assert not alive(before)


@pytest.mark.parametrize(
    ("skill", "error", "words"),
    [
        ("leave", "bug", "leave broke: a bug in the skill (its process ended, exit code 3)"),
        ("fall", "bug", "its process ended, SIGSEGV"),
        ("quit", "bug", "a bug in the skill (SystemExit), not in the call. Try another way."),
        ("fail", "bug", "a bug in the skill (KeyError), not in the call. Try another way."),
        ("lie", "bug", "a bug in the skill (returned function instead of Number)"),
        ("hide", "bug", "a bug in the skill (TypeError)"),
        ("refuse", "skill", "refuse: not this one."),
        ("lack", "skill", "lack needs a thing: pip install thing"),
    ],
)
def test_however_a_skill_ends_the_planner_reads_why_and_the_next_call_works(
    runtime, skill, error, words
):
    seen = run(runtime, skill)
    assert (seen.ok, seen.error) == (False, error)
    assert words in seen.text
    assert run(runtime, "pid").ok


def test_the_traceback_of_a_bug_is_in_the_log(runtime, caplog):
    run(runtime, "fail")
    assert "where it happened" in caplog.text
    assert "mine.py" in caplog.text


def test_what_a_skill_prints_goes_to_the_log(runtime, caplog):
    caplog.set_level(logging.INFO)
    assert run(runtime, "chat").ok
    for word in ("printed", "complained", "written", "echoed"):
        eventually(lambda word=word: f": {word}" in caplog.text, word)


def hanging(tmp_path):
    """Return the file in which ``hang`` says its processes, and how to read it."""
    path = tmp_path / "pids"

    def pids():
        eventually(path.exists, "hang has begun")
        return [int(pid) for pid in path.read_text().split()]

    return str(path), pids


@pytest.mark.parametrize("how", ["event", "task"])
def test_who_cancels_ends_the_work_with_all_that_it_started(runtime, tmp_path, how):
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


def test_a_worker_that_is_killed_from_outside_is_replaced(runtime, tmp_path):
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


def test_a_full_pool_makes_room_for_another_file(runtime, pool, mine, tmp_path):
    calls = [Call(id=str(i), skill="pid", args={"image": "img_1", "n": i}) for i in range(4)]
    asyncio.run(runtime.run_many(calls))
    other = tmp_path / "other.py"
    other.write_text(MINE)
    assert pid_of(runtime_of(SkillRegistry.from_file(other), pool)) in pool.pids()
    assert len(pool.pids()) <= 2


def test_idle_processes_end_and_come_back(mine):
    pool = WorkerPool(limit=1, idle=0.1)
    runtime = runtime_of(SkillRegistry.from_file(mine), pool)
    first = pid_of(runtime)
    eventually(lambda: not pool.pids(), "the pool is empty")
    assert not alive(first)
    assert pid_of(runtime) != first
    pool.close()


def test_each_call_has_an_empty_working_directory_that_is_deleted(runtime):
    for _ in range(2):
        found, folder = run(runtime, "litter").text.split(" ", 1)
        assert found == "[]"
        assert Path(folder) != Path.cwd()
        assert not Path(folder).exists()


IMPORTS = [
    ("raise RuntimeError('no luck')", "skill", ":3: RuntimeError: no luck"),
    ("import os; os._exit(5)", "bug", "its process ended, exit code 5"),
]


@pytest.mark.parametrize(("line", "error", "words"), IMPORTS)
def test_a_file_that_only_a_worker_cannot_import_is_an_observation(
    tmp_path, pool, line, error, words
):
    path = tmp_path / "moody.py"
    path.write_text(f"import sys\nif 'pytest' not in sys.modules:\n    {line}\n{MINE}")
    seen = run(runtime_of(SkillRegistry.from_file(path), pool), "pid")
    assert seen.error == error
    assert words in seen.text


def test_a_file_that_has_changed_is_not_run_as_what_it_was(tmp_path, pool):
    path = tmp_path / "changing.py"
    path.write_text(MINE)
    registry = SkillRegistry.from_file(path)
    path.write_text(MINE + "\nx = 1\n")
    seen = run(runtime_of(registry, pool), "pid")
    assert (seen.error, seen.text) == (
        "skill",
        f"{path} has changed since the program started. Start it again.",
    )


def test_a_function_without_a_place_cannot_ask_for_a_worker_but_can_stand_in(pool):
    @skill(isolation="worker")
    def nested(image: Image) -> Number:
        """Stand inside another function."""
        return Number(1)

    seen = run(runtime_of(SkillRegistry([nested]), pool), "nested")
    assert "skill 'nested' cannot run in a worker" in seen.text
    double = replace(nested.__skill__, function=lambda image: Number(os.getpid()))
    assert run(runtime_of(SkillRegistry([double]), pool), "nested").text == str(os.getpid())


@pytest.mark.parametrize("options", [{"memory_limit": 0}, {"isolation": "thread"}])
def test_a_limit_that_means_nothing_is_refused_at_declaration(options):
    def look(image: Image) -> Number:
        """Look."""
        return Number(1)

    with pytest.raises(SetupError, match=next(iter(options))):
        skill(**options)(look)


def test_the_slow_edits_among_the_built_in_skills_can_be_killed(pool, astronaut, her_face):
    registry = default_registry()
    assert {s.name for s in registry if s.isolation == "worker"} == {"erase", "segment"}
    runtime = runtime_of(registry, pool)
    image, region = runtime.artifacts.add(astronaut), runtime.artifacts.add(her_face)
    call = Call(id="c", skill="segment", args={"image": image, "prompt": region})
    seen = asyncio.run(runtime.run(call))
    direct = registry["segment"].function(image=astronaut, prompt=her_face)
    assert runtime.artifacts[seen.handle].value == direct


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
def test_however_the_program_ends_it_leaves_no_process_and_no_folder(mine, tmp_path, how):
    path, pids = hanging(tmp_path)
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(mine), path, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=env,
    ) as parent:
        folder = Path(parent.stdout.readline().split(" ", 1)[1].strip()).parent
        found = [*pids(), int(parent.stdout.readline().split()[0])]
        assert all(map(alive, found))
        assert folder.exists()
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


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x02[]",
        b"\x00\x00\x00\x02{}",
        b"\x00\x00\x00\x03abc",
        b'\x00\x00\x00\x18{"pictures": [[9, 9, 3]]}',
    ],
)
def test_what_is_no_message_is_said_to_be_none(data):
    here, there = socket.socketpair()
    with here, there:
        there.sendall(data)
        with pytest.raises(ProtocolError):
            receive(here)


def test_a_message_that_breaks_off_is_the_end(runtime):
    here, there = socket.socketpair()
    with here:
        with there:
            send(there, {"a": 1})
            there.sendall(b"\x00\x00\x00\x09{")
        assert receive(here) == ({"a": 1}, [])
        with pytest.raises(EOFError):
            receive(here)
