"""One of our skills run on values from within another one."""

import threading
from typing import Any

from .origin import origin_of
from .registry import SkillRegistry
from .workers import GIVEN_UP, default_pool


def run_inside(skills: SkillRegistry, name: str, **args: Any) -> Any:
    """Run a skill; what runs in a worker otherwise does so here, and ends with the outer call.

    Args:
        skills: Those that there are.
        name: Which one.
        args: Values, and plain arguments, which nothing checks here.
    """
    spec = skills.find(name).for_call(args)
    origin = origin_of(spec) if spec.isolation == "worker" else None
    if origin is None:
        return spec.function(**args)
    return default_pool().run(spec, origin, args, GIVEN_UP.get(threading.Event()))
