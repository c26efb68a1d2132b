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


@dataclass(frozen=True, kw_only=True)
class Spelling:
    """How a call is written as JSON: around the skill's name, and between things."""

    head: str = '{"skill":'  # before the name
    middle: str = ',"args":'  # between the name and the arguments
    comma: str = ","
    colon: str = ":"
    blank: str = " "  # begins free text, inside its quotes


COMPACT = Spelling()  # of the json dialect


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
    handles = by_kind(handles)
    book = Book(phrases)
    calls = [rule for spec in skills if (rule := call_rule(spec, handles, book))]
    cited = "|".join([name for names in handles.values() for name in names] + ["error"])
    cite = rf"|\{{({cited})\}}"
    thought = _text(_LINE_END, rf"{_LINE}|\\[nt]", THOUGHT)
    answer = _text(_END + cite, _ANY + cite, ANSWER)
    begin, answering, acting = map(quote, ('{"thought":', ',"answer":', ',"actions":['))
    lines = [
        f"start: {begin} THOUGHT ({'acts | ' if calls else ''}says)",
        f'says: {answering} ANSWER "}}"',
        f'THOUGHT: /"({thought})?"/',
        f'ANSWER: /"{answer}"/',
    ]
    if calls:
        acts = f'acts: {acting} call ("," call){{0,{ACTIONS - 1}}} "]}}"'
        lines += [acts, f"call: {' | '.join(calls)}"]
    return "\n".join([*lines, *book.lines()]) + "\n"


def by_kind(handles: Mapping[str, Sequence[str]] | Artifacts) -> Mapping[str, Sequence[str]]:
    """Return the live handles by kind."""
    if not isinstance(handles, Artifacts):
        return handles
    kinds = {artifact.kind for _, artifact in handles.items()}
    return {kind: handles.handles(kind) for kind in sorted(kinds)}


@dataclass(frozen=True)
class _Words:
    phrases: Sequence[str] | None  # all that may be said; None for anything


class Book:
    """Rules and terminals, each written once, under names of their own.

    Args:
        phrases: All that free text may say; None for anything.
        spelling: How calls are written.
    """

    def __init__(self, phrases: Sequence[str] | None = None, spelling: Spelling = COMPACT) -> None:
        self._names: dict[str, str] = {}
        self.spelling = spelling
        self.phrases = phrases
        self.things = None if phrases is None else things_of(phrases)

    def rule(self, body: str) -> str:
        return self._names.setdefault(body, f"rule_{len(self._names)}")

    def terminal(self, pattern: str) -> str:
        body = f"/{pattern.replace('/', chr(92) + '/')}/"
        return self._names.setdefault(body, f"TERMINAL_{len(self._names)}")

    def lines(self) -> list[str]:
        return [f"{name}: {body}" for body, name in self._names.items()]


def call_rule(spec: SkillSpec, handles: Mapping[str, Sequence[str]], book: Book) -> str | None:
    """One skill's call; nothing where it needs a handle that there is not."""
    spelling = book.spelling
    phrases = book.things if spec.returns == ("boxes",) else book.phrases
    slots: list[tuple[str, bool]] = []  # what follows the comma, and whether it must be there
    places = any("image" in parameter.kinds for parameter in spec.parameters)
    for parameter in spec.parameters:
        value = _value(parameter, handles, book, places=places, phrases=phrases)
        if value is None and parameter.required:
            return None
        if value is not None:
            key = f"{json.dumps(parameter.name, ensure_ascii=False)}{spelling.colon}"
            slots.append((f"{quote(key)} {value}", parameter.required))
    name = json.dumps(spec.name, ensure_ascii=False)
    head = quote(f"{spelling.head}{name}{spelling.middle}{{")
    return book.rule(f'{head} ({_arguments(slots, spelling.comma)}) "}}}}"')


def _arguments(slots: Sequence[tuple[str, bool]], comma: str) -> str:
    """Every way to leave out what is optional: one alternative for each argument that may lead."""
    ways: list[str] = []
    for index, (slot, required) in enumerate(slots):
        rest = slots[index + 1 :]
        later = [f"({quote(comma)} {one})" + ("" if needed else "?") for one, needed in rest]
        ways.append(" ".join([slot, *later]))
        if required:
            return " | ".join(ways)
    return " | ".join([*ways, '""'])


def _value(
    parameter: Parameter,
    handles: Mapping[str, Sequence[str]],
    book: Book,
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
        comma = quote(book.spelling.comma)
        ways.append(f'("[" {f" {comma} ".join([share] * 4)} "]")')
    return f"({' | '.join(ways)})" if ways else None


def _plain(schema: Mapping[str, Any], words: _Words | None, book: Book) -> str:
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
        return f"({' | '.join(map(quote, written))})"
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
            return book.terminal(f'"{book.spelling.blank}({"|".join(fits)})"')
        return book.terminal(f'"{book.spelling.blank}{_text(_LINE_END, _LINE, longest)}"')
    if kind == "array" and "prefixItems" not in schema and isinstance(schema.get("items"), dict):
        return _list(schema, words, book)
    separators = {
        "item_separator": book.spelling.comma,
        "key_separator": book.spelling.colon,
        "whitespace_flexible": False,
    }
    return f"%json {json.dumps({**schema, 'x-guidance': separators})}"


def _list(schema: Mapping[str, Any], words: _Words | None, book: Book) -> str:
    item = _plain(schema["items"], words, book)
    least = schema.get("minItems", 0)
    most = max(least, min(schema.get("maxItems", ITEMS), ITEMS))
    if most == 0:
        return '"[]"'
    comma = quote(book.spelling.comma)
    full = f'"[" {item} ({comma} {item}){{{max(least, 1) - 1},{most - 1}}} "]"'
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


def quote(text: str) -> str:
    """Write a text as a literal of the grammar."""
    return json.dumps(text, ensure_ascii=False)
