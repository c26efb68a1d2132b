"""A whole run with a teacher: drawn scenes, real skills, a kill, and nothing paid twice."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import llava_plus
from llava_plus.agent import Trace
from llava_plus.data_gen.folders import TraceFolder
from llava_plus.data_gen.generate import generate
from llava_plus.data_gen.recipe import Recipe
from llava_plus.data_gen.writing import SpentError

from .conftest import lesson, words_of

SKILLS = ["image_info", "colors", "adjust", "rotate"]
RUN = """
import json, sys
from pathlib import Path
from llava_plus.data_gen.generate import generate
from llava_plus.data_gen.recipe import Recipe
generate(Recipe.parse(json.loads(sys.argv[1])), Path(sys.argv[2]))
"""


def recipe(teacher, **options):
    kinds = {"fly": 2, "all tools": 1, "conversation": 1}
    return {
        "traces": 4,
        "per_picture": 1,
        "pictures_per_part": 2,
        "sources": [{"drawn": 8}],
        "writers": [
            {"writer": "teacher", "options": {"teacher": teacher, "kinds": kinds, **options}}
        ],
        "skills": {"use": SKILLS},
    }


def kept(folder):
    return [one for one in TraceFolder(folder).read() if isinstance(one, Trace)]


def asked(server):
    return Counter(json.dumps(body, sort_keys=True) for body in server.bodies)


def killing(server, process, after):
    """Kill the run when so many requests were answered, before the next one is."""

    def rule(body):
        if len(server.bodies) > after and process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        return lesson(body)

    return rule


def test_a_killed_run_goes_on_and_pays_nothing_twice(server, teacher_file, tmp_path):
    teacher = teacher_file(at_once=1, price_read=10, price_written=10)
    facts = recipe(teacher, rounds=1, samples=1)
    out = tmp_path / "out"
    server.rule = lambda body: server.later(body)
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, json.dumps(facts), str(out)],
        env={**os.environ, "PYTHONPATH": str(Path(llava_plus.__file__).parents[1])},
    )
    server.later = killing(server, process, after=9)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    before, answered = asked(server), len(server.bodies) - 1
    assert (out / "unfinished").exists()
    server.rule = lesson
    progress = generate(Recipe.parse(facts), out)
    assert progress.kept == 4
    again = {text for text, times in asked(server).items() if times > 1}
    assert len(again) <= 1  # the one that was on its way when the run was killed
    assert answered >= 9
    assert set(before) <= set(asked(server))
    traces = kept(out)
    assert {trace.planner for trace in traces} == {"teacher:big"}
    assert len({trace.id for trace in traces}) == 4
    seen = [o for t in traces for turn in t.turns for s in turn.steps for o in s.observations]
    assert seen
    assert all(one.backend == "builtin" or one.ok for one in seen)
    assert {row.name for row in progress.yields.values()} >= {"replay", "self-consistency"}

    count = len(server.bodies)
    other = tmp_path / "other"
    generate(Recipe.parse(facts), other)  # the same once more: nothing is asked at all
    assert len(server.bodies) == count
    shards = [Path(folder, "traces-00000.jsonl").read_bytes() for folder in (out, other)]
    assert shards[0] == shards[1]


def test_two_processes_share_what_was_paid_for(server, teacher_file, tmp_path):
    facts = recipe(teacher_file(), rounds=1) | {"workers": 2}
    assert generate(Recipe.parse(facts), tmp_path / "out").kept == 4
    assert max(asked(server).values()) == 1


def test_a_budget_ends_the_run_and_more_of_it_goes_on(server, teacher_file, tmp_path):
    facts = recipe(teacher_file(budget_tokens=600), rounds=0, follow_ups=0)
    with pytest.raises(SpentError, match="budget_tokens, 600, is used up"):
        generate(Recipe.parse(facts), tmp_path / "out")
    spent = len(server.bodies)
    assert spent in range(5, 14)  # what is under way at once may go beyond it
    teacher_file(budget_tokens=100_000)
    assert generate(Recipe.parse(facts), tmp_path / "out").kept == 4
    assert max(asked(server).values()) == 1


def test_nonsense_refusals_and_broken_lines_cost_their_items_only(server, teacher_file, tmp_path):
    def rule(body):
        words = words_of(body)
        if "Write one new request" in words and len(server.bodies) % 3 == 0:
            return "I am not sure what you mean."
        if "You show how" in words and len(server.bodies) % 4 == 0:
            return {"refusal": "No."}
        if len(server.bodies) % 5 == 0:
            return (500, "out of order")
        return lesson(body)

    server.rule = rule
    facts = recipe(teacher_file(at_once=1, retries=0, tries=1), rounds=0, follow_ups=0)
    progress = generate(Recipe.parse(facts), tmp_path / "out")
    assert progress.kept == 4
    said = (tmp_path / "out" / "dropped" / "problems.jsonl").read_text()
    assert progress.problem_count == len(said.splitlines()) > 0
    assert "The teacher refused" in said or "nothing of use" in said or "out of order" in said
