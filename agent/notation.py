"""Plans in a line of text: `detect(img_1, "face") ; blur(img_1, boxes_1)`, or `say(ask)`.

`;` separates steps, `&` the calls of one step. Arguments are handles and literals; the text is read
as syntax and never run.
"""

import ast
import re
from dataclasses import dataclass

from pydantic import JsonValue, TypeAdapter

from llava_plus.errors import SetupError, SkillError
from llava_plus.skills import Call, SkillRegistry
from llava_plus.skills.values import PREFIXES
from llava_plus.syntax import steadily

HANDLE = re.compile(r"[a-z]+_[0-9]+")
CONTEXT = re.compile(r"(?P<images>[0-9])(\+(?P<pointer>click|box))?")
SAY = re.compile(r"say\((?P<kind>[a-z]+)\)")
_JSON: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)
KINDS = ("chat", "explain", "ask", "refuse", "cannot", "recall")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Steps of calls, or the kind of answer that needs none."""

    steps: tuple[tuple[Call, ...], ...] = ()
    say: str | None = None

    @property
    def calls(self) -> tuple[Call, ...]:
        return tuple(call for step in self.steps for call in step)

    @property
    def skills(self) -> tuple[str, ...]:
        return tuple(call.skill for call in self.calls)


def parse_plan(text: str, skills: SkillRegistry) -> Plan:
    """Read a plan; a `SetupError` names the part that does not fit the notation or the skills."""
    if found := SAY.fullmatch(text.strip()):
        if found["kind"] not in KINDS:
            raise SetupError(f"say({found['kind']}): wanted one of {', '.join(KINDS)}.")
        return Plan(say=found["kind"])
    steps: list[tuple[Call, ...]] = []
    count = 0
    for step in split_outside_quotes(text, ";"):
        calls = []
        for source in split_outside_quotes(step, "&"):
            count += 1
            calls.append(parse_call_text(source, skills, call_id=f"c{count}"))
        steps.append(tuple(calls))
    return Plan(steps=tuple(steps))


def parse_call_text(source: str, skills: SkillRegistry, *, call_id: str) -> Call:
    """Read `blur(img_1, boxes_1, strength=0.9)`; bare names are handles."""
    try:
        node = steadily(lambda: ast.parse(source.strip(), mode="eval")).body
    except SyntaxError as error:
        raise SetupError(
            f"{source.strip()!r} is not a call such as blur(img_1, boxes_1)."
        ) from error
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        raise SetupError(f"{source.strip()!r} is not a call such as blur(img_1, boxes_1).")
    try:
        names = [parameter.name for parameter in skills.find(node.func.id).parameters]
    except SkillError as error:
        raise SetupError(str(error)) from error
    if len(node.args) > len(names):
        raise SetupError(f"{source.strip()!r} has more arguments than {node.func.id} takes.")
    pairs: list[tuple[str | None, ast.expr]] = list(zip(names, node.args, strict=False))
    pairs += [(keyword.arg, keyword.value) for keyword in node.keywords]
    args: dict[str, JsonValue] = {}
    for name, value in pairs:
        if name not in names:
            raise SetupError(f"{node.func.id} has no {name!r}; it takes {', '.join(names)}.")
        if name in args:
            raise SetupError(f"{node.func.id} is given {name!r} twice in {source.strip()!r}.")
        args[name] = _literal(value, source)
    return Call(id=call_id, skill=node.func.id, args=args)


def format_plan(plan: Plan) -> str:
    """The line that `parse_plan` reads back."""
    if plan.say is not None:
        return f"say({plan.say})"
    return " ; ".join(" & ".join(format_call(call) for call in step) for step in plan.steps)


def format_call(call: Call) -> str:
    words = [f"{name}={_written(value)}" for name, value in call.args.items()]
    return f"{call.skill}({', '.join(words)})"


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """Parts of the text between separators that stand outside quotes; empty parts are errors."""
    parts, start, quote, escaped = [], 0, "", False
    for index, letter in enumerate(text):
        if escaped:
            escaped = False
        elif quote:
            escaped = letter == "\\"
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == separator:
            parts.append(text[start:index].strip())
            start = index + 1
    parts.append(text[start:].strip())
    if not all(parts):
        raise SetupError(f"{text!r} has an empty part beside {separator!r}.")
    return parts


def result_prefix(call: Call, skills: SkillRegistry) -> str:
    """The prefix of the handle that the call's result gets, such as "boxes"."""
    if call.skill == "select":  # gives back what kind it was given
        region = call.args.get("region")
        return region.partition("_")[0] if isinstance(region, str) else PREFIXES["boxes"]
    return PREFIXES[skills[call.skill].returns[0]]


@dataclass(frozen=True, kw_only=True)
class Context:
    """What a conversation held when the request came: `2`, `1+click` or `1 > PLAN > PLAN`."""

    images: int
    pointer: str | None = None  # "points" or "boxes"
    turns: tuple[Plan, ...] = ()

    def given(self, skills: SkillRegistry) -> dict[str, int]:
        """How many handles of each kind there are."""
        counts = {"img": self.images} if self.images else {}
        if self.pointer:
            counts[self.pointer] = 1
        for turn in self.turns:
            for call in turn.calls:
                prefix = result_prefix(call, skills)
                counts[prefix] = counts.get(prefix, 0) + 1
        return counts


def parse_context(text: str, skills: SkillRegistry) -> Context:
    """Read a context; `SetupError` where it is none."""
    head, *turns = split_outside_quotes(text, ">")
    found = CONTEXT.fullmatch(head)
    if found is None:
        raise SetupError(f"Context {head!r} is not a number of pictures, with +click or +box.")
    return Context(
        images=int(found["images"]),
        pointer={"click": "points", "box": "boxes"}.get(found["pointer"] or ""),
        turns=tuple(parse_plan(turn, skills) for turn in turns),
    )


def _literal(node: ast.expr, source: str) -> JsonValue:
    if isinstance(node, ast.Name):
        return node.id
    try:
        value = ast.literal_eval(node)
        return _JSON.validate_python(list(value) if isinstance(value, tuple) else value)
    except ValueError as error:
        raise SetupError(
            f"{source.strip()!r}: arguments are handles and plain literals."
        ) from error


def _written(value: JsonValue) -> str:
    return value if isinstance(value, str) and HANDLE.fullmatch(value) else repr(value)
