"""How long it takes from the command to a page that answers, and to the first result on it."""

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

LONGEST = 120.0  # seconds
COMMAND = "from llava_plus.ui.cli import main; main()"
REQUEST = {"text": "/calculate 6*7", "files": []}
RESULT = "42"


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Seconds since the command."""

    page: float  # when it was there
    result: float  # when a skill's result was on it


def open_page() -> Opened:
    """Start the program as a person does, call a skill on its page, and end it."""
    began = time.perf_counter()
    with _program() as (process, address), httpx.Client(base_url=address, timeout=LONGEST) as page:
        while not _answers(page):
            if process.poll() is not None or time.perf_counter() - began > LONGEST:
                raise RuntimeError(f"no page at {address}; the program's exit: {process.returncode}")
            time.sleep(0.02)
        there = time.perf_counter()
        _call(page)
        return Opened(page=there - began, result=time.perf_counter() - began)


@contextmanager
def _program() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run ``llava-plus ui`` with a data directory of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "ui", "--no-browser", "--port", str(port)],
            env={**os.environ, "LLAVA_PLUS_HOME": home},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield process, f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(LONGEST)


def _answers(page: httpx.Client) -> bool:
    try:
        return page.get("/").status_code == 200
    except httpx.TransportError:
        return False


def _call(page: httpx.Client) -> None:
    """Send a call as the page in a browser does, and wait for its result."""
    config = page.get("/config").raise_for_status().json()
    session = secrets.token_hex(8)
    _event(page, config, session, "load")
    if RESULT not in (seen := _event(page, config, session, "submit")):
        raise RuntimeError(f"the page did not show {RESULT}: {seen[-500:]}")


def _event(page: httpx.Client, config: dict[str, Any], session: str, name: str) -> str:
    """Let an event of the page happen; return all that came back."""
    wired = next(
        each for each in config["dependencies"] if any(on == name for _, on in each["targets"])
    )
    kinds = {each["id"]: each["type"] for each in config["components"]}
    data = [REQUEST if kinds[id] == "multimodaltextbox" else None for id in wired["inputs"]]
    body = {"data": data, "fn_index": wired["id"], "session_hash": session}
    api = config["api_prefix"]
    page.post(f"{api}/queue/join", json=body).raise_for_status()
    seen = ""
    with page.stream("GET", f"{api}/queue/data", params={"session_hash": session}) as stream:
        for line in stream.iter_lines():
            seen += line
            if line.startswith("data:") and _message(line) == "process_completed":
                break
    return seen


def _message(line: str) -> str:
    return str(json.loads(line.removeprefix("data:"))["msg"])
