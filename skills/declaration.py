"""From a typed function to its spec; what is wrong with it is said here, not on a third step."""

import hashlib
import inspect
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args, get_type_hints

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema

from llava_plus.errors import SetupError

from .spec import Isolation, Parameter, SkillSpec, members, takes_none, value_schema
from .values import Value

FILE_MARK = "__skill_file__"  # stands in the modules that were imported from a person's file
_BUILTIN = "llava_plus.skills.builtin"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_POSITIONS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_VALUES = get_args(Value)


def declare(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    time_limit: float = 30.0,
    examples: tuple[str, ...] = (),
    aliases: tuple[str, ...] = (),
    cache: bool = True,
    isolation: Isolation | None = None,
    memory_limit: int = 4096,
    approval: bool = False,
) -> SkillSpec:
    """Read a function's signature and docstring, or say what they lack."""
    name = name or function.__name__
    if not _NAME.fullmatch(name):
        raise _wrong(function, name, "a name is small letters, digits and _, such as 'find_edges'")
    if inspect.iscoroutinefunction(function):
        raise _wrong(function, name, "write 'def' instead of 'async def', it runs in a thread")
    if not (math.isfinite(time_limit) and time_limit > 0):
        raise _wrong(function, name, f"time_limit is in seconds, above 0, got {time_limit!r}")
    if memory_limit <= 0:
        raise _wrong(function, name, f"memory_limit is in MiB, above 0, got {memory_limit!r}")
    if isolation not in (None, *get_args(Isolation)):
        raise _wrong(function, name, f"isolation is 'worker' or 'inline', got {isolation!r}")
    doc = inspect.getdoc(function) or ""
    if not doc:
        raise _wrong(function, name, "it needs a docstring, which is what the planner reads")
    hints = _hints(function, name)
    described = _described(doc)
    return SkillSpec(
        name=name,
        description=" ".join(doc.split("\n\n")[0].split()),
        doc=doc,
        parameters=tuple(
            _parameter(function, name, parameter, hints, described)
            for parameter in inspect.signature(function).parameters.values()
        ),
        returns=_returns(function, name, hints),
        function=function,
        examples=tuple(examples),
        aliases=tuple(aliases),
        time_limit=float(time_limit),
        cache=cache,
        approval=approval,
        version=_version(function),
        isolation=isolation or ("worker" if _in_a_file(function) else "inline"),
        memory_limit=memory_limit,
        backend="builtin" if function.__module__.startswith(_BUILTIN) else function.__module__,
    )


def _parameter(
    function: Callable[..., Any],
    skill: str,
    declared: inspect.Parameter,
    hints: Mapping[str, Any],
    described: Mapping[str, str],
) -> Parameter:
    name = declared.name
    if declared.kind not in _POSITIONS:
        raise _wrong(function, skill, f"parameter {declared} must have a name of its own")
    if name not in hints or hints[name] is Any:
        raise _wrong(function, skill, f"parameter {name!r} lacks a type. Write '{name}: float'")
    annotation, required = hints[name], declared.default is declared.empty
    parts = members(annotation)
    kinds = tuple(part.kind for part in parts if part in _VALUES)
    if kinds and len(kinds) < len(parts):
        raise _wrong(function, skill, f"parameter {name!r} mixes values and plain types")
    if kinds and not required and declared.default is not None:
        raise _wrong(function, skill, f"parameter {name!r} can only have None as its default")
    adapter = None if kinds else _adapter(function, skill, name, annotation)
    schema = value_schema(kinds) if adapter is None else _schema(function, skill, name, adapter)
    if adapter is not None and not required:
        _check_default(function, skill, name, adapter, declared.default)
    if not required and declared.default is not None:
        schema["default"] = declared.default
    description = described.get(name) or schema.get("description", "")
    return Parameter(
        name=name,
        annotation=annotation,
        kinds=kinds,
        description=description,
        required=required,
        default=None if required else declared.default,
        nullable=takes_none(annotation),
        keyword_only=declared.kind is declared.KEYWORD_ONLY,
        json_schema=schema | ({"description": description} if description else {}),
        adapter=adapter,
    )


def _adapter(
    function: Callable[..., Any], skill: str, name: str, annotation: Any
) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation)
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError) as error:
        raise _unsupported(function, skill, name, annotation) from error


def _schema(
    function: Callable[..., Any], skill: str, name: str, adapter: TypeAdapter[Any]
) -> dict[str, Any]:
    try:
        return adapter.json_schema()
    except (PydanticInvalidForJsonSchema, PydanticUserError) as error:
        raise _unsupported(function, skill, name, adapter) from error


def _check_default(
    function: Callable[..., Any], skill: str, name: str, adapter: TypeAdapter[Any], default: Any
) -> None:
    try:
        adapter.validate_python(default)
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        raise _wrong(function, skill, f"parameter {name!r}: default {default!r}: {why}") from error


def _returns(function: Callable[..., Any], name: str, hints: Mapping[str, Any]) -> tuple[str, ...]:
    parts = members(hints.get("return"))
    if takes_none(hints.get("return")) or not all(part in _VALUES for part in parts):
        names = ", ".join(kind.__name__ for kind in _VALUES)
        raise _wrong(function, name, f"say what it returns, as in '-> Image'. One of: {names}")
    return tuple(part.kind for part in parts)


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError, SyntaxError) as error:
        raise _wrong(function, name, f"its types cannot be read: {error}") from error


def _described(doc: str) -> dict[str, str]:
    """Return what the ``Args:`` block of a docstring says of each name."""
    block = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)+)", doc, re.M)
    if not block:
        return {}
    lines = inspect.cleandoc("\n" + block[1])
    entries = re.findall(r"^\*{0,2}(\w+)(?: *\([^)]*\))?: *(.*(?:\n[ \t]+.*)*)", lines, re.M)
    return {name: " ".join(words.split()) for name, words in entries}


def _in_a_file(function: Callable[..., Any]) -> bool:
    return FILE_MARK in getattr(function, "__globals__", {})


def _version(function: Callable[..., Any]) -> str:
    try:
        source = inspect.getsource(function).encode()
    except (OSError, TypeError):
        source = function.__code__.co_code
    return hashlib.sha256(source).hexdigest()[:8]


def _unsupported(
    function: Callable[..., Any], skill: str, name: str, annotation: Any
) -> SetupError:
    return _wrong(
        function,
        skill,
        f"parameter {name!r} has a type that a planner cannot write ({annotation}). "
        "Take a value such as Image or Boxes, or str, int, float, bool, Literal or a list of those",
    )


def _wrong(function: Callable[..., Any], name: str, why: str) -> SetupError:
    code = getattr(function, "__code__", None)
    place = f"{Path(code.co_filename).name}:{code.co_firstlineno}: " if code else ""
    return SetupError(f"{place}skill {name!r}: {why}.")
