"""A grammar of exactly what a planner may write next, in the json dialect."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llava_plus.agent.dialects.json import is_words
from llava_plus.skills import Artifacts, Parameter, SkillRegistry, SkillSpec
from llava_plus.skills.spec import REGION_KINDS

from .phrases import things_of
from .ranges import integer_pattern, number_pattern

THOUGHT = 200  # characters
ANSWER = 600
WORDS = 60
ACTIONS = 4
ITEMS = 8  # of a list

# Characters as JSON writes them inside quotes. The ends of a text are no white space, since reading
# strips it: what can be written is what reading and writing again gives back.
_END = r'[^\s"\\{\x00-\x1f]|\\["\\]'
_ANY = r'[^"\\{\x00-\x1f]|\\["\\nt]'
_LINE = r'[^"\\\x00-\x1f]|\\["\\]'
_LINE_END = r'[^\s"\\\x00-\x1f]|\\["\\]'
_SHARE = r"0(\.(0|[0-9]?[1-9]))?|1(\.0)?"  # 0 to 1, two decimals
_COMPACT = {"x-guidance": {"whitespace_flexible": False}}


def call_grammar(
    skills: SkillRegistry,
    handles: Mapping[str, Sequence[str]] | Artifacts,
    *,
    phrases: Sequence[str] | None = None,
) -> str:
    """Write a Lark grammar for llguidance of the decisions that can be carried out.

    Only skills of the registry can be called, and only those whose handles there are. A literal box
    is a plain area of a picture ("the left half"): it stands only where a skill takes a picture and
    any region, since where a thing lies is for skills and people to say. Arguments come in the
    order of the signature, with numbers inside their limits. An answer can cite only handles that
    there are (or ``{error}``), and braces have no other use in it.

    Not covered: whether a box's corners are in order, and limits of a schema that say more than
    type, choice, range and length (those of lists of lists, say, are left to JSON schema).

    Args:
        skills: What can be called.
        handles: The live handles by kind, such as ``{"image": ["img_1"]}``, or the artifacts.
        phrases: All that free-text arguments may say; a skill that only finds boxes is asked for
            those that can name a thing. None lets them say anything.
    """
    if isinstance(handles, Artifacts):
        kinds = {artifact.kind for _, artifact in handles.items()}
        handles = {kind: handles.handles(kind) for kind in sorted(kinds)}
    book = _Book(phrases)
    calls = [rule for spec in skills if (rule := _call(spec, handles, book))]
    cited = "|".join([name for names in handles.values() for name in names] + ["error"])
    cite = rf"|\{{({cited})\}}"
    thought = _text(_LINE_END, rf"{_LINE}|\\[nt]", THOUGHT)
    answer = _text(_END + cite, _ANY + cite, ANSWER)
    lines = [
        f"start: {_quote(_key('{', 'thought'))} THOUGHT ({'acts | ' if calls else ''}says)",
        f'says: {_quote(_key(",", "answer"))} ANSWER "}}"',
        f'THOUGHT: /"({thought})?"/',
        f'ANSWER: /"{answer}"/',
    ]
    if calls:
        acts = (
            f'acts: {_quote(_key(",", "actions") + "[")} call ("," call){{0,{ACTIONS - 1}}} "]}}"'
        )
        lines += [acts, f"call: {' | '.join(calls)}"]
    return "\n".join([*lines, *book.lines()]) + "\n"


@dataclass(frozen=True)
class _Words:
    phrases: Sequence[str] | None  # all that may be said; None for anything


class _Book:
    """Rules and terminals, each written once, under names of their own."""

    def __init__(self, phrases: Sequence[str] | None = None) -> None:
        self._names: dict[str, str] = {}
        self.phrases = phrases
        self.things = None if phrases is None else things_of(phrases)

    def rule(self, body: str) -> str:
        return self._names.setdefault(body, f"rule_{len(self._names)}")

    def terminal(self, pattern: str) -> str:
        body = f"/{pattern.replace('/', chr(92) + '/')}/"
        return self._names.setdefault(body, f"TERMINAL_{len(self._names)}")

    def lines(self) -> list[str]:
        return [f"{name}: {body}" for body, name in self._names.items()]


def _call(spec: SkillSpec, handles: Mapping[str, Sequence[str]], book: _Book) -> str | None:
    """One skill's call; nothing where it needs a handle that there is not."""
    phrases = book.things if spec.returns == ("boxes",) else book.phrases
    slots: list[tuple[str, bool]] = []  # what follows the comma, and whether it must be there
    places = any("image" in parameter.kinds for parameter in spec.parameters)
    for parameter in spec.parameters:
        value = _value(parameter, handles, book, places=places, phrases=phrases)
        if value is None and parameter.required:
            return None
        if value is not None:
            slots.append((f"{_quote(_key('', parameter.name))} {value}", parameter.required))
    head = _quote(f'{{"skill":{json.dumps(spec.name, ensure_ascii=False)},"args":{{')
    return book.rule(f'{head} ({_arguments(slots)}) "}}}}"')


