"""What skills returned, kept on this machine from one start to the next."""

import os

from llava_plus.agent import data_home
from llava_plus.errors import SetupError
from llava_plus.skills import ResultCache

CACHE = "LLAVA_PLUS_CACHE_MB"
_CACHE_MB = 1000


def open_results() -> ResultCache | None:
    """Return the results of skills that earlier runs have kept; none at LLAVA_PLUS_CACHE_MB=0."""
    given = os.environ.get(CACHE, str(_CACHE_MB))
    if not given.isdecimal():
        raise SetupError(f"{CACHE} is {given!r}; give a number of megabytes, 0 to keep nothing.")
    cap = int(given) * 1_000_000
    return ResultCache(data_home() / "cache", cap=cap) if cap else None
