"""A model's own tool calling: chat messages with tool calls, as APIs and chat templates have them.

The skills travel beside the messages, as ``registry.openai_tools()``.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from llava_plus.agent.planner import Decision, PlannerError, PlanView
from llava_plus.agent.trace import Step
from llava_plus.messages import ImagePart, TextPart
from llava_plus.skills import Artifacts, Call

from .parts import HANDLES, Part, Shown, request_parts, result_text, show
from .reading import decoder, short, tidy

Chat = dict[str, Any]  # one message, or one part of its content
Show = Callable[[ImagePart], Chat]  # makes the part that carries a picture

SYSTEM = (
    "You help people with pictures. You cannot see or change a picture exactly by yourself: call "
    "tools for that.\nWhen everything is done, or when no tool is needed, answer in words.\n"
    + HANDLES
).strip()
WANTED = "Call tools with one JSON object of arguments each, or answer in words."
MADE = "Pictures that the tools made: "
UNREAD = "(a reply that could not be used)"
REFUSED = "The model refused: {} Put the request in other words, or use another planner."
LONGEST_REASONING = 600  # characters of it that are kept as the thought


def render(view: PlanView, *, picture: Show | None = None) -> list[Chat]:
    """Write a session as chat messages; a longer session begins with the messages of the shorter.

    Results go back as tool messages, which take text only; the pictures among them follow in a
    message of the user, with their handles. Each picture is there once.

    Args:
        view: The session so far.
        picture: Makes the part that carries a picture to an API, where arguments are JSON text.
            Without it the messages are for a local chat template: arguments are objects, and the
            parts ``{"type": "image", "image": pixels, "digest": …}``.
    """
    writer = _Writer(view.artifacts, picture)
    for turn in view.turns:
        writer.user(request_parts(turn, view.artifacts, writer.shown))
        for step in turn.steps:
            writer.step(step, turn.answer)
        if turn.reason != "running" and writer.chat[-1]["role"] != "assistant":
            writer.assistant(turn.answer)
    return writer.chat


def parse(message: Mapping[str, Any], ids: Iterator[str]) -> Decision:
    """Read the message of an assistant, from an API or from ``tokenizer.parse_response``.

    Words before calls are the thought; where there are none, the end of the reasoning is.

    Args:
        message: ``content``, ``tool_calls`` (arguments as JSON text or as objects), ``refusal``,
            and the reasoning under any of its names.
        ids: Where the ids of the calls come from.
    """
    if refusal := tidy(message.get("refusal")):
        return Decision(answer=REFUSED.format(refusal))
    names = ("reasoning_content", "reasoning", "thinking")
    thoughts = [str(message[name]) for name in names if message.get(name)]
    unmarked, _, content = str(message.get("content") or "").rpartition("</think>")
    reasoning = tidy("\n".join([*thoughts, unmarked.replace("<think>", "")]))
    content, reasoning = tidy(content), reasoning[-LONGEST_REASONING:]
    if calls := tuple(_calls(message.get("tool_calls") or (), ids)):
        return Decision(thought=content or reasoning, calls=calls)
    if not content:
        raise PlannerError(f"The output is empty: neither a tool call nor an answer. {WANTED}")
    return Decision(thought=reasoning, answer=content)


def content_of(parts: Sequence[Part], picture: Show | None) -> str | list[Chat]:
    """Write the parts of a message: a string where there is no picture among them."""
    if not any(isinstance(part, ImagePart) for part in parts):
        return "".join(part.text for part in parts if isinstance(part, TextPart))
    content: list[Chat] = []
    for part in parts:
        if isinstance(part, ImagePart):
            content.append(picture(part) if picture else _pixels(part))
        elif content and content[-1]["type"] == "text":
            content[-1]["text"] += part.text
        else:
            content.append({"type": "text", "text": part.text})
    return content


def _pixels(part: ImagePart) -> Chat:
    return {"type": "image", "image": part.pixels, "digest": part.digest}


class _Writer:
    """Messages so far."""

    def __init__(self, artifacts: Artifacts, picture: Show | None) -> None:
        self.chat: list[Chat] = [{"role": "system", "content": SYSTEM}]
        self.shown = Shown()
        self._artifacts = artifacts
        self._picture = picture
        # Nine letters and digits are what every template takes, Mistral's too.
        self._ids = (f"call{number:05}" for number in count(1))

    def user(self, parts: Sequence[Part]) -> None:
        self.chat.append({"role": "user", "content": content_of(parts, self._picture)})

    def assistant(self, text: str) -> None:
        self.chat.append({"role": "assistant", "content": text})

    def step(self, step: Step, answer: str) -> None:
        if step.raw:
            self.assistant(step.thought or UNREAD)
            self.user([TextPart(text="\n".join(seen.text for seen in step.observations))])
        elif step.actions:
            self._calls(step)
        else:
            self.assistant(answer if step.answer is None else step.answer)

    def _calls(self, step: Step) -> None:
        ids = [next(self._ids) for _ in step.actions]
        calls = [self._call(id, call) for id, call in zip(ids, step.actions, strict=True)]
        self.chat.append({"role": "assistant", "content": step.thought, "tool_calls": calls})
        made: list[Part] = []
        for id, call, seen in zip(ids, step.actions, step.observations, strict=True):
            before, same = len(made), ""
            if seen.handle is not None:
                same = show(seen.handle, self._artifacts, made, self.shown)
            if len(made) > before:
                made.append(TextPart(text=f"{seen.handle} "))
            told = {"role": "tool", "tool_call_id": id, "content": f"{result_text(seen)}{same}"}
            self.chat.append(told if self._picture else {**told, "name": call.skill})
        if made:
            self.user([TextPart(text=MADE), *made])

    def _call(self, id: str, call: Call) -> Chat:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", call.skill)[:64]  # other names end in an error
        arguments = json.dumps(call.args, ensure_ascii=False) if self._picture else call.args
        return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def _calls(calls: Any, ids: Iterator[str]) -> Iterator[Call]:
    for call in calls:
        made = call.get("function") if isinstance(call, Mapping) else None
        function: Mapping[str, Any] = made if isinstance(made, Mapping) else {}
        name = tidy(function.get("name"))
        if not isinstance(name, str) or not name:
            raise PlannerError(f"A tool call without a name: {short(call)}. {WANTED}")
        yield Call(id=next(ids), skill=name, args=_arguments(name, function.get("arguments")))


def _arguments(name: str, arguments: Any) -> dict[str, Any]:
    found = arguments
    if isinstance(arguments, str):
        try:
            found = decoder().decode(arguments.strip() or "{}")
        except (ValueError, RecursionError) as error:
            raise PlannerError(
                f"The arguments of {name} cannot be read: {error}. Got {short(arguments)}. {WANTED}"
            ) from error
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise PlannerError(
            f"The arguments of {name} must be one JSON object, got {short(arguments)}. {WANTED}"
        )
    args: dict[str, Any] = tidy(dict(found))
    return args
