"""How long it takes from the command to a page that answers, and to the first result on it."""

import json
import os
import re
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

LONGEST = 120.0  # seconds
COMMAND = "from llava_plus.ui.cli import main; main()"
REQUEST = {"text": "/calculate 6*7", "files": []}
RESULT = "42"
Wired = dict[str, Any]  # a handler of the page, as its configuration tells browsers of it


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Seconds since the command."""

    page: float  # when the page had been loaded
    result: float  # when a skill's result was on it


def open_page() -> Opened:
    """Start the program as a person does, call a skill on its page, and end it."""
    began = time.perf_counter()
    with _program() as address, httpx.Client(base_url=address, timeout=LONGEST) as page:
        page.get("/").raise_for_status()
        there = time.perf_counter()
        _call(page)
        return Opened(page=there - began, result=time.perf_counter() - began)


@contextmanager
def _program() -> Iterator[str]:
    """Run ``llava-plus ui`` with a data directory of its own; give the address that it says."""
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "ui", "--no-browser"],
            env={**os.environ, "LLAVA_PLUS_HOME": home},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            if (found := re.search(r"http://\S+", said)) is None:
                raise RuntimeError(f"wanted the page's address, the program said {said!r}")
            yield found[0]
        finally:
            process.terminate()
            process.communicate()


def _call(page: httpx.Client) -> None:
    """Send a call as the page in a browser does, and wait for its result."""
    config = page.get("/config").raise_for_status().json()
    session = secrets.token_hex(8)
    wired = config["dependencies"]
    _event(page, config, session, _first(wired, lambda one: _on(one, "load")))
    sent = _first(wired, lambda one: _on(one, "submit"))
    _event(page, config, session, sent)
    followed = _first(wired, lambda one: one["trigger_after"] == sent["id"])
    if RESULT not in (seen := _event(page, config, session, followed)):
        raise RuntimeError(f"the page did not show {RESULT}: {seen[-500:]}")


def _first(wired: list[Wired], wanted: Callable[[Wired], bool]) -> Wired:
    return next(one for one in wired if wanted(one))


def _on(one: Wired, name: str) -> bool:
    return any(on == name for _, on in one["targets"])


def _event(page: httpx.Client, config: dict[str, Any], session: str, wired: Wired) -> str:
    """Let an event of the page happen; return all that came back."""
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
