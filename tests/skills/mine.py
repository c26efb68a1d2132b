"""Skills of a person, which work, break, hang and take too much."""

import ctypes
import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import Image, Number, Text, Value, skill


@skill(cache=False)
def pid(image: Image, n: int = 0) -> Number:
    """Tell which process this is."""
    return Number(np.int64(os.getpid()), str(n))


@skill
def same(value: Value) -> Value:
    """Give it back."""
    return value


@skill
def tell(
    image: Image,
    words: list[str] | None = None,
    *,
    level: float | None = 0.5,
    side: Literal["left", "right"] = "left",
    day: date | None = None,
) -> Text:
    """Tell what came in."""
    return Text(f"{words} {level} {side} {day!r}")


@skill(time_limit=0.5)
def stuck(image: Image) -> Number:
    """Hold the interpreter in C code."""
    ctypes.PyDLL(None).sleep(600)


@skill(time_limit=600)
def hang(image: Image, path: str) -> Number:
    """Start a process, say which processes there are, and hold the interpreter in C code."""
    child = subprocess.Popen(["sleep", "600"])
    part = Path(path + ".part")
    part.write_text(f"{os.getpid()} {child.pid}")
    part.rename(path)
    ctypes.PyDLL(None).sleep(600)


@skill(memory_limit=400)
def hoard(image: Image) -> Number:
    """Take more and more memory."""
    blocks = []
    for _ in range(40):
        blocks.append(np.ones(2**23))
        time.sleep(0.02)
    time.sleep(600)


@skill
def leave(image: Image) -> Number:
    """End the process."""
    os._exit(3)


@skill
def fall(image: Image) -> Number:
    """Crash the interpreter."""
    ctypes.string_at(0)


@skill
def quit(image: Image) -> Number:
    """Leave politely."""
    sys.exit(3)


@skill
def fail(image: Image) -> Number:
    """Raise."""
    raise KeyError("where it happened")


@skill
def refuse(image: Image) -> Number:
    """Refuse."""
    raise SkillError("refuse: not this one.")


@skill
def lack(image: Image) -> Number:
    """Lack something."""
    raise SetupError("lack needs a thing: pip install thing")


@skill
def lie(image: Image) -> Number:
    """Return what nobody could send."""
    return lambda: 1


@skill
def hide(image: Image) -> Text:
    """Return a value with something inside that nobody could send."""
    return Text(lambda: 1)


@skill(cache=False)
def chat(image: Image) -> Number:
    """Print by all ways."""
    print("printed")  # noqa: T201
    print("complained", file=sys.stderr)  # noqa: T201
    os.write(1, b"written\n")
    subprocess.run(["echo", "echoed"])
    return Number(1)


@skill(cache=False)
def litter(image: Image) -> Text:
    """Leave a file in the working directory."""
    found = list(Path().iterdir())
    Path("litter.txt").touch()
    return Text(f"{found} {Path.cwd()}")


@skill(isolation="inline", cache=False)
def here(image: Image) -> Number:
    """Run where the program runs."""
    return Number(os.getpid())
