"""LLaVA-Plus's dialect, byte for byte: emoji inside the quotes, observations as Python dicts.

It knows no handles: results are numbers in the text, and a call without "image" means the newest
picture. Pictures that skills make are not shown to the planner. `with_original_names` answers the
original's API names with our skills; `in_original_names` puts calls of ours into those names.
"""

import ast
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Literal

from pydantic import JsonValue

from llava_plus.agent.planner import Decision, PlannerError, PlanView
from llava_plus.agent.trace import Step, Turn
from llava_plus.messages import ImagePart, Message, TextPart
from llava_plus.skills import (
    Artifacts,
    Boxes,
    Call,
    Image,
    Observation,
    Points,
    SkillRegistry,
    Value,
)
from llava_plus.skills.apis import BY_NAME
from llava_plus.syntax import steadily

from .outputs import output, rounded, shown
from .stream import ACTIONS, THOUGHTS, VALUE

Wording = Literal["served", "script"]
OUTPUT: dict[Wording, str] = {"served": "{} model outputs: {}", "script": "{} output: {}"}
QUESTION: dict[Wording, str] = {
    "served": "\n\nPlease summarize the model outputs and answer my first question: {}",
    "script": "\n\nAnswer my first question: {}",
}
SPOKEN = re.compile(f"{THOUGHTS}(.*){ACTIONS}(.*){VALUE}(.*)", re.DOTALL)
FILLER = "I will use {} to help to answer the question. Please wait for a moment."
WANTED = f'Wanted {THOUGHTS} … {ACTIONS} [{{"API_name": "…", "API_params": {{…}}}}] {VALUE} …'
LONGEST = 20_000  # characters of actions that are read at all
FILLED = (("inpainting", "mask"), ("seem", "refimg"), ("seem", "refmask"))  # by its server


def render(view: PlanView, *, wording: Wording = "served") -> list[Message]:
    """Write a session as messages.

    Args:
        view: The session so far.
        wording: "served" as the original's web server put it: results introduced in its words, a
            marked box two lines below the request and again with the result, no line break after
            what the planner said. "script" as its training data has it.
    """
    messages: list[Message] = []
    newest = ""
    for turn in view.turns:
        newest = turn.images[-1] if turn.images else newest
        messages.append(_request(turn, view.artifacts, wording))
        for step in turn.steps:
            messages += _step(step, turn, view.artifacts, newest, wording)
            made = [seen.handle for seen in step.observations if seen.kind == "image"]
            newest = next((handle for handle in reversed(made) if handle), newest)
        if turn.reason != "running" and messages[-1].role != "assistant":
            text = _spoken(Decision(answer=turn.answer), wording)
            messages.append(_said(text, supervised=False))
    return messages


def write(decision: Decision, *, newest: str = "") -> str:
    """Write what a planner says in one step; an "image" that is the newest is left out."""
    actions = [
        {
            "API_name": call.skill,
            "API_params": {
                name: value
                for name, value in call.args.items()
                if (name, value) != ("image", newest) and (call.skill, name) not in FILLED
            },
        }
        for call in decision.calls
    ]
    names = " and ".join(dict.fromkeys(call.skill for call in decision.calls))
    value = FILLER.format(names) if actions else decision.answer or ""
    lines = ((THOUGHTS, decision.thought), (ACTIONS, json.dumps(actions)), (VALUE, value))
    return "".join(f"{marker} {text}\n" for marker, text in lines)


def parse(text: str, ids: Iterator[str], *, view: PlanView | None = None) -> Decision:
    """Read what a planner said. Text without any marker is an answer, as in the original.

    Args:
        text: The raw output.
        ids: Where the ids of the calls come from.
        view: The session; with it, a call without "image" gets the newest picture, one of the
            original's APIs also where "image" is no handle, inpainting the newest outlines, and
            seem the newest boxes or outlines and the picture before the newest.
    """
    spoken = SPOKEN.search(text)
    if spoken is None:
        if text.strip() and not any(marker in text for marker in (THOUGHTS, ACTIONS, VALUE)):
            return Decision(answer=text.strip())
        raise PlannerError(f"Parts are missing in {text[:120]!r}. {WANTED}")
    thought, actions, value = (part.strip() for part in spoken.groups())
    if calls := tuple(_calls(_list(actions), ids, view)):
        return Decision(thought=thought, calls=calls)
    if not value:
        raise PlannerError(f"There are neither actions nor a value in {text[:120]!r}. {WANTED}")
    return Decision(thought=thought, answer=value)


def told(call: Call, seen: Observation, value: Value | None, wording: Wording) -> str:
    """Return what came of a call in the words that introduce it, without the question after it."""
    found = output(call.skill, value, seen.text, call.args)
    return OUTPUT[wording].format(shown(call.skill), found)


def _spoken(decision: Decision, wording: Wording, newest: str = "") -> str:
    text = write(decision, newest=newest)
    return text.strip() if wording == "served" else text


