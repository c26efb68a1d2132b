"""What is wrong with a declaration: where it stands, and what to write instead."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from llava_plus.errors import SetupError

from .spec import members
from .values import Image, Region, Value

VALUES = get_args(Value)
_NAMES = ", ".join(kind.__name__ for kind in VALUES)
_BESIDE = {  # what skills speak in the place of what Python speaks
    **dict.fromkeys(("str", "bool"), "Text"),
    **dict.fromkeys(("int", "float", "complex"), "Number"),
    **dict.fromkeys(("dict", "list", "tuple", "set"), "Table"),
}
_PIXELS = ("PIL", "numpy", "torch", "cv2")  # whose types stand for pictures
_PICTURES = ("image", "img", "picture", "photo")
_REGIONS = ("region", "box", "boxes", "mask", "masks", "area")


def wrong(function: Callable[..., Any], name: str, why: str) -> SetupError:
    """Say what is wrong with a skill, and in which line."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    place = f"{Path(code.co_filename).name}:{code.co_firstlineno}: " if code else ""
    return SetupError(f"{place}skill {name!r}: {why}.")


def shown(annotation: Any) -> str:
    """Write a type as its author did: ``list[str]``, ``numpy.ndarray``, ``PIL.Image``."""
    if isinstance(annotation, ModuleType):
        return f"the module {annotation.__name__}"
    if not isinstance(annotation, type) or get_args(annotation):
        return re.sub(r"\b(typing|llava_plus\.skills\.\w+)\.", "", str(annotation))
    module = "" if annotation.__module__ == "builtins" else f"{annotation.__module__}."
    return module + annotation.__qualname__


def typed(name: str, default: Any) -> str:
    """Guess how to write the parameter with a type."""
    if name in _PICTURES:
        return f"{name}: {Image.__name__}"
    if name in _REGIONS:
        return f"{name}: Region"
    plain = isinstance(default, bool | int | float | str)
    return f"{name}: {type(default).__name__}" if plain else f"{name}: float"


def parameter_type(annotation: Any) -> str:
    """Say what to write instead of a type that no planner can write."""
    if any(part in VALUES for inner in get_args(annotation) for part in members(inner)):
        return "Each value is a parameter of its own, such as 'first: Image, second: Image'"
    if _of_pixels(annotation):
        return (
            "Write Image, from llava_plus.skills: image.rgb() is its array, "
            "image.to_pil() the Pillow picture"
        )
    return "Take a value such as Image or Boxes, or str, int, float, bool, Literal or a list"


def return_type(annotation: Any) -> str:
    """Say what a skill that returns something else should return."""
    parts = members(annotation)
    if annotation is None or not parts:
        return f"it returns nothing. Return a value, as in '-> Image'. One of: {_NAMES}"
    if all(part in VALUES for part in parts):
        return (
            "it may return None, which is no value. Raise SkillError where there is no result, "
            f"and write '-> {' | '.join(part.__name__ for part in parts)}'"
        )
    other = next(part for part in parts if part not in VALUES)
    if any(part in VALUES for part in get_args(other)):
        return f"it returns {shown(other)}. A skill returns one value: make two skills of it"
    origin = getattr(other, "__origin__", other)
    name = "Image" if _of_pixels(other) else _BESIDE.get(getattr(origin, "__name__", ""), "")
    to_do = f"Wrap it: '-> {name}'" if name else f"Return one of: {_NAMES}"
    return f"it returns {shown(other)}, which is no value. {to_do}"


def no_return_type() -> str:
    """Say how a skill declares what it returns."""
    return f"it lacks a return type. Say what it returns, as in '-> Image'. One of: {_NAMES}"


def value_default(name: str, kinds: tuple[Any, ...]) -> str:
    """Say that a parameter that takes a value can only be left out."""
    written = "Region" if set(get_args(Region)) <= set(kinds) else kinds[0].__name__
    return (
        f"parameter {name!r} can only have None as its default. "
        f"Write '{name}: {written} | None = None' and make the default in the function"
    )


def _of_pixels(annotation: Any) -> bool:
    home = annotation.__name__ if isinstance(annotation, ModuleType) else ""
    return (home or getattr(annotation, "__module__", "")).partition(".")[0] in _PIXELS
