"""Skills in worker processes under sessions that ask a person and outlive their process."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from llava_plus.agent import ActionFinished, Agent, ApprovalNeeded, ScriptedPlanner
from llava_plus.agent.waiting import wait
from llava_plus.skills import Image, ResultCache, SkillRegistry

MINE = '''
import os, time
from pathlib import Path

from llava_plus.skills import Image, Number, Text, skill


def log(name):
    with open(Path(__file__).with_name("log"), "a") as file:
        file.write(f"{name} {os.getpid()}\\n")


@skill(approval=True, cache=False)
def post(image: Image, words: str) -> Text:
    """Put a picture where all can see it."""
    log(words)
    return Text("posted")


@skill
def darken(image: Image) -> Image:
    """Make a picture darker, slowly."""
    log("darken")
    time.sleep(0.3)
    return Image.from_array(image.pixels // 2)


@skill
def pause(image: Image) -> Number:
    """Never end while there is a file called ``wait``."""
    log("pause")
    while Path(__file__).with_name("wait").exists():
        time.sleep(0.02)
    return Number(7)
'''
SCRIPT = ["darken(img_1)", "pause(img_2)", "It is {number_1}."]
BROKEN_OFF = f"""
import sys
import numpy as np
from pathlib import Path
from llava_plus.agent import Agent, ScriptedPlanner
from llava_plus.skills import Image, SkillRegistry

registry = SkillRegistry.from_file(Path(sys.argv[1]))
session = Agent(ScriptedPlanner({SCRIPT!r}), registry, home=sys.argv[2]).session("one")
session.run_sync("go", [Image(np.full((4, 6, 3), 100, np.uint8))])
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


@pytest.fixture
def picture():
    return Image(np.full((4, 6, 3), 100, np.uint8))


def logged(mine):
    """Return the calls that ran, as pairs of a name and a process."""
    path = mine.with_name("log")
    lines = path.read_text().splitlines() if path.exists() else []
    return [(name, int(pid)) for name, pid in map(str.split, lines)]


def eventually(condition, what):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within a minute: {what}")
        time.sleep(0.02)


def alive(pid):
    told = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return told.stdout.strip()[:1] not in ("", "Z")


@pytest.mark.parametrize("kept", [False, True], ids=["forgotten", "kept"])
def test_a_worker_runs_what_a_person_allowed_and_nothing_else(mine, picture, tmp_path, kept):
    script = ["post(img_1, 'no')", "post(img_1, 'yes')", "Done."]
    home = tmp_path / "home" if kept else None
    session = Agent(ScriptedPlanner(script), SkillRegistry.from_file(mine), home=home).session(
        "one"
    )

    async def answered():
        seen = []
        async for event in session.run("go", [picture]):
            if isinstance(event, ApprovalNeeded):
                assert not logged(mine)  # neither has run while they wait
                no = event.call.args["words"] == "no"
                session.refuse(event.call.id, "not this") if no else session.approve(event.call.id)
            if isinstance(event, ActionFinished):
                seen.append(event.observation)
        return seen

    refused, posted = wait(answered())
    session.close()
    assert (refused.ok, "not this" in refused.text) == (False, True)
    assert (posted.ok, posted.text) == (True, "posted")
    ((name, pid),) = logged(mine)
    assert name == "yes"
    assert pid != os.getpid()


def test_after_a_kill_workers_do_only_what_had_not_ended(mine, picture, tmp_path):
    home, waiting = tmp_path / "home", mine.with_name("wait")
    waiting.touch()
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    with subprocess.Popen([sys.executable, "-c", BROKEN_OFF, mine, home], env=env) as broken_off:
        eventually(lambda: len(logged(mine)) == 2, "the second call has begun")
        broken_off.kill()
    eventually(lambda: not any(alive(pid) for _, pid in logged(mine)), "its workers have ended")
    waiting.unlink()

    def line(view):
        return SCRIPT[len(view.turns[-1].steps)]

    registry = SkillRegistry.from_file(mine)
    session = Agent(ScriptedPlanner([line] * 3), registry, home=home).session("one")
    assert session.interrupted
    trace = session.resume_sync()
    session.close()
    assert [name for name, _ in logged(mine)] == ["darken", "pause", "pause"]
    assert trace.turns[-1].answer == "It is 7."
    assert np.all(trace.artifacts["img_2"].value.pixels == 50)


def test_what_one_kept_session_computed_another_one_finds(mine, picture, tmp_path):
    results = ResultCache(tmp_path / "home" / "cache")
    for id in ("one", "two"):
        agent = Agent(
            ScriptedPlanner(["darken(img_1)", "Done."]),
            SkillRegistry.from_file(mine),
            home=tmp_path / "home",
            results=results,
        )
        session = agent.session(id)
        trace = session.run_sync("go", [picture])
        session.close()
        again = Agent(ScriptedPlanner([]), agent.skills, home=tmp_path / "home").session(id)
        assert again.trace.artifacts["img_2"].value == trace.artifacts["img_2"].value
        again.close()
    assert trace.turns[-1].steps[0].observations[0].cached
    assert [name for name, _ in logged(mine)] == ["darken"]
