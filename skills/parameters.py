"""From a parameter of a function to what a planner may write for it."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema

from llava_plus.errors import SetupError

from .mistakes import VALUES, parameter_type, shown, typed, value_default, wrong
from .spec import Parameter, members, takes_none, value_schema

_POSITIONS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def read_parameter(
    function: Callable[..., Any],
    skill: str,
    declared: inspect.Parameter,
    hints: Mapping[str, Any],
    described: Mapping[str, str],
) -> Parameter:
    """Read one parameter, or say what is wrong with it.

    Args:
        function: The skill's.
        skill: The skill's name.
        declared: The parameter, as Python sees it.
        hints: The types of all parameters.
        described: What the docstring says of them.
    """
    name = declared.name
    _check_name(function, skill, declared)
    if name not in hints:
        hint = typed(name, declared.default)
        raise wrong(function, skill, f"parameter {name!r} lacks a type. Write '{hint}'")
    annotation, required = hints[name], declared.default is declared.empty
    kinds = _kinds(function, skill, name, annotation)
    if kinds and not required and declared.default is not None:
        raise wrong(function, skill, value_default(name, members(annotation)))
    adapter = None if kinds else _adapter(function, skill, name, annotation)
    schema = (
        value_schema(kinds)
        if adapter is None
        else _schema(function, skill, name, annotation, adapter)
    )
    if adapter is not None and not required:
        _check_default(function, skill, name, annotation, adapter, declared.default)
        if declared.default is not None:
            schema["default"] = adapter.dump_python(declared.default, mode="json")
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


def _check_name(function: Callable[..., Any], skill: str, declared: inspect.Parameter) -> None:
    """Every argument of a call has a name, so every parameter must have one."""
    if declared.kind in _POSITIONS:
        return
    if declared.kind is declared.POSITIONAL_ONLY:
        why = f"parameter {declared.name!r} stands before '/', but calls name what they give. "
        raise wrong(function, skill, why + "Remove the '/'")
    stars = "*" if declared.kind is declared.VAR_POSITIONAL else "**"
    raise wrong(
        function,
        skill,
        f"{stars}{declared.name} takes any number of arguments, which a planner cannot name. "
        "Write each as a parameter of its own, such as 'second: Image | None = None'",
    )


def _kinds(function: Callable[..., Any], skill: str, name: str, annotation: Any) -> tuple[str, ...]:
    """Return the kinds of value that it takes; none where it takes something plain."""
    if annotation is Any:
        why = f"parameter {name!r} is Any, so nothing could check it. {parameter_type(Any)}"
        raise wrong(function, skill, why)
    parts = members(annotation)
    kinds = tuple(part.kind for part in parts if part in VALUES)
    if kinds and len(kinds) < len(parts):
        raise wrong(
            function,
            skill,
            f"parameter {name!r} mixes values and plain types ({shown(annotation)}). "
            "Make two parameters of it, which may be None",
        )
    return kinds


def _adapter(
    function: Callable[..., Any], skill: str, name: str, annotation: Any
) -> TypeAdapter[Any]:
    try:
        return TypeAdapter(annotation)
    except (PydanticSchemaGenerationError, PydanticUserError, TypeError) as error:
        raise _unsupported(function, skill, name, annotation) from error


def _schema(
    function: Callable[..., Any], skill: str, name: str, annotation: Any, adapter: TypeAdapter[Any]
) -> dict[str, Any]:
    try:
        return adapter.json_schema()
    except (PydanticInvalidForJsonSchema, PydanticUserError) as error:
        raise _unsupported(function, skill, name, annotation) from error


def _check_default(
    function: Callable[..., Any],
    skill: str,
    name: str,
    annotation: Any,
    adapter: TypeAdapter[Any],
    default: Any,
) -> None:
    """Python does not convert a default, so it must have the type, not only fit it."""
    try:
        adapter.validate_python(default, strict=True)
    except ValidationError as error:
        why = error.errors()[0]["msg"]
        why = f"parameter {name!r}: default {default!r}: {why[:1].lower() + why[1:]}. "
        why += "Change the default, or the type"
        if default is None:
            why = f"parameter {name!r} is None if left out, but its type says that it never is. "
            why += f"Write '{name}: {shown(annotation)} | None = None'"
        raise wrong(function, skill, why) from error


def _unsupported(
    function: Callable[..., Any], skill: str, name: str, annotation: Any
) -> SetupError:
    return wrong(
        function,
        skill,
        f"parameter {name!r} has a type that a planner cannot write ({shown(annotation)}). "
        + parameter_type(annotation),
    )
