"""Sessions that are killed: python killed.py FOLDER KILLS [STRIDE].

Each run of the script is a process of its own, killed with SIGKILL at a random moment and begun
again, until it is done; this goes on for KILLS kills. With STRIDE, the moments are every STRIDE-th
statement that the session's database sees. Prints JSON: the number of kills and runs, and what was
not as in a run that nobody disturbed.
"""

import json
import os
import random
import signal
import sqlite3
import sys
import time
import traceback
from pathlib import Path

import numpy as np

from llava_plus.agent import Agent, ScriptedPlanner, SessionStore, checkpoints, graph
from llava_plus.skills import Image, Number, SkillRegistry, Text, skill

SCRIPT = [
    'darken(img_1, "a0")',
    'darken(img_2, "b1") & weigh(img_1, "c1")',
    'weigh(img_3, "d2")',
    'darken(img_1, "a0") & weigh(img_3, "e3") & fail(img_1, "f3")',
    'darken(img_4, "g4")',
    'weigh(img_5, "h5") & fail(img_1, "f3")',
    "Done: {number_1}, {number_2}, {img_5}.",
]
CALLS = ["a0", "b1", "c1", "d2", "e3", "f3", "g4", "h5"]  # ends with the number of its step
LOG = "log"


def logged(name, result):
    """Work for a moment, and leave a line in the folder where the process runs."""
    with Path(LOG).open("a") as log:
        log.write(f"{name}\n")
    time.sleep(0.003)
    return result


@skill
def darken(image: Image, name: str) -> Image:
    """Make a picture darker."""
    return logged(name, Image.from_array(image.pixels // 2))


@skill
def weigh(image: Image, name: str) -> Number:
    """Add the pixels up."""
    return logged(name, Number(float(image.pixels.sum())))


@skill
def fail(image: Image, name: str) -> Text:
    """Break."""
    return logged(name, None)


def line(view):
    """Return the line of the script for this step, also in a process that begins in the middle."""
    return SCRIPT[len(view.turns[-1].steps)]


def work() -> None:
    """Run the script, or go on with it."""
    logged("open", None)
    skills = SkillRegistry([darken, weigh, fail])
    session = Agent(ScriptedPlanner([line] * 100), skills, home="home").session("one")
    if session.interrupted:
        session.resume_sync()
    elif not session.trace.turns:
        session.run_sync("go", [np.full((30, 40, 3), 200, np.uint8)])


def child(folder: Path, die_at: int | None) -> int:
    """Work in a new process; return its id."""
    if pid := os.fork():
        return pid
    code = 1
    try:
        os.chdir(folder)
        if die_at is not None:
            die_at_statement(die_at)
        work()
        code = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def die_at_statement(number: int) -> None:
    """Kill this process when its databases have seen that many statements."""
    seen = 0

    def count(_: str) -> None:
        nonlocal seen
        seen += 1
        if seen >= number:
            os.kill(os.getpid(), signal.SIGKILL)

    def connect(*arguments, **options):
        connection = real(*arguments, **options)
        connection.set_trace_callback(count)
        return connection

    real, sqlite3.connect = sqlite3.connect, connect


def until_done(folder: Path, moments) -> int:
    """Kill at the moments, in seconds or as the number of a statement; return how many worked."""
    folder.mkdir()
    kills = 0
    while True:
        moment = next(moments, None)
        pid = child(folder, moment if isinstance(moment, int) else None)
        if isinstance(moment, float):
            time.sleep(moment)
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        if os.WIFSIGNALED(status):
            kills += 1
        elif status:
            raise RuntimeError(f"the process ended with {status}")
        else:
            return kills


def outcome(folder: Path) -> str:
    """Return the trace, without its times."""
    trace = json.loads(SessionStore(folder / "home").trace("one").to_json())

    def timeless(part):
        if isinstance(part, list):
            return [timeless(one) for one in part]
        if isinstance(part, dict):
            return {key: timeless(one) for key, one in part.items() if key != "seconds"}
        return part

    return json.dumps(timeless(trace))


def double_runs(folder: Path) -> list[str]:
    """Return the calls that ran although they had ended, or not at all."""
    log = (folder / LOG).read_text()
    lives = [life.split() for life in log.split("open\n")[1:]]
    wrong = [name for name in CALLS if not any(name in life for life in lives)]
    for number, life in enumerate(lives):
        reached = max((int(name[1]) for name in life), default=-1)
        later = [name for after in lives[number + 1 :] for name in after]
        wrong += [name for name in later if int(name[1]) < reached]
        wrong += [name for name in life if life.count(name) > 1]
    return wrong


def main() -> None:
    root, wanted, stride = Path(sys.argv[1]), int(sys.argv[2]), int((sys.argv[3:] or [0])[0])
    graph.loop_graph()
    assert checkpoints
    until_done(root / "first", iter(()))
    began = time.monotonic()  # the second time it takes as long as the others will
    until_done(root / "whole", iter(()))
    longest = time.monotonic() - began
    expected = outcome(root / "whole")
    chance = random.Random(0)
    kills, runs, wrong = 0, 0, double_runs(root / "whole")
    while kills < wanted:
        folder = root / str(runs)
        if stride:
            moments = iter([1 + runs * stride])
        else:
            moments = iter([chance.uniform(0, longest) for _ in range(min(20, wanted - kills))])
        before, kills = kills, kills + until_done(folder, moments)
        runs += 1
        wrong += [f"{folder}: {name} ran again" for name in double_runs(folder)]
        wrong += [f"{folder}: {outcome(folder)}"] if outcome(folder) != expected else []
        if stride and kills == before:
            break
    sys.stdout.write(json.dumps({"kills": kills, "runs": runs, "wrong": wrong}))


if __name__ == "__main__":
    main()
