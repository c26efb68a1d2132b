"""Calling a skill by hand: `/blur img_1 region=boxes_1 strength=0.9`."""

import difflib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from pydantic import JsonValue

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import Artifacts, Call, Parameter, SkillRegistry, SkillSpec

from .dialects.json import is_words

NAMED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
CONSTANTS: dict[str, JsonValue] = {
    "true": True, "yes": True, "on": True, "false": False, "no": False, "off": False, "none": None
}  # fmt: skip


def parse_call(text: str, registry: SkillRegistry, artifacts: Artifacts) -> Call:
    """Read a call that a person typed.

    Handles go to the first argument that takes their kind, words to the first that takes text;
    a picture that is not named is the newest.

    Args:
        text: Such as ``/crop boxes_1`` or ``/detect red car``; the slash may be missing.
        registry: The skills that there are.
        artifacts: The handles that there are.
    """
    name, *tokens = _tokens(text.strip().removeprefix("/")) or [""]
    if not name:
        raise SetupError("A call names a skill, such as /blur img_1. /help lists the skills.")
    try:
        spec = registry.find(name)
    except SkillError as error:
        raise SetupError(str(error)) from error
    args: dict[str, JsonValue] = {}
    for token in tokens:
        _take(token, spec, args, artifacts)
    for parameter in spec.parameters:
        if parameter.required and parameter.name not in args:
            args[parameter.name] = _newest(parameter, spec, artifacts)
    return Call(id="person", skill=spec.name, args=_in_order(args, spec))


def write_call(skill: str, args: dict[str, JsonValue]) -> str:
    """Write a call as a person would type it."""
    return " ".join([f"/{skill}", *(f"{name}={_written(value)}" for name, value in args.items())])


def _tokens(text: str) -> list[str]:
    """Split at white space, but not inside quotes and lists that open a word or follow "="."""
    tokens, word, quote, depth, escaped = [], "", "", 0, False
    for char in f"{text} ":
        if char.isspace() and not quote and depth <= 0:
            tokens += [word] if word else []
            word, depth = "", 0
            continue
        opens = not word or word[-1] == "="
        if quote:
            quote = "" if char == quote and not escaped else quote
            escaped = char == "\\" and not escaped
        elif opens and char in "\"'":
            quote = char
        elif depth or (opens and char == "["):
            depth += (char == "[") - (char == "]")
        word += char
    return [*tokens, word.strip()] if word.strip() else tokens


def _take(token: str, spec: SkillSpec, args: dict[str, JsonValue], artifacts: Artifacts) -> None:
    parameters = {parameter.name: parameter for parameter in spec.parameters}
    if (named := NAMED.fullmatch(token)) and not token.startswith(("'", '"')):
        if named[1] not in parameters:
            raise SetupError(_no_such(named[1], spec))
        args[named[1]] = _value(named[2], parameters[named[1]])
        return
    if token in artifacts:
        kind = artifacts[token].value.kind
        free = [p for p in spec.parameters if p.name not in args and kind in p.kinds]
        if not free:
            raise SetupError(f"{spec.name} has no place for {token}: {spec.signature()}")
        args[free[0].name] = token
        return
    _take_word(token, spec, args)


def _take_word(token: str, spec: SkillSpec, args: dict[str, JsonValue]) -> None:
    for parameter in spec.parameters:
        if is_words(parameter):
            before = args.get(parameter.name)
            word = _value(token, parameter)
            if isinstance(before, list) and isinstance(word, list):
                args[parameter.name] = [*before, *word]
            else:
                args[parameter.name] = f"{before} {word}" if before else word
            return
        if parameter.name == token and parameter.json_schema.get("type") == "boolean":
            args[token] = True
            return
    raise SetupError(f"{spec.name}: what is {token!r}? Write name=value. It is {spec.signature()}")


def _value(text: str, parameter: Parameter) -> JsonValue:
    if is_words(parameter):
        return _several(text) if _takes_list(parameter.json_schema) else _unquoted(text)
    if text.lower() in CONSTANTS:
        return CONSTANTS[text.lower()]
    try:
        value: JsonValue = json.loads(text)
    except ValueError:
        return _unquoted(text)
    return value


def _takes_list(schema: Mapping[str, Any]) -> bool:
    ways = [way.get("type") for way in schema.get("anyOf", (schema,))]
    return "array" in ways and "string" not in ways


def _several(text: str) -> list[JsonValue]:
    """Read a list of words: ["red car", "dog"], or with commas between them."""
    if text[:1] == "[":
        with suppress(ValueError):
            return list(json.loads(text))
    return [_unquoted(part.strip()) for part in _unquoted(text).split(",") if part.strip()]


def _unquoted(text: str) -> str:
    if text[:1] == '"':
        with suppress(ValueError):
            return str(json.loads(text))
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text


def _newest(parameter: Parameter, spec: SkillSpec, artifacts: Artifacts) -> JsonValue:
    if "image" not in parameter.kinds:
        raise SetupError(f"{spec.name} needs {parameter.name!r}: {spec.signature()}")
    if not (pictures := artifacts.handles("image")):
        raise SetupError(f"{spec.name} needs a picture; add one first.")
    return pictures[-1]


def _in_order(args: dict[str, JsonValue], spec: SkillSpec) -> dict[str, JsonValue]:
    return {p.name: args[p.name] for p in spec.parameters if p.name in args}


def _no_such(name: str, spec: SkillSpec) -> str:
    names = [parameter.name for parameter in spec.parameters]
    near = difflib.get_close_matches(name, names, 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"{spec.name} has no argument {name!r}.{hint} It takes: {', '.join(names)}."


def _written(value: JsonValue) -> str:
    plain = isinstance(value, str) and value and not re.search(r"[\s\"'=\[\]]", value)
    return str(value) if plain else json.dumps(value, ensure_ascii=False)
