"""Photographs that the test tools bring along, and a person's own skills in workers."""

import asyncio
import runpy
import subprocess
import time
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from skimage import data

from llava_plus.skills import (
    Artifacts,
    Boxes,
    Call,
    Image,
    Runtime,
    SkillRegistry,
    WorkerPool,
    load_image,
)

HOPPER = f"{matplotlib.get_data_path()}/sample_data/grace_hopper.jpg"


@pytest.fixture(scope="session")
def astronaut():
    return Image(data.astronaut())


@pytest.fixture(scope="session")
def hopper():
    return load_image(HOPPER)


@pytest.fixture(scope="session")
def coffee():
    return Image(data.coffee())


@pytest.fixture(scope="session")
def coins():
    return Image.from_array(data.coins())


@pytest.fixture(scope="session")
def her_face():
    """Where the astronaut's face is, as a person drew it."""
    return Boxes(((0.348, 0.113, 0.523, 0.341),), labels=("face",), query="face")


@pytest.fixture(scope="session")
def odd_pictures():
    """Pictures of sizes and kinds that break careless code."""
    draw = np.random.default_rng(0)
    return {
        "one pixel": Image(np.full((1, 1, 3), 7, np.uint8)),
        "one row": Image(draw.integers(0, 255, (1, 300, 3), np.uint8)),
        "one column": Image(draw.integers(0, 255, (300, 1, 3), np.uint8)),
        "very wide": Image(draw.integers(0, 255, (40, 8192, 3), np.uint8)),
        "transparent": Image(draw.integers(0, 255, (50, 60, 4), np.uint8)),
        "grey": Image.from_array(draw.integers(0, 255, (50, 60), np.uint8)),
        "plain": Image(np.full((64, 64, 3), 128, np.uint8)),
    }


@pytest.fixture(scope="session")
def mine():
    """The file of a person's own skills."""
    return Path(__file__).with_name("mine.py")


@pytest.fixture(scope="module")
def pool():
    pool = WorkerPool(limit=2)
    yield pool
    pool.close()


@pytest.fixture
def runtime(mine, pool):
    """Run the person's own skills."""
    return _runtime_of(SkillRegistry.from_file(mine), pool)


@pytest.fixture
def runtime_of():
    """Make a runtime of a registry and a pool, with a small picture."""
    return _runtime_of


@pytest.fixture
def run():
    """Run a skill on the picture."""
    return _run


@pytest.fixture
def pid_of():
    """Ask in which process skills run."""
    return _pid_of


@pytest.fixture
def alive():
    """Tell whether a process runs."""
    return _alive


@pytest.fixture
def eventually():
    """Wait until something is so."""
    return _eventually


@pytest.fixture
def hanging():
    """Return the file in which ``hang`` says its processes, and how to read it."""
    return _hanging


@pytest.fixture(scope="session")
def tiny():
    """What saves models of a few channels, laid out as the hub's repositories are."""
    return SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("tiny.py"))))


@pytest.fixture(scope="session")
def checkpoint(tiny, tmp_path_factory):
    """Return the folder of a tiny model by its name; nobody may change what is in it."""
    home = tmp_path_factory.mktemp("checkpoints")
    return cache(lambda name: getattr(tiny, name)(home / name))


@pytest.fixture
def own_choice(monkeypatch, tmp_path):
    """Leave the choice of backends to the test, and let the hub's cache be empty."""
    from huggingface_hub import constants

    monkeypatch.delenv("LLAVA_PLUS_BACKENDS")
    monkeypatch.setenv("LLAVA_PLUS_SKILL_DEVICE", "cpu")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def _runtime_of(registry, pool):
    artifacts = Artifacts()
    artifacts.add(Image(np.full((4, 6, 3), 100, np.uint8)))
    return Runtime(registry, artifacts, pool=pool)


def _run(runtime, skill, cancel=None, **args):
    call = Call(id="c", skill=skill, args={"image": "img_1"} | args)
    return asyncio.run(runtime.run(call, cancel))


def _pid_of(runtime):
    return int(runtime.artifacts[_run(runtime, "pid").handle].value.value)


def _alive(pid):
    told = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True)
    return told.stdout.strip()[:1] not in ("", "Z")


def _eventually(condition, what):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"not within a minute: {what}")
        time.sleep(0.05)


def _hanging(tmp_path):
    """Return the file in which ``hang`` says its processes, and how to read it."""
    path = tmp_path / "pids"

    def pids():
        _eventually(path.exists, "hang has begun")
        return [int(pid) for pid in path.read_text().split()]

    return str(path), pids
