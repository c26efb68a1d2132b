"""Sessions that outlive their process: killed, cut short by a full disk, opened twice, many."""

import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from llava_plus.agent import Agent, AnswerDelta, Finished, Limits, ScriptedPlanner, StoreError
from llava_plus.errors import SetupError
from llava_plus.skills import Image, Number, SkillRegistry, Text, skill


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def kept(skills, home):
    """Open a session on disk; its planner goes by the script, wherever the process begins."""

    def make(*script, id="one", home=home, skills=skills, **limits):
        def line(view):
            now = script[sum(len(turn.steps) for turn in view.turns)]
            return now(view) if callable(now) else now

        planner = ScriptedPlanner([line] * 50)
        return Agent(planner, skills, limits=Limits(**limits), home=home).session(id)

    return make


@contextmanager
def files_up_to(size):
    """Let no file grow beyond so many bytes, as a full disk would; -1 leaves it to the inside."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft if size < 0 else size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def without_times(trace):
    fields = json.loads(trace.to_json())
    for turn in fields["turns"]:
        turn["seconds"] = 0
        for step in turn["steps"]:
            step["seconds"] = 0
            for seen in step["observations"]:
                seen["seconds"] = 0
    return fields


@pytest.mark.slow
@pytest.mark.parametrize("stride", [0, 29], ids=["at any moment", "between two statements"])
def test_a_killed_run_ends_as_if_undisturbed(request, tmp_path, stride):
    kills = request.config.getoption("--kills")
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("killed.py"), tmp_path, str(kills), str(stride)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["wrong"] == []
    assert told["kills"] >= (1 if stride else kills)


def test_a_call_that_ended_does_not_run_again_beside_one_that_did_not(kept, home, picture):
    ran = []

    @skill
    def quick(image: Image) -> Number:
        """Be quick."""
        ran.append("quick")
        return Number(1.0)

    @skill
    def long(image: Image) -> Text:
        """Take a while; the disk is copied meanwhile, as a kill would leave it."""
        ran.append("long")
        if ran.count("long") == 1:
            time.sleep(0.5)
            shutil.copytree(home, home.with_name("left"))
        return Text("long")

    skills = SkillRegistry([quick, long])
    script = ("long(img_1) & quick(img_1)", "quick(img_1)", "{number_1} {text_1}")
    whole = kept(*script, skills=skills).run_sync("go", [picture])
    ran.clear()
    ran.append("long")  # from now on it is as quick as the other one
    again = kept(*script, skills=skills, home=home.with_name("left"))
    assert again.interrupted
    assert without_times(again.resume_sync()) == without_times(whole)
    assert ran == ["long", "long"]
    assert not again.interrupted
    assert whole.turns[0].steps[1].observations[0].cached


def test_a_session_goes_on_after_it_was_closed(kept, picture):
    script = ("detect(img_1, 'face')", "Two.", "blur(img_1, region=boxes_1)", "{img_2}")
    first = kept(*script)
    first.run_sync("where?", [picture])
    first.point("img_1", 0.5, 0.5)
    first.close()
    second = kept(*script)
    assert not second.interrupted
    trace = second.run_sync("blur them")
    assert trace.turns[1].pointers == ("points_1",)
    assert list(trace.artifacts) == ["img_1", "boxes_1", "points_1", "img_2"]
    assert second.trace.turns[0].answer == "Two."
    with pytest.raises(SetupError, match="No request of this session was broken off"):
        second.resume_sync()


def test_what_was_not_finished_has_to_go_on_or_end_first(kept, home, picture, events_of):
    def leave(view):
        shutil.copytree(home, home.with_name("left"))
        return "late"

    kept("detect(img_1, 'face')", leave).run_sync("go", [picture])
    left = kept("Hello.", "Hello.", home=home.with_name("left"))
    with pytest.raises(SetupError, match=r"resume\(\) finishes it, stop\(\) ends it"):
        left.run_sync("next")
    left.stop()
    trace = left.run_sync("next")
    assert [turn.reason for turn in trace.turns] == ["cancelled", "answered"]
    assert trace.turns[0].steps[0].observations[0].handle == "boxes_1"
    assert "boxes_1" in trace.artifacts


def test_time_spent_before_a_kill_counts_and_time_between_does_not(kept, home, picture):
    def leave(view):
        shutil.copytree(home, home.with_name("left"))
        return "late"

    kept("slow(img_1, 0.6)", leave).run_sync("go", [picture])
    time.sleep(0.5)
    left = kept("", "slow(img_1, 30)", home=home.with_name("left"), seconds=0.5)
    turn = left.resume_sync().turns[0]
    assert turn.reason == "time"
    left = json.dumps(without_times(left.trace))
    assert "slow was stopped" not in left


def test_a_call_by_hand_goes_on_too(kept, home, picture):
    @skill
    def leaves(image: Image) -> Number:
        """Leave a copy of the disk, the first time."""
        if not home.with_name("left").exists():
            shutil.copytree(home, home.with_name("left"))
        return Number(7.0)

    first = kept(skills=SkillRegistry([leaves]))
    first.attach([picture])
    first.call_sync("leaves", {"image": "img_1"})
    left = kept(skills=SkillRegistry([leaves]), home=home.with_name("left"))
    turn = left.resume_sync().turns[0]
    assert (turn.by, turn.answer, turn.reason) == ("person", "7", "answered")


def test_a_session_that_is_open_elsewhere_is_refused_and_free_after_a_kill(kept, home, picture):
    code = (
        "import sys, time; from llava_plus.agent import Agent, ScriptedPlanner\n"
        "chat = Agent(ScriptedPlanner(['ok']), home=sys.argv[1]).session('one')\n"
        "chat.run_sync('go'); print('open', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, home], stdout=subprocess.PIPE)
    try:
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(StoreError, match=f"open already, in process {other.pid}"):
            kept("late")
    finally:
        other.kill()
        other.communicate()
    assert kept("late").trace.turns[0].answer == "ok"


def test_an_agent_gives_an_open_session_out_again(skills, home):
    agent = Agent(ScriptedPlanner(["a"]), skills, home=home)
    unnamed = agent.session()
    unnamed.run_sync("go")
    assert agent.session(unnamed.id) is unnamed
    agent.forget(unnamed.id)
    with pytest.raises(StoreError, match="closed"):
        unnamed.run_sync("go")
    assert agent.session(unnamed.id).trace.turns[0].answer == "a"


def test_a_full_disk_is_a_sentence_and_the_run_goes_on_when_there_is_room(kept, home, picture):
    def fill(view):
        if not filled:
            log = home / "sessions" / "one" / "session.sqlite-wal"
            filled.append(log.stat().st_size + 9000)
            resource.setrlimit(resource.RLIMIT_FSIZE, (filled[0], hard))
        return "blur(img_1, strength=0.1) & blur(img_1, strength=0.2)"

    filled = []
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    calls = [f"detect(img_1, 'face') & blur(img_1, strength={n / 10})" for n in range(4)]
    chat = kept(calls[0], fill, *calls[1:], "ok")
    told = r"Session one, .*(full|space).* goes on where it stopped"
    with files_up_to(-1), pytest.raises(StoreError, match=told):
        chat.run_sync("go", [picture])
    assert chat.interrupted
    assert chat.trace.turns == ()
    (turn,) = chat.resume_sync().turns
    assert (turn.answer, len(turn.steps)) == ("ok", 6)
    made = [one.handle for step in turn.steps for one in step.observations]
    assert made == ["boxes_1", "img_2", "img_3", "img_4"] + [
        name for n in range(2, 5) for name in (f"boxes_{n}", f"img_{n + 3}")
    ]


def test_a_disk_that_is_full_from_the_start_takes_nothing_away(kept, picture):
    chat = kept("ok")
    with files_up_to(3000), pytest.raises(StoreError, match=r"(full|space)"):
        chat.run_sync("go", [picture])
    assert not chat.interrupted
    assert chat.run_sync("go", [picture]).turns[0].answer == "ok"


def test_a_home_that_cannot_be_written_is_a_sentence(kept, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="choose another folder with LLAVA_PLUS_HOME"):
        kept("ok", home=tmp_path / "file" / "home").run_sync("go")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_read_only_folder_is_a_sentence(kept, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="choose another folder with LLAVA_PLUS_HOME"):
        kept("ok").run_sync("go")
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("damage", ["garbage", "cut", "words"])
def test_a_damaged_session_says_what_to_do_and_stays_as_it_is(kept, home, picture, damage):
    chat = kept("ok")
    chat.run_sync("go", [picture])
    chat.close()
    path = home / "sessions" / "one" / "session.sqlite"
    content = path.read_bytes()
    bad = {
        "garbage": b"no database" * 1000,
        "cut": content[: len(content) // 2],
        "words": content.replace(b'"message":"go"', b'"massage":"go"'),
    }[damage]
    path.write_bytes(bad)
    with pytest.raises(StoreError, match=r"damaged.*put a copy back"):
        kept("late")
    assert path.read_bytes() == bad
    path.write_bytes(content)
    assert kept("late").trace.turns[0].answer == "ok"


def test_a_picture_that_is_gone_says_so(kept, home, picture):
    chat = kept("ok")
    chat.run_sync("go", [picture])
    chat.close()
    shutil.rmtree(home / "pictures")
    with pytest.raises(SetupError, match="Was its folder emptied or moved"):
        kept("late")


@pytest.mark.parametrize("id", ["", "../up", "a/b", "-x", "x" * 65, "ü"])
def test_a_name_that_is_no_folder_is_refused(kept, id):
    with pytest.raises(SetupError, match="cannot be called"):
        kept("ok", id=id)


def numbered(view):
    """Return the next line, from the number in the request."""
    number, step = int(view.turns[-1].message), len(view.turns[-1].steps)
    lines = [
        f"blur(img_1, strength={number / 100})",
        "detect(img_2, 'face')",
        f"{number} {{img_2}}",
    ]
    return lines[step]


def own(trace, number, picture):
    """Whether a trace is all that session's own."""
    (turn,) = trace.turns
    assert (turn.message, turn.answer) == (str(number), f"{number} img_2")
    assert turn.steps[0].actions[0].args["strength"] == number / 100
    assert list(trace.artifacts) == ["img_1", "img_2", "boxes_1"]
    assert np.array_equal(trace.artifacts["img_1"].value.pixels, picture + number)
    assert np.array_equal(trace.artifacts["img_2"].value.pixels, (picture + number) // 2)


@pytest.mark.parametrize("on_disk", [True, False])
@pytest.mark.parametrize("how", ["tasks", "threads"])
def test_twenty_sessions_at_once_do_not_mix(skills, home, picture, how, on_disk):
    agent = Agent(ScriptedPlanner([numbered] * 60), skills, home=home if on_disk else None)

    async def one(number):
        events = agent.session(f"s{number}").run(str(number), [picture + number])
        ended = [event async for event in events if isinstance(event, Finished)]
        return ended[-1].trace

    async def all_of_them():
        return await asyncio.gather(*map(one, range(20)))

    if how == "tasks":
        traces = asyncio.run(all_of_them())
    else:
        with ThreadPoolExecutor(20) as pool:
            traces = list(pool.map(lambda number: asyncio.run(one(number)), range(20)))
    for number, trace in enumerate(traces):
        own(trace, number, picture)
    if on_disk:
        del agent
        reopened = Agent(ScriptedPlanner([]), skills, home=home.with_name("copy"))
        shutil.copytree(home, home.with_name("copy"))
        for number in range(20):
            own(reopened.session(f"s{number}").trace, number, picture)


def test_stopping_from_another_thread_is_kept(kept, picture):
    chat = kept("slow(img_1)")
    threading.Timer(0.4, chat.stop).start()
    assert chat.run_sync("go", [picture]).turns[0].reason == "cancelled"
    chat.close()
    again = kept("slow(img_1)")
    assert (again.interrupted, again.trace.turns[0].reason) == (False, "cancelled")


def test_half_an_answer_and_why_it_ended_survive_a_kill(skills, home):
    class Broken:
        name = "broken"

        async def plan(self, view):
            yield '{"thought":"one","answer":"I see'
            raise SetupError("Start the server.")

    async def follow():
        async for event in Agent(Broken(), skills, home=home).session("one").run("go"):
            if isinstance(event, AnswerDelta) and "server" in event.text:
                shutil.copytree(home, home.with_name("left"))

    asyncio.run(follow())
    left = Agent(Broken(), skills, home=home.with_name("left")).session("one")
    (turn,) = left.resume_sync().turns
    assert turn.answer == "I see\n\nThe planner cannot work: Start the server."
    assert turn.reason == "error"
