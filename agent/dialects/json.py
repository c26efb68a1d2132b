"""Our own dialect: one compact JSON object a step, with handles for everything big."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Literal

from pydantic import JsonValue

from llava_plus.agent.planner import Decision, PlannerError, PlanView
from llava_plus.agent.trace import Step, Turn
from llava_plus.messages import Message, TextPart
from llava_plus.skills import (
    Artifacts,
    Call,
    Observation,
    Parameter,
    SkillRegistry,
    default_registry,
)

from .parts import HANDLES, Part, Shown, request_parts, result_text, show
from .reading import decoder, short, tidy

SystemText = Literal["differences", "full"]

WANTED = (
    'Wanted one JSON object: {"thought":"…","actions":[{"skill":"…","args":{…}}]} to call skills, '
    'or {"thought":"…","answer":"…"} to answer.'
)
FULL = (
    """You help people with pictures. You cannot see or change a picture exactly by yourself: \
call skills for that.
Reply with one JSON object and nothing else. To call skills:
{"thought":"why","actions":[{"skill":"detect","args":{"image":"img_1","label":"face"}}]}
When everything is done, or when no skill is needed:
{"thought":"why","answer":"what the person reads"}
"""
    + HANDLES
    + "The skills:\n"
)
MOST_OBJECTS = 20  # opening braces that are tried before the text counts as babble


def render(
    view: PlanView, *, system: SystemText = "differences", known: SkillRegistry | None = None
) -> list[Message]:
    """Write a session as messages; a longer session begins with the messages of the shorter.

    Args:
        view: The session so far.
        system: "differences" lists only how the skills differ from those that the planner knows,
            "full" explains the format and lists every skill.
        known: What the planner was trained on; the whole built-in catalogue if left out.
    """
    skills, shown = view.skills, Shown()
    text = FULL + skills.prompt() if system == "full" else _differences(skills, known)
    messages = [Message(role="system", parts=(TextPart(text=text),))]
    for turn in view.turns:
        messages.append(_request(turn, view.artifacts, shown))
        for step in turn.steps:
            messages += _step(step, turn, view, shown)
        if turn.reason != "running" and messages[-1].role != "assistant":
            closing = Decision(thought="", answer=turn.answer)
            messages.append(_said(write(closing, skills), supervised=False))
    return messages


def write(decision: Decision, skills: SkillRegistry | None = None) -> str:
    """Write what a planner says in one step.

    Arguments come in the signature's order. Words that can be copied from the request start with
    a space inside the quotes, so that they split into the same tokens there and here; handles and
    choices do not.
    """
    said: dict[str, Any] = {"thought": decision.thought}
    if decision.calls:
        said["actions"] = [
            {"skill": call.skill, "args": _spaced(call, skills)} for call in decision.calls
        ]
    else:
        said["answer"] = decision.answer or ""
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def parse(text: str, ids: Iterator[str]) -> Decision:
    """Read what a planner said; words or fences around the JSON are passed over.

    Args:
        text: The raw output.
        ids: Where the ids of the calls come from.
    """
    said = tidy(_object(text))
    thought = said.get("thought", "")
    if not isinstance(thought, str):
        raise PlannerError(f'"thought" must be a string, got {short(thought)}. {WANTED}')
    if actions := said.get("actions"):
        return Decision(thought=thought, calls=tuple(_calls(actions, ids)))
    answer = said.get("answer")
    if not isinstance(answer, str) or not answer:
        raise PlannerError(f'Neither "actions" nor a worded "answer" in {short(said)}. {WANTED}')
    return Decision(thought=thought, answer=answer)


def schema(skills: SkillRegistry) -> dict[str, Any]:
    """Return the JSON schema of what a planner says in one step, for servers that guide by one."""
    thought = {"thought": {"type": "string"}}
    ways: list[dict[str, Any]] = [{**thought, "answer": {"type": "string", "minLength": 1}}]
    if len(skills):
        calls = {"type": "array", "items": skills.json_schema(), "minItems": 1}
        ways.insert(0, {**thought, "actions": calls})
    return {
        "anyOf": [
            {
                "type": "object",
                "properties": way,
                "required": list(way),
                "additionalProperties": False,
            }
            for way in ways
        ]
    }


def is_words(parameter: Parameter) -> bool:
    """Whether an argument is free text, rather than a handle, a choice or a number."""
    return not parameter.kinds and _takes_words(parameter.json_schema)


def _request(turn: Turn, artifacts: Artifacts, shown: Shown) -> Message:
    return Message(role="user", parts=tuple(request_parts(turn, artifacts, shown)))


def _step(step: Step, turn: Turn, view: PlanView, shown: Shown) -> Iterator[Message]:
    taught = turn.by == "planner"
    if step.raw:
        yield _said(step.raw, supervised=False)
        yield _told(step.observations, view.artifacts, shown)
    elif step.actions:
        decision = Decision(thought=step.thought, calls=step.actions)
        yield _said(write(decision, view.skills), supervised=taught)
        yield _told(step.observations, view.artifacts, shown)
    else:
        answer = turn.answer if step.answer is None else step.answer
        decision = Decision(thought=step.thought, answer=answer)
        yield _said(write(decision), supervised=taught and step.answer is not None)


def _told(observations: Sequence[Observation], artifacts: Artifacts, shown: Shown) -> Message:
    parts: list[Part] = []
    for index, seen in enumerate(observations):
        end = "\n" if index + 1 < len(observations) else ""
        same = "" if seen.handle is None else show(seen.handle, artifacts, parts, shown)
        parts.append(TextPart(text=f"{result_text(seen)}{same}{end}"))
    return Message(role="observation", parts=tuple(parts))


def _said(text: str, *, supervised: bool) -> Message:
    return Message(role="assistant", parts=(TextPart(text=text),), supervised=supervised)


@cache
def _catalogue() -> SkillRegistry:
    return default_registry()


def _differences(skills: SkillRegistry, known: SkillRegistry | None) -> str:
    added, removed = skills.differences(_catalogue() if known is None else known)
    lines = [f"+ {spec.signature()}: {spec.description}" for spec in added]
    return "\n".join([*lines, *(f"- {name}" for name in removed)])


def _spaced(call: Call, skills: SkillRegistry | None) -> dict[str, JsonValue]:
    """Return the arguments in the signature's order, words with a space before them."""
    spec = skills[call.skill] if skills is not None and call.skill in skills else None
    if spec is None:
        return call.args
    known = {p.name: is_words(p) for p in spec.parameters}
    ordered = [name for name in known if name in call.args]
    ordered += [name for name in call.args if name not in known]
    words = {name for name, free in known.items() if free}
    args = call.args
    return {name: _space(args[name]) if name in words else args[name] for name in ordered}


