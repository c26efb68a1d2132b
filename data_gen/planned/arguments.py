"""Arguments for any parameter, drawn from what its signature and its schema say of it."""

import random
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import JsonValue, ValidationError

from llava_plus.skills.spec import Parameter

from .heldout import nouns
from .wishes import INKS, WORDS

_MOST = 100  # beyond which numbers without an upper bound are seldom meant
_DEEP = 4  # levels of lists in lists
_TRIES = 6
# What a parameter of plain text is likely to be about, by parts of its name.
_ABOUT: Mapping[str, Callable[[random.Random], str]] = {
    "color": lambda rng: rng.choice(INKS),
    "colour": lambda rng: rng.choice(INKS),
    "title": lambda rng: rng.choice(WORDS),
    "text": lambda rng: rng.choice(WORDS),
    "caption": lambda rng: rng.choice(WORDS),
    "word": lambda rng: rng.choice(WORDS),
    "language": lambda rng: rng.choice(("English", "French", "German", "Chinese", "Spanish")),
    "lang": lambda rng: rng.choice(("en", "fr", "de", "zh", "es")),
    "name": lambda rng: rng.choice(("Ada", "Omar", "Mei", "Ines", "Karl")),
    "city": lambda rng: rng.choice(("Oslo", "Quito", "Perth", "Leeds")),
    "date": lambda rng: f"20{rng.randint(10, 30)}-0{rng.randint(1, 9)}-{rng.randint(10, 28)}",
}
NOTHING = object()  # where nothing fits


def draw_argument(parameter: Parameter, rng: random.Random) -> Any:
    """Return a plain value that the parameter takes, NOTHING where none was found.

    Args:
        parameter: One that takes something plain.
        rng: Draws.
    """
    schema = parameter.json_schema
    for _ in range(_TRIES):
        drawn = _drawn(schema, schema.get("$defs", {}), parameter.name, rng, _DEEP)
        if drawn is NOTHING or drawn is None:
            continue
        try:
            assert parameter.adapter is not None
            parameter.adapter.validate_python(drawn)
        except ValidationError:
            continue
        return drawn
    return NOTHING


def shown(value: JsonValue) -> str:
    """Write a value as people do: text as it is, lists with commas, yes and no."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {shown(inner)}" for key, inner in value.items())
    return f'"{value}"' if isinstance(value, str) and " " in value else str(value)


def _drawn(
    schema: Mapping[str, Any], known: Mapping[str, Any], name: str, rng: random.Random, deep: int
) -> Any:
    """Draw what a JSON schema allows."""
    if "$ref" in schema:
        schema = known[schema["$ref"].rpartition("/")[2]]
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(schema["enum"])
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        real = [one for one in choices if one.get("type") != "null"]
        return _drawn(rng.choice(real), known, name, rng, deep) if real else NOTHING
    if inner := schema.get("allOf"):
        return _drawn(inner[0], known, name, rng, deep)
    draw = _DRAWERS.get(str(schema.get("type", "")))
    return draw(schema, known, name, rng, deep) if draw and deep else NOTHING


def _number(
    schema: Mapping[str, Any], known: Mapping[str, Any], name: str, rng: random.Random, deep: int
) -> Any:
    whole = schema["type"] == "integer"
    low = schema.get("minimum", schema.get("exclusiveMinimum"))
    high = schema.get("maximum", schema.get("exclusiveMaximum"))
    low = (min(0, high - 1) if high is not None else 1) if low is None else low
    high = max(_MOST, 2 * low) if high is None else high
    step = schema.get("multipleOf")
    if step:
        first, last = -(-low // step), high // step
        return step * rng.randint(int(first), max(int(first), int(last)))
    if whole:
        low = low + 1 if "exclusiveMinimum" in schema else low
        return rng.randint(int(low), max(int(low), int(high)))
    digits = 1 if high - low > 5 else 2
    return round(low + (high - low) * rng.uniform(0.05, 0.95), digits)


def _text(
    schema: Mapping[str, Any], known: Mapping[str, Any], name: str, rng: random.Random, deep: int
) -> Any:
    about = next((draw for part, draw in _ABOUT.items() if part in name.lower()), None)
    if "pattern" in schema or schema.get("format"):
        return schema.get("default", NOTHING)
    word = about(rng) if about else nouns().draw(rng).one
    word = (word + "s" * schema.get("minLength", 0))[: max(len(word), schema.get("minLength", 0))]
    return word[: schema.get("maxLength", len(word))]


def _list(
    schema: Mapping[str, Any], known: Mapping[str, Any], name: str, rng: random.Random, deep: int
) -> Any:
    if parts := schema.get("prefixItems"):
        drawn = [_drawn(part, known, name, rng, deep - 1) for part in parts]
    else:
        least = schema.get("minItems", 1)
        many = rng.randint(least, schema.get("maxItems", max(least, 3)))
        items = schema.get("items", {"type": "string"})
        drawn = [_drawn(items, known, name.rstrip("s"), rng, deep - 1) for _ in range(many)]
    if schema.get("uniqueItems"):
        drawn = list(dict.fromkeys(drawn))
    return NOTHING if any(one is NOTHING for one in drawn) else drawn


def _object(
    schema: Mapping[str, Any], known: Mapping[str, Any], name: str, rng: random.Random, deep: int
) -> Any:
    required = schema.get("required", ())
    drawn = {
        key: _drawn(inner, known, key, rng, deep - 1)
        for key, inner in schema.get("properties", {}).items()
        if key in required or rng.random() < 0.5
    }
    if not drawn and isinstance(schema.get("additionalProperties"), dict):
        drawn = {
            nouns().draw(rng).one: _drawn(
                schema["additionalProperties"], known, name, rng, deep - 1
            )
        }
    return NOTHING if any(one is NOTHING for one in drawn.values()) else drawn


def _bool(
    schema: Mapping[str, Any], known: Mapping[str, Any], name: str, rng: random.Random, deep: int
) -> Any:
    default = schema.get("default")
    return not default if isinstance(default, bool) else rng.random() < 0.7


_DRAWERS: Mapping[str, Callable[..., Any]] = {
    "integer": _number, "number": _number, "string": _text, "array": _list, "object": _object,
    "boolean": _bool,
}  # fmt: skip
