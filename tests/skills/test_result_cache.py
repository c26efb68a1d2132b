import asyncio
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from llava_plus.skills import (
    Artifacts,
    Boxes,
    Call,
    Image,
    Number,
    ResultCache,
    Runtime,
    SkillRegistry,
    Table,
    Text,
)

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)  # 12 KiB as PNG
MINE = '''
from llava_plus.skills import Boxes, Image, Text, skill

RUNS = []

@skill(isolation="inline")
def invert(image: Image) -> Image:
    """Invert."""
    RUNS.append(1)
    return Image(255 - image.pixels)

@skill(isolation="inline")
def look(image: Image) -> Boxes:
    """Find nothing."""
    RUNS.append(1)
    return Boxes((), query="cat")

@skill(isolation="inline", cache=False)
def draw(image: Image) -> Text:
    """Draw lots."""
    RUNS.append(1)
    return Text("3")
'''


@pytest.fixture
def cache(tmp_path):
    return ResultCache(tmp_path / "kept", cap=200_000, worth=0)


def picture(number):
    return Image(np.roll(NOISE, number, axis=1), meta={"camera": str(number)})


def key(number):
    return f"{number:064x}"


def registry_of(tmp_path, body=MINE):
    path = tmp_path / "mine.py"
    path.write_text(body)
    return SkillRegistry.from_file(path)


def ask(registry, results, skill="invert", **options):
    """Run a skill in a session of its own; return what came, and how often it ever ran."""
    artifacts = Artifacts()
    artifacts.add(picture(1))
    runtime = Runtime(registry, artifacts, results=results, **options)
    call = Call(id="c", skill=skill, args={"image": "img_1"})
    seen = asyncio.run(runtime.run(call))
    runs = len(registry[skill].function.__globals__["RUNS"])
    return seen, artifacts[seen.handle].value, runs


@pytest.mark.parametrize(
    "value",
    [
        picture(1),
        Image(np.zeros((2, 3, 4), np.uint8)),
        Boxes((), query="cat"),
        Number(np.int64(3), "m"),
        Table(("a", "b"), ((1, None), (True, "é"))),
        Text("\n\ud800"),
    ],
)
def test_what_was_kept_is_found_again_by_another_start(cache, value):
    assert cache.get(key(1)) is None
    cache.put(key(1), value)
    found = ResultCache(cache.root).get(key(1))
    assert found == value
    assert getattr(found, "meta", None) == getattr(value, "meta", None)
    assert cache.get(key(2)) is None


@pytest.mark.parametrize("skill", ["invert", "look"])
def test_a_later_session_is_answered_from_the_disk(tmp_path, cache, skill):
    registry = registry_of(tmp_path)
    first, made, _ = ask(registry, cache, skill)
    again, found, runs = ask(registry, ResultCache(cache.root, worth=0), skill)
    assert (first.cached, again.cached, runs) == (False, True, 1)
    assert found == made
    assert again.text == first.text


def test_quick_and_changeable_results_and_those_of_stand_ins_are_not_kept(tmp_path, cache):
    registry = registry_of(tmp_path)
    double = replace(registry["invert"], function=lambda image: Image(255 - image.pixels))
    ask(registry, ResultCache(cache.root, worth=60))
    ask(registry, cache, "draw")
    ask(registry, cache, cache=False)
    artifacts = Artifacts()
    artifacts.add(picture(1))
    runtime = Runtime(SkillRegistry([double]), artifacts, results=cache)
    assert asyncio.run(runtime.run(Call(id="c", skill="invert", args={"image": "img_1"}))).ok
    assert not cache.root.exists()


def test_other_code_behind_a_skill_is_another_call(tmp_path, cache):
    registry = registry_of(tmp_path)
    ask(registry, cache)
    changed = registry_of(tmp_path, MINE + "\nHELPER = 2\n")
    assert changed["invert"].version == registry["invert"].version
    assert not ask(changed, cache)[0].cached


def pngs(cache):
    return list(cache.root.rglob("*.png"))


def entries(cache):
    return list(cache.root.rglob("*.json"))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def changed(path):
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)


def emptied(path):
    path.write_bytes(b"")


def binary(path):
    path.write_bytes(b"\xff\xfe\x00" * 50)


def other_picture(path):
    Image(255 - NOISE).save(path)


@pytest.mark.parametrize("damage", [cut, changed, emptied, binary, Path.unlink])
def test_a_damaged_entry_is_dropped_and_made_again(cache, damage):
    cache.put(key(1), picture(1))
    damage(entries(cache)[0])
    assert cache.get(key(1)) is None
    assert not entries(cache)
    cache.put(key(1), picture(1))
    assert cache.get(key(1)) == picture(1)


@pytest.mark.parametrize("damage", [cut, emptied, binary, other_picture, Path.unlink])
def test_a_damaged_picture_takes_its_entry_along(cache, damage):
    cache.put(key(1), picture(1))
    damage(pngs(cache)[0])
    assert cache.get(key(1)) is None
    assert not entries(cache)
    assert not pngs(cache)
    cache.put(key(1), picture(1))
    assert cache.get(key(1)) == picture(1)


def age(cache):
    """Make all files a day older, so that what is used next is the newest."""
    for path in (*entries(cache), *pngs(cache)):
        then = path.stat().st_mtime_ns - 86400 * 10**9
        os.utime(path, ns=(then, then))


def test_the_least_recently_used_go_first_and_the_cap_holds(cache):
    for number in range(40):
        cache.put(key(number), picture(number))
        age(cache)
        assert cache.get(key(0)) == picture(0)
        age(cache)
        assert cache.size() <= cache.cap
    assert cache.get(key(39)) == picture(39)
    assert cache.get(key(1)) is None
    assert 5 < len(entries(cache)) < 20


def test_a_result_above_the_cap_harms_nobody(tmp_path):
    cache = ResultCache(tmp_path / "kept", cap=5000)
    cache.put(key(1), picture(1))
    assert cache.get(key(1)) is None
    assert cache.size() <= 5000


WRITER = """
import sys
from pathlib import Path
import numpy as np
from llava_plus.skills import Image, ResultCache

cache = ResultCache(Path(sys.argv[1]), cap=200_000)
noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
for turn in range(60):
    number = (turn * 7 + int(sys.argv[2])) % 30
    image = Image(np.roll(noise, number, axis=1), meta={"camera": str(number)})
    found = cache.get(f"{number:064x}")
    assert found is None or found == image, number
    cache.put(f"{number:064x}", image)
"""


def test_two_processes_share_a_folder(cache):
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    command = [sys.executable, "-c", WRITER, str(cache.root)]
    writers = [
        subprocess.Popen([*command, str(n)], env=env, stderr=subprocess.PIPE, text=True)
        for n in range(2)
    ]
    complaints = [writer.communicate()[1] for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], complaints
    assert cache.size() <= cache.cap * 1.2
    found = [cache.get(key(number)) for number in range(30)]
    assert 5 < sum(value is not None for value in found) < 20
    assert all(value in (None, picture(number)) for number, value in enumerate(found))
    assert not list(cache.root.rglob("*.part"))


def test_a_folder_that_cannot_be_written_costs_the_call_nothing(tmp_path, caplog):
    (tmp_path / "file").touch()
    cache = ResultCache(tmp_path / "file" / "kept", worth=0)
    seen, _, _ = ask(registry_of(tmp_path), cache)
    assert (seen.ok, seen.cached) == (True, False)
    assert "a result was not kept" in caplog.text


def test_only_the_owner_can_read_what_is_kept(cache):
    cache.put(key(1), picture(1))
    assert cache.root.stat().st_mode & 0o077 == 0
