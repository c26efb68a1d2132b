"""From a typed function to its spec; what is wrong with it is said here, not on a third step."""

import hashlib
import inspect
import math
import re
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
from typing import Any, get_args, get_type_hints

from llava_plus.errors import SetupError
from llava_plus.syntax import steadily

from .classes import function_of, snake_case
from .mistakes import VALUES, no_return_type, return_type, wrong
from .parameters import read_parameter
from .spec import Isolation, SkillSpec, members, takes_none

FILE_MARK = "__skill_file__"  # stands in the modules that were imported from a person's file
NAME = re.compile(r"[a-z][a-z0-9_]*")
_BUILTIN = "llava_plus.skills.builtin"


def declare(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    time_limit: float = 30.0,
    examples: Sequence[str] = (),
    aliases: Sequence[str] = (),
    cache: bool = True,
    isolation: Isolation | None = None,
    memory_limit: int = 4096,
    approval: bool = False,
) -> SkillSpec:
    """Read the signature and the docstring of a function or class, or say what they lack."""
    source, prepare = function, None
    own = getattr(function, "__name__", "")
    name = name or (snake_case(own) if inspect.isclass(function) else own)
    if inspect.isclass(function):
        function, prepare = function_of(function)
    _check_function(function, name)
    _check_limits(function, name, time_limit, memory_limit)
    if isolation not in (None, *get_args(Isolation)):
        raise wrong(function, name, f"isolation is 'worker' or 'inline', got {isolation!r}")
    doc, hints = _doc(function, name), _hints(function, name)
    described = _described(doc)
    return SkillSpec(
        name=name,
        description=" ".join(doc.split("\n\n")[0].split()),
        doc=doc,
        parameters=tuple(
            read_parameter(function, name, parameter, hints, described)
            for parameter in inspect.signature(function).parameters.values()
        ),
        returns=_returns(function, name, hints),
        function=function,
        prepare=prepare,
        examples=_words(function, name, "examples", examples),
        aliases=_words(function, name, "aliases", aliases),
        time_limit=float(time_limit),
        cache=cache,
        approval=approval,
        version=_version(source, function),
        isolation=isolation or ("worker" if _in_a_file(function) else "inline"),
        isolation_given=isolation is not None,
        memory_limit=memory_limit,
        backend="builtin" if function.__module__.startswith(_BUILTIN) else function.__module__,
    )


def _check_function(function: Callable[..., Any], name: str) -> None:
    """Refuse what has no name or no types, and what does not simply return."""
    if not isinstance(inspect.unwrap(function), FunctionType):
        raise SetupError(
            f"@skill got {function!r}, wanted a function. Write it above a 'def'; "
            "its options have names, as in @skill(name='find_edges')."
        )
    if name == "<lambda>":
        raise wrong(function, name, "a lambda has no types and no docstring. Write it with 'def'")
    if not NAME.fullmatch(name):
        raise wrong(function, name, "a name is small letters, digits and _, such as 'find_edges'")
    around = function.__qualname__.rpartition("<locals>.")[2].rpartition(".")[0]
    if around:
        why = f"it is a method of {around}. Move it out of the class, or write @skill above the "
        raise wrong(function, name, why + "class, which then has '__call__' and may have 'load'")
    body = inspect.unwrap(function)
    if inspect.iscoroutinefunction(body) or inspect.isasyncgenfunction(body):
        raise wrong(function, name, "write 'def' instead of 'async def', it runs in a thread")
    if inspect.isgeneratorfunction(body):
        raise wrong(function, name, "it yields, but a skill gives one value. Write 'return'")


def _check_limits(
    function: Callable[..., Any], name: str, time_limit: float, memory_limit: int
) -> None:
    for label, limit, unit in (
        ("time_limit", time_limit, "seconds"),
        ("memory_limit", memory_limit, "MiB"),
    ):
        number = isinstance(limit, int | float) and not isinstance(limit, bool)
        if not (number and math.isfinite(limit) and limit > 0):
            raise wrong(function, name, f"{label} is in {unit}, above 0, got {limit!r}")


def _words(
    function: Callable[..., Any], name: str, label: str, words: Sequence[str]
) -> tuple[str, ...]:
    if isinstance(words, str) or not all(isinstance(word, str) and word for word in words):
        raise wrong(function, name, f"{label} is a list of strings, as in ['one'], got {words!r}")
    return tuple(words)


def _doc(function: Callable[..., Any], name: str) -> str:
    doc = inspect.getdoc(function) or ""
    if not doc.strip():
        raise wrong(
            function,
            name,
            "it needs a docstring, which is what the planner reads: in its first line what it "
            'does, as in """Blur a region of the picture."""',
        )
    if re.match(r"(Args|Returns|Raises):", doc):
        raise wrong(function, name, "its docstring must begin with what it does, not with 'Args:'")
    return doc


def _returns(function: Callable[..., Any], name: str, hints: Mapping[str, Any]) -> tuple[str, ...]:
    if "return" not in hints:
        raise wrong(function, name, no_return_type())
    parts = members(hints["return"])
    if takes_none(hints["return"]) or not all(part in VALUES for part in parts):
        raise wrong(function, name, return_type(hints["return"]))
    return tuple(part.kind for part in parts)


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError, SyntaxError) as error:
        why = f"its types cannot be read: {error}. Import what they name at the top of the file"
        raise wrong(function, name, why) from error


def _described(doc: str) -> dict[str, str]:
    """Return what the ``Args:`` block of a docstring says of each name."""
    block = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)+)", doc, re.M)
    if not block:
        return {}
    lines = inspect.cleandoc("\n" + block[1])
    entries = re.findall(r"^\*{0,2}(\w+)(?: *\([^)]*\))?: *(.*(?:\n[ \t]+.*)*)", lines, re.M)
    return {name: " ".join(words.split()) for name, words in entries}


def _in_a_file(function: Callable[..., Any]) -> bool:
    return FILE_MARK in getattr(inspect.unwrap(function), "__globals__", {})


def _version(source: Callable[..., Any], function: Callable[..., Any]) -> str:
    try:
        code = steadily(lambda: inspect.getsource(source)).encode()
    except (OSError, TypeError):
        code = inspect.unwrap(function).__code__.co_code
    return hashlib.sha256(code).hexdigest()[:8]
