"""Skills in worker processes: what goes in, what comes out, and how they can end."""

import asyncio
import logging
import os
from dataclasses import replace

import numpy as np
import pytest

from llava_plus.errors import SetupError
from llava_plus.skills import (
    Boxes,
    Call,
    Image,
    Masks,
    Number,
    Points,
    SkillRegistry,
    Table,
    Tags,
    Text,
    TextLines,
    default_registry,
    skill,
)

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


def test_skills_of_a_file_share_one_warm_process_that_is_not_this_one(runtime, run, pid_of):
    first = pid_of(runtime)
    assert first != os.getpid()
    assert pid_of(runtime) == first
    assert int(run(runtime, "here").text) == os.getpid()


def test_every_value_travels_whole(mine, pool, runtime_of):
    runtime = runtime_of(SkillRegistry.from_file(mine), pool)
    for value in VALUES:
        handle = runtime.artifacts.add(value)
        seen = asyncio.run(runtime.run(Call(id="c", skill="same", args={"value": handle})))
        back = runtime.artifacts[seen.handle].value
        assert back == value
        assert getattr(back, "meta", None) == getattr(value, "meta", None)


def test_arguments_arrive_as_the_function_takes_them(runtime, run):
    seen = run(runtime, "tell", words=["a", "é"], level=None, side="right", day="2024-05-06")
    assert seen.text == "['a', 'é'] None right datetime.date(2024, 5, 6)"
    assert run(runtime, "tell").text == "None 0.5 left None"


def test_code_that_never_gives_way_is_killed_when_its_time_is_up(runtime, pool, run, pid_of, alive):
    before = pid_of(runtime)
    seen = run(runtime, "stuck")
    assert (seen.ok, seen.error) == (False, "time")
    assert seen.text == "stuck ran out of time (0.5 s). Try a smaller picture."
    assert not alive(before)
    assert pid_of(runtime) != before


def test_who_takes_too_much_memory_is_killed(runtime, run, pid_of, alive):
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
    runtime, skill, error, words, run
):
    seen = run(runtime, skill)
    assert (seen.ok, seen.error) == (False, error)
    assert words in seen.text
    assert run(runtime, "pid").ok


def test_the_traceback_of_a_bug_is_in_the_log(runtime, caplog, run):
    run(runtime, "fail")
    assert "where it happened" in caplog.text
    assert "mine.py" in caplog.text


def test_what_a_skill_prints_goes_to_the_log(runtime, caplog, run, eventually):
    caplog.set_level(logging.INFO)
    assert run(runtime, "chat").ok
    for word in ("printed", "complained", "written", "echoed"):
        eventually(lambda word=word: f": {word}" in caplog.text, word)


IMPORTS = [
    ("raise RuntimeError('no luck')", "skill", ":3: RuntimeError: no luck"),
    ("import os; os._exit(5)", "bug", "its process ended, exit code 5"),
]


@pytest.mark.parametrize(("line", "error", "words"), IMPORTS)
def test_a_file_that_only_a_worker_cannot_import_is_an_observation(
    tmp_path, mine, pool, line, error, words, runtime_of, run
):
    path = tmp_path / "moody.py"
    path.write_text(f"import sys\nif 'pytest' not in sys.modules:\n    {line}\n{mine.read_text()}")
    seen = run(runtime_of(SkillRegistry.from_file(path), pool), "pid")
    assert seen.error == error
    assert words in seen.text


def test_a_file_that_has_changed_is_not_run_as_what_it_was(tmp_path, mine, pool, runtime_of, run):
    path = tmp_path / "changing.py"
    path.write_text(mine.read_text())
    registry = SkillRegistry.from_file(path)
    path.write_text(mine.read_text() + "\nx = 1\n")
    seen = run(runtime_of(registry, pool), "pid")
    assert (seen.error, seen.text) == (
        "skill",
        f"{path} has changed since the program started. Start it again.",
    )


def test_a_function_without_a_place_cannot_ask_for_a_worker_but_can_stand_in(pool, runtime_of, run):
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


def test_the_slow_edits_among_the_built_in_skills_can_be_killed(
    pool, astronaut, her_face, runtime_of
):
    registry = default_registry()
    assert {s.name for s in registry if s.isolation == "worker"} == {"erase", "segment"}
    runtime = runtime_of(registry, pool)
    image, region = runtime.artifacts.add(astronaut), runtime.artifacts.add(her_face)
    call = Call(id="c", skill="segment", args={"image": image, "prompt": region})
    seen = asyncio.run(runtime.run(call))
    direct = registry["segment"].function(image=astronaut, prompt=her_face)
    assert runtime.artifacts[seen.handle].value == direct
