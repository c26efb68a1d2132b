"""Where things are kept on this machine from one start to the next."""

import os
import sys
from pathlib import Path

from llava_plus.errors import SetupError
from llava_plus.skills import ResultCache

HOME = "LLAVA_PLUS_HOME"
CACHE = "LLAVA_PLUS_CACHE_MB"
_CACHE_MB = 1000


def data_folder() -> Path:
    """Return the one folder for all that is kept: ``LLAVA_PLUS_HOME``, or the system's place."""
    if home := os.environ.get(HOME):
        return Path(home).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "llava-plus"
    data = os.environ.get("XDG_DATA_HOME", "")
    base = Path(data) if Path(data).is_absolute() else Path.home() / ".local" / "share"
    return base / "llava-plus"


def open_results() -> ResultCache | None:
    """Return the results of skills that earlier runs have kept; none at LLAVA_PLUS_CACHE_MB=0."""
    given = os.environ.get(CACHE, str(_CACHE_MB))
    if not given.isdecimal():
        raise SetupError(f"{CACHE} is {given!r}; give a number of megabytes, 0 to keep nothing.")
    cap = int(given) * 1_000_000
    return ResultCache(data_folder() / "results", cap=cap) if cap else None