def _request(turn: Turn, artifacts: Artifacts, wording: Wording) -> Message:
    pictures = [artifacts[handle].value for handle in turn.images]
    parts: list[TextPart | ImagePart] = [
        ImagePart(pixels=value.rgb(), digest=value.digest)
        for value in pictures
        if isinstance(value, Image)
    ]
    start = "\n" if parts else ""
    text = turn.message + _pointers(turn, artifacts, wording)
    return Message(role="user", parts=(*parts, TextPart(text=f"{start}{text}")))


def _pointers(turn: Turn, artifacts: Artifacts, wording: Wording) -> str:
    """Write where a person pointed; beside a new picture the server leaves a line free."""
    text = "".join(_pointer(artifacts[handle].value) for handle in turn.pointers)
    return f"\n{text}" if text and turn.images and wording == "served" else text


def _pointer(value: Value) -> str:
    if isinstance(value, Points):
        return "".join(f"\nThe input point: {rounded(list(xy))}" for xy in value.xy)
    if isinstance(value, Boxes):
        return "".join(f"\nInput box: {rounded(list(box))}" for box in value.xyxy)
    return ""


def _step(
    step: Step, turn: Turn, artifacts: Artifacts, newest: str, wording: Wording
) -> Iterator[Message]:
    taught = turn.by == "planner"
    if step.actions:
        decision = Decision(thought=step.thought, calls=step.actions)
        yield _said(_spoken(decision, wording, newest), supervised=taught)
        yield _told(step, turn, artifacts, wording)
    elif step.raw:
        yield _said(step.raw, supervised=False)
        text = "\n".join(seen.text for seen in step.observations)
        yield Message(role="observation", parts=(TextPart(text=text),))
    else:
        answer = turn.answer if step.answer is None else step.answer
        decision = Decision(thought=step.thought, answer=answer)
        learned = taught and step.answer is not None
        yield _said(_spoken(decision, wording), supervised=learned)


def _told(step: Step, turn: Turn, artifacts: Artifacts, wording: Wording) -> Message:
    lines = []
    for call, seen in zip(step.actions, step.observations, strict=True):
        value = artifacts[seen.handle].value if seen.handle else None
        lines.append(told(call, seen, value, wording))
    pointers = _pointers(turn, artifacts, wording) if wording == "served" else ""
    text = "\n".join(lines) + QUESTION[wording].format(f"{turn.message}{pointers}")
    return Message(role="observation", parts=(TextPart(text=text),))


def _said(text: str, *, supervised: bool) -> Message:
    return Message(role="assistant", parts=(TextPart(text=text),), supervised=supervised)


def _list(actions: str) -> list[Any]:
    """Read JSON; else Python literals; else JSON after turning ' into ", as the original did."""
    if len(actions) > LONGEST:
        raise PlannerError(f"The actions have {len(actions)} characters. {WANTED}")
    problem = ""
    readers: tuple[Callable[[], Any], ...] = (
        lambda: json.loads(actions),
        lambda: steadily(lambda: ast.literal_eval(actions)),
        lambda: json.loads(actions.replace("'", '"')),
    )
    for reader in readers:
        try:
            # Through JSON once more: literals may hold tuples, sets or infinities.
            found = json.loads(json.dumps(reader(), allow_nan=False))
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
            problem = problem or str(error)
            continue
        if isinstance(found, list):
            return found
        problem = problem or "it is not a list"
    raise PlannerError(f"The actions {actions[:120]!r} cannot be read: {problem}. {WANTED}")


def _calls(actions: list[Any], ids: Iterator[str], view: PlanView | None) -> Iterator[Call]:
    for action in actions:
        name = action.get("API_name") if isinstance(action, dict) else None
        params = action.get("API_params", {}) if isinstance(action, dict) else None
        if not isinstance(name, str) or not name or not isinstance(params, dict):
            raise PlannerError(f"{str(action)[:120]!r} is not an action. {WANTED}")
        yield Call(id=next(ids), skill=name, args=_with_image(name, params, view))


def _with_image(
    name: str, params: dict[str, JsonValue], view: PlanView | None
) -> dict[str, JsonValue]:
    if view is None or not _takes_image(name, view.skills):
        return params
    if name in BY_NAME:  # what the original leaves out, whatever its models write
        params = {k: v for k, v in params.items() if k != "image" or v in list(view.artifacts)}
    params = {**_kept(name, view.artifacts), **params}
    pictures = view.artifacts.handles("image")
    return {"image": pictures[-1], **params} if pictures else params


def _kept(name: str, artifacts: Artifacts) -> dict[str, JsonValue]:
    """Return what the original's server has kept for an API: the newest of its kind."""
    outlines, pictures = artifacts.handles("masks"), artifacts.handles("image")
    if name == "inpainting" and outlines:
        return {"mask": outlines[-1]}
    if name != "seem":
        return {}
    marked = [handle for handle, each in artifacts.items() if each.kind in ("boxes", "masks")]
    found: dict[str, JsonValue] = {"refmask": marked[-1]} if marked else {}
    return found | ({"refimg": pictures[-2:][0]} if pictures else {})


def _takes_image(name: str, skills: SkillRegistry) -> bool:
    return name in skills and any(p.name == "image" for p in skills[name].parameters)
