"""Recipes from files, changed by ``--set``; every mistake names the file and the key."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from llava_plus.errors import SetupError

from .recipe import Begin, Lora, Recipe, Source, Stage

# Which dataclass a key's value is read as.
_INSIDE: dict[str, type] = {"stages": Stage, "data": Source, "lora": Lora, "begin": Begin}
_NANO = {"matrix_rate", "tokens", "steps"}  # keys of the recipes of `training.train`


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: A YAML file.
        changes: Such as "stages.0.max_steps=10"; values are YAML, "null" takes a value away.

    Raises:
        SetupError: The file or a change is unreadable, or has an unknown key or a wrong value.
    """
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(
            f"{path}: {error}. Name a recipe such as recipes/llava-1.5.yaml."
        ) from None
    except yaml.YAMLError as error:
        raise SetupError(f"{path} is no YAML: {error}") from None
    if not isinstance(said, dict):
        raise SetupError(f"{path}: wanted names with values, such as 'preset: llava-1.5-7b'.")
    _not_nano(path, said)
    for change in changes:
        _change(said, change, path)
    if problem := _unknown_key(said, Recipe, ""):
        raise SetupError(f"{path}: {problem}")
    try:
        return TypeAdapter(Recipe).validate_python(said)
    except ValidationError as error:
        why = "; ".join(_told(one["loc"], one["msg"]) for one in error.errors())
        raise SetupError(f"{path}: {why}.") from None


def _not_nano(path: Path, said: dict[str, Any]) -> None:
    stages = said.get("stages")
    first = stages[0] if isinstance(stages, list) and stages else {}
    if isinstance(first, dict) and _NANO & first.keys():
        raise SetupError(
            f"{path} is a recipe of the bundled planner's own trainer: run `make nano`, or name"
            " another recipe, such as recipes/llava-1.5.yaml."
        )


def _change(said: dict[str, Any], change: str, path: Path) -> None:
    """Put one ``key.key=value`` into what the file said."""
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise SetupError(f"--set {change}: wanted KEY=VALUE, such as stages.0.max_steps=10.")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SetupError(f"--set {change}: the value is no YAML: {error}") from None
    value = _number(value)
    *outer, last = key.split(".")
    place: Any = said
    for at, step in enumerate(outer):
        place = _inner(place, step, ".".join(key.split(".")[: at + 1]), change, path)
    if isinstance(place, list):
        place[_number_of(place, last, key, change, path)] = value
    elif isinstance(place, dict):
        place[last] = value
    else:
        raise SetupError(f"--set {change}: {path} has no keys below {'.'.join(outer)!r}.")


def _inner(place: Any, step: str, so_far: str, change: str, path: Path) -> Any:
    if isinstance(place, list):
        return place[_number_of(place, step, so_far, change, path)]
    if isinstance(place, dict):
        if place.get(step) is None:
            place[step] = {}
        return place[step]
    raise SetupError(f"--set {change}: {path} has nothing at {so_far!r} to change.")


def _number_of(place: list[Any], step: str, so_far: str, change: str, path: Path) -> int:
    names = [one.get("name") if isinstance(one, dict) else None for one in place]
    if step in names:
        return names.index(step)
    if step.isdecimal() and int(step) < len(place):
        return int(step)
    raise SetupError(
        f"--set {change}: {path} has no {so_far!r}; there are 0 to {len(place) - 1}"
        f" ({', '.join(map(str, names))})."
    )


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-4 as words."""
    if isinstance(value, str):
        try:
            return float(value) if "e" in value.lower() else value
        except ValueError:
            return value
    return value


def _unknown_key(said: Any, kind: type, place: str) -> str:
    """What to say of the first key that a dataclass does not have, or nothing."""
    if not isinstance(said, dict) or not is_dataclass(kind):
        return ""
    known = [one.name for one in fields(kind)]
    for key, value in said.items():
        here = f"{place}.{key}" if place else str(key)
        if key not in known:
            near = get_close_matches(str(key), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
            return f"unknown key {here!r}; {hint}"
        inner = _INSIDE.get(str(key))
        if inner is None:
            continue
        if isinstance(value, list):
            for number, one in enumerate(value):
                if problem := _unknown_key(one, inner, f"{here}.{number}"):
                    return problem
        elif problem := _unknown_key(value, inner, here):
            return problem
    return ""


def _told(place: tuple[str | int, ...], problem: str) -> str:
    where = ".".join(map(str, place))
    words = problem.removeprefix("Value error, ").replace("a valid tuple", "a list")
    return f"{where}: {words}" if where else words