def _space(value: JsonValue) -> JsonValue:
    if isinstance(value, list):
        return [_space(item) for item in value]
    return f" {value}" if isinstance(value, str) else value


def _takes_words(schema: Mapping[str, Any]) -> bool:
    if "enum" in schema or "const" in schema:
        return False
    inner = (*schema.get("anyOf", ()), schema.get("items", {}))
    return schema.get("type") == "string" or any(map(_takes_words, filter(None, inner)))


def _calls(actions: JsonValue, ids: Iterator[str]) -> Iterator[Call]:
    if not isinstance(actions, list):
        raise PlannerError(f'"actions" must be a list, got {short(actions)}. {WANTED}')
    for action in actions:
        skill = action.get("skill") if isinstance(action, dict) else None
        args = action.get("args", {}) if isinstance(action, dict) else None
        if not isinstance(skill, str) or not skill or not isinstance(args, dict):
            raise PlannerError(
                f'An action is {{"skill":"…","args":{{…}}}}, got {short(action)}. {WANTED}'
            )
        yield Call(id=next(ids), skill=skill, args=args)


def _object(text: str) -> dict[str, JsonValue]:
    """Find the first object that has one of our keys; say why there is none."""
    reader = decoder()
    problem = "There is no JSON object" if text.strip() else "The output is empty"
    start = text.find("{")
    for attempt in range(MOST_OBJECTS):
        if start < 0:
            break
        try:
            found, end = reader.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            problem = problem if attempt else f"The JSON cannot be read: {error}"
            end = start + 1
        else:
            if found.keys() & {"thought", "actions", "answer"}:
                return dict(found)
            problem = f"The JSON has the keys {', '.join(map(repr, found)) or 'of nothing'}"
        start = text.find("{", end)
    raise PlannerError(f"{problem}. Got {short(text)}. {WANTED}")