def _arguments(slots: Sequence[tuple[str, bool]]) -> str:
    """Every way to leave out what is optional: one alternative for each argument that may lead."""
    ways: list[str] = []
    for index, (slot, required) in enumerate(slots):
        later = [f'("," {one})' + ("" if needed else "?") for one, needed in slots[index + 1 :]]
        ways.append(" ".join([slot, *later]))
        if required:
            return " | ".join(ways)
    return " | ".join([*ways, '""'])


def _value(
    parameter: Parameter,
    handles: Mapping[str, Sequence[str]],
    book: _Book,
    *,
    places: bool,
    phrases: Sequence[str] | None,
) -> str | None:
    """A handle that there is; numbers too, where the skill takes a picture for them to lie on."""
    if not parameter.kinds:
        said = _Words(phrases) if is_words(parameter) else None
        return _plain(parameter.json_schema, said, book)
    names = [name for kind in parameter.kinds for name in handles.get(kind, ())]
    ways = [book.terminal(f'"({"|".join(names)})"')] if names else []
    share = book.terminal(_SHARE)
    if places and set(REGION_KINDS) <= set(parameter.kinds):
        ways.append(f'("[" {share} "," {share} "," {share} "," {share} "]")')
    return f"({' | '.join(ways)})" if ways else None


def _plain(schema: Mapping[str, Any], words: _Words | None, book: _Book) -> str:
    """What a plain parameter takes; null is written by leaving the argument out.

    Args:
        schema: Its JSON schema.
        words: What a text of it may say, where it is anybody's words.
        book: Where rules and terminals go.
    """
    if "anyOf" in schema:
        ways = [one for one in schema["anyOf"] if one.get("type") != "null"]
        return f"({' | '.join(_plain(one, words, book) for one in ways)})"
    if "const" in schema or "enum" in schema:
        choices = schema.get("enum", [schema.get("const")])
        written = [json.dumps(choice, ensure_ascii=False) for choice in choices]
        return f"({' | '.join(map(_quote, written))})"
    kind = schema.get("type")
    if kind == "boolean":
        return '("true" | "false")'
    if kind in ("number", "integer") and "multipleOf" not in schema:
        pattern = integer_pattern if kind == "integer" else number_pattern
        return book.terminal(pattern(*_limits(schema, 1 if kind == "integer" else 0.01)))
    if kind == "string" and words and not {"pattern", "format"} & schema.keys():
        longest = max(1, min(schema.get("maxLength", WORDS), WORDS))
        if words.phrases:
            known = [json.dumps(one, ensure_ascii=False)[1:-1] for one in words.phrases]
            fits = [re.escape(one) for one in known if len(one) <= longest]
            return book.terminal(f'" ({"|".join(fits)})"')
        return book.terminal(f'" {_text(_LINE_END, _LINE, longest)}"')
    if kind == "array" and "prefixItems" not in schema and isinstance(schema.get("items"), dict):
        return _list(schema, words, book)
    return f"%json {json.dumps({**schema, **_COMPACT})}"


def _list(schema: Mapping[str, Any], words: _Words | None, book: _Book) -> str:
    item = _plain(schema["items"], words, book)
    least = schema.get("minItems", 0)
    most = max(least, min(schema.get("maxItems", ITEMS), ITEMS))
    if most == 0:
        return '"[]"'
    full = f'"[" {item} ("," {item}){{{max(least, 1) - 1},{most - 1}}} "]"'
    return book.rule(full if least else f'{full} | "[]"')


def _limits(schema: Mapping[str, Any], step: float) -> tuple[float | None, float | None]:
    """The smallest and the largest number that fit."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if (above := schema.get("exclusiveMinimum")) is not None:
        low = above + step if low is None else max(low, above + step)
    if (below := schema.get("exclusiveMaximum")) is not None:
        high = below - step if high is None else min(high, below - step)
    return low, high


def _text(end: str, middle: str, longest: int) -> str:
    """A pattern of 1 to ``longest`` characters that neither begins nor ends with a blank."""
    if longest == 1:
        return f"({end})"
    return f"({end})(({middle}){{0,{longest - 2}}}({end}))?"


def _key(before: str, name: str) -> str:
    return f"{before}{json.dumps(name, ensure_ascii=False)}:"


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
