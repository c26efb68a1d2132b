"""A planner behind a real server: `transformers serve` with a tiny model of random weights."""

import asyncio
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import pytest

from llava_plus.agent import Decision, PlannerError, PlanView
from llava_plus.agent.planners.remote import RemotePlanner
from llava_plus.agent.planners.remote_config import RemoteConfig
from llava_plus.agent.trace import Turn
from llava_plus.skills import Artifacts, Image

STARTS_WITHIN = 240  # seconds
NEEDS = ("fastapi", "uvicorn")  # accelerate too for its own command; see serving.py
SERVE = shutil.which("transformers", path=Path(sys.executable).parent)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def is_up(port):
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    with suppress(OSError, HTTPException):
        connection.request("GET", "/health")
        return connection.getresponse().status < 500
    return False


@pytest.fixture(scope="module")
def peer(request, tmp_path_factory):
    """The address of a server and the name of its model."""
    missing = [name for name in NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"transformers serve needs {', '.join(missing)}")
    folder, home = tmp_path_factory.mktemp("tiny"), tmp_path_factory.mktemp("home")
    for part in request.getfixturevalue("llava"):
        part.save_pretrained(folder)
    (home / "hub").mkdir()
    port = free_port()
    command = [sys.executable, str(Path(__file__).with_name("serving.py")), str(folder), str(port)]
    if SERVE is not None and importlib.util.find_spec("accelerate") is not None:
        command = [SERVE, "serve", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
        command.append(str(folder))
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(home)},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        end = time.monotonic() + STARTS_WITHIN
        while not is_up(port):
            if process.poll() is not None or time.monotonic() > end:
                words = (home / "log").read_text(errors="replace")[-300:]
                pytest.skip(f"transformers serve does not start: {words}")
            time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1", str(folder)
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["native", "json"])
def test_a_real_server_reads_a_picture_and_streams(peer, skills, picture, dialect):
    address, model = peer
    planner = RemotePlanner(
        RemoteConfig(address=address, model=model, dialect=dialect, max_tokens=24, timeout=300)
    )
    artifacts = Artifacts()
    turn = Turn(message="Blur the faces", images=(artifacts.add(Image.from_array(picture)),))
    view = PlanView(turns=(turn,), artifacts=artifacts, skills=skills, cancel=threading.Event())
    came = []

    async def plan():
        async for item in planner.plan(view):
            came.append(item)

    # Random weights babble: in json that cannot be read, natively it is an answer, unless it
    # does not end.
    try:
        asyncio.run(plan())
    except PlannerError as error:
        assert dialect == "json" or "did not end" in str(error)  # noqa: PT017
    else:
        assert isinstance(came.pop(), Decision)
    assert "".join(came)
    assert planner.spent.requests == 1
    assert planner.spent.read > 100
