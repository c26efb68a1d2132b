"""A turn as messages of a chat: pure functions, no gradio, nothing that a visitor's text can break.

Whatever comes from people, planners, skills or pictures goes through `plain`: neither HTML nor
Markdown in it has any effect, and no link or outside picture can arise from it.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NotRequired, TypedDict

from llava_plus.agent import Step, Turn
from llava_plus.skills import Artifacts, Call, Image, Observation, SkillRegistry

from .labels import ENGLISH, Labels
from .overlays import drawn

Show = Callable[[Image], str]  # puts a picture where the page finds it, and returns its path


class Metadata(TypedDict):
    """What makes a message a collapsible entry."""

    title: str
    status: NotRequired[Literal["pending", "done"]]
    duration: NotRequired[float]
    log: NotRequired[str]


class Picture(TypedDict):
    """A picture inside a message."""

    path: str
    alt_text: str


class ChatMessage(TypedDict):
    """One message, as gradio's Chatbot takes it."""

    role: Literal["user", "assistant"]
    content: list[str | Picture]
    metadata: NotRequired[Metadata]


def render_turn(
    turn: Turn,
    artifacts: Artifacts,
    *,
    show: Show,
    earlier: Sequence[Turn] = (),
    progress: str = "",
    labels: Labels = ENGLISH,
) -> list[ChatMessage]:
    """Return the request, an entry for each step with the pictures that it made, then the answer.

    Args:
        turn: Finished, or as far as it has come.
        artifacts: The session's values.
        show: Puts a picture where the page finds it.
        earlier: The turns before, which tell on what picture a value lies.
        progress: How far the running step has come, where that is known.
        labels: The page's words.
    """
    turns = (*earlier, turn)
    messages = [_request(turn, artifacts, turns, show)]
    for number, step in enumerate(turn.steps, 1):
        running = turn.reason == "running" and number == len(turn.steps) and not turn.answer
        if step.thought or step.actions or step.raw or running:
            messages.append(_step(step, number, running, progress, labels))
        for seen in step.observations:
            messages += _pictures(seen, artifacts, turns, show)
    if turn.answer:
        messages.append({"role": "assistant", "content": [plain(turn.answer)]})
    return messages


def render_help(registry: SkillRegistry, labels: Labels = ENGLISH) -> ChatMessage:
    """Return the catalogue as an answer."""
    lines = [plain(labels["help"]), ""]
    lines += [f"{_code(spec.signature())}\n{plain(spec.description)}\n" for spec in registry]
    return {"role": "assistant", "content": ["\n".join(lines)]}


def render_asked(call: Call, labels: Labels = ENGLISH) -> str:
    """Return a call that waits for a person, with every argument in full."""
    lines = [plain(labels["approval_asks"].format(skill=call.skill)), plain(labels["approval"])]
    lines += [f"{_code(name)} = {_code(_argument(value))}" for name, value in call.args.items()]
    return "\n\n".join(lines)


def plain(text: str) -> str:
    """Return Markdown that shows the text as it is, character by character."""
    text = "".join(c for c in text if c in "\n\t" or c.isprintable() or c.isspace())
    text = re.sub(r"[^\w\s]|_", lambda match: f"&#{ord(match[0])};", text)
    return re.sub(r"^[ \t]+", lambda match: "&nbsp;" * len(match[0]), text, flags=re.M)


def written(call: Call) -> str:
    """Return a call as a line of code: ``detect(image=img_1, label="face")``."""
    return f"{call.skill}({', '.join(f'{k}={_argument(v)}' for k, v in call.args.items())})"


def _argument(value: object) -> str:
    if isinstance(value, str):
        is_handle = re.fullmatch(r"[a-z]+_[0-9]+", value)
        return value if is_handle else f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(map(_argument, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _request(turn: Turn, artifacts: Artifacts, turns: Sequence[Turn], show: Show) -> ChatMessage:
    """Return what the person said, with the pictures that came along and the marks on them."""
    content: list[str | Picture] = []
    for handle in turn.images:
        value = artifacts[handle].value
        if isinstance(value, Image):
            content.append({"path": show(value), "alt_text": handle})
    for handle in turn.pointers:
        if (marked := drawn(handle, artifacts, turns)) is not None:
            content.append({"path": show(marked), "alt_text": handle})
    names = ", ".join((*turn.images, *turn.pointers))
    content.append(plain(turn.message) + (f"\n{_code(names)}" if names else ""))
    return {"role": "user", "content": content}


def _step(step: Step, number: int, running: bool, progress: str, labels: Labels) -> ChatMessage:
    names = ", ".join(_word(call.skill) for call in step.actions) or labels["thought"]
    metadata: Metadata = {
        "title": f"{labels['step']} {number}: {names}",
        "status": "pending" if running else "done",
    }
    if running:
        metadata["log"] = f"{labels['working']} {progress}".strip()
    else:
        metadata["duration"] = round(step.seconds, 2)
    lines = [plain(step.thought)] if step.thought else []
    lines += _calls(step)
    if step.raw:
        problem = step.observations[0].text if step.observations else ""
        lines += [plain(labels["unreadable"].format(problem=problem)), _code(step.raw)]
    return {
        "role": "assistant",
        "content": ["\n\n".join(lines) or "&nbsp;"],
        "metadata": metadata,
    }


def _calls(step: Step) -> Iterator[str]:
    """Yield each call with what came of it, where it has ended."""
    seen = {one.call_id: one for one in step.observations}
    for call in step.actions:
        line = _code(written(call))
        yield line + (f"\n{_result(seen[call.id])}" if call.id in seen else "")


def _result(seen: Observation) -> str:
    name = f"{_code(seen.handle)} " if seen.handle else ""
    sign = "→" if seen.ok else "✗"
    return f"{sign} {name}{plain(seen.text)} {plain(f'({seen.seconds:.2f} s)')}"


def _pictures(
    seen: Observation, artifacts: Artifacts, turns: Sequence[Turn], show: Show
) -> Iterator[ChatMessage]:
    """Yield the picture that a call made, or its result drawn on the picture it is about."""
    if seen.handle is None or seen.handle not in artifacts:
        return
    value = artifacts[seen.handle].value
    image = value if isinstance(value, Image) else drawn(seen.handle, artifacts, turns)
    if image is not None:
        picture: Picture = {"path": show(image), "alt_text": f"{seen.handle}: {seen.skill}"}
        yield {"role": "assistant", "content": [_code(seen.handle), picture]}


def _code(text: str) -> str:
    return f"<code>{plain(text)}</code>"


def _word(name: str) -> str:
    """Return a skill's name for a title, where planners might have written anything."""
    return re.sub(r"[^\w ]", "", name)[:40] or "?"
