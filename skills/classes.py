"""Skills that are classes: loaded once in a process, then called again and again."""

import functools
import inspect
import os
import re
import threading
from collections.abc import Callable
from typing import Any

from llava_plus.errors import SetupError

DEVICE = "LLAVA_PLUS_SKILL_DEVICE"  # names another device than the best that there is


def snake_case(name: str) -> str:
    """Turn the name of a class into that of a skill: ``FindEdges`` into ``find_edges``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def function_of(kind: type) -> tuple[Callable[..., Any], Callable[[], object]]:
    """Return a function that calls the one instance of a class, and what makes and loads it.

    The instance is made at the first call, or before it by the second of the two; where loading
    fails, the next call tries again.

    Raises:
        SetupError: The class cannot be called, or not be made without arguments.
    """
    if not any("__call__" in vars(base) for base in kind.__mro__):
        raise _wrong(kind, "lacks '__call__', which does the work. Write 'def __call__(self, …)'")
    needed = [p.name for p in inspect.signature(kind).parameters.values() if _needed(p)]
    if needed:
        why = f"is made without arguments, but its __init__ wants {', '.join(needed)}"
        raise _wrong(kind, f"{why}. Set these in load(self)")
    if not set(_loading(kind)) <= {"device"}:
        why = f"has a load() that wants {', '.join(_loading(kind))}"
        raise _wrong(kind, f"{why}. Write 'def load(self)' or 'def load(self, device: str)'")
    once = _Once(kind)
    return _dressed(kind, once), once.get


class _Once:
    """The one instance of a class in this process."""

    def __init__(self, kind: type) -> None:
        self._kind = kind
        self._lock = threading.Lock()
        self._made: Any = None

    def get(self) -> Any:
        """Return the instance, made and loaded."""
        with self._lock:
            if self._made is None:
                made = self._kind()
                if hasattr(made, "load"):
                    made.load(**({"device": best_device()} if _loading(self._kind) else {}))
                self._made = made
            return self._made


def best_device() -> str:
    """Return where PyTorch works fastest here: "cuda", "mps" or "cpu"."""
    if chosen := os.environ.get(DEVICE):
        return chosen
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _dressed(kind: type, once: _Once) -> Callable[..., Any]:
    """Return a function with the signature of the class's ``__call__``, without ``self``."""
    inner: Any = vars(kind).get("__call__", kind.__call__)

    @functools.wraps(inner)
    def function(*args: Any, **named: Any) -> Any:
        return once.get()(*args, **named)

    docs = [inspect.cleandoc(each.__doc__) for each in (kind, inner) if each.__doc__]
    parameters = list(inspect.signature(inner).parameters.values())[1:]
    dressed: Any = function
    dressed.__signature__ = inspect.signature(inner).replace(parameters=parameters)
    dressed.__name__, dressed.__qualname__ = kind.__name__, kind.__qualname__
    dressed.__module__ = kind.__module__
    dressed.__doc__ = "\n\n".join(docs)  # the class says what it does, the call what it takes
    return function


def _loading(kind: type) -> list[str]:
    """Name what ``load`` takes."""
    load = getattr(kind, "load", None)
    return [] if load is None else list(inspect.signature(load).parameters)[1:]


def _needed(parameter: inspect.Parameter) -> bool:
    several = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and not several


def _wrong(kind: type, why: str) -> SetupError:
    return SetupError(f"skill {snake_case(kind.__name__)!r}: class {kind.__name__} {why}.")
