"""Traces as chat messages with tool calls, for trainers that are not ours.

Three ways of writing the same conversation (of `native`, our dialect for a model's own tool
calling): what TRL reads, what LLaMA-Factory reads and what ms-swift reads. Pictures lie beside as
files, each once; the skills stand in ``tools``, as JSON text, since each has other parameters.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from threading import Event
from typing import Any, Literal

from llava_plus.agent import PlanView, Trace
from llava_plus.agent.dialects import native
from llava_plus.data_gen.output import Output, PictureFiles, Shards
from llava_plus.skills import Image, SkillRegistry

from .writing import LeftOutError

Style = Literal["trl", "llama-factory", "ms-swift"]
Chat = dict[str, Any]  # one message, or one part of its content
IMAGES, MARK = "images", "<image>"
DATASET_INFO = {  # what LLaMA-Factory wants to know of a file
    "formatting": "sharegpt",
    "columns": {"messages": "messages", "images": "images", "tools": "tools"},
    "tags": {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "observation_tag": "observation",
        "function_tag": "function_call",
        "system_tag": "system",
    },
}


class ChatLines:
    """Writes ``chat-*.jsonl`` and ``images``.

    Args:
        output: Where to.
        skills: Those that the traces had.
        style: Whose reader it is for.
    """

    def __init__(self, output: Output, skills: SkillRegistry, *, style: Style = "trl") -> None:
        self._skills = skills
        self._style = style
        self._output = output
        self._pictures = PictureFiles(output.folder / IMAGES)
        self._shards = Shards(output, "chat")

    def add(self, trace: Trace) -> None:
        """Write a line and its pictures."""
        line, pictures = chat_line(trace, self._skills, style=self._style)
        for picture in pictures:
            self._pictures.put(picture)
        self._shards.add(json.dumps(line, ensure_ascii=False))

    def close(self) -> Mapping[str, Any]:
        """End the last shard; LLaMA-Factory gets its ``dataset_info.json``."""
        self._shards.close()
        if self._style == "llama-factory":
            names = [str(one["name"]) for one in self._output.files]
            info = {Path(name).stem: {"file_name": name, **DATASET_INFO} for name in names}
            with self._output.create("dataset_info.json") as file:
                file.write(json.dumps(info, indent=2) + "\n")
        return {"kind": "chat", "style": self._style, "images": IMAGES}


def chat_line(
    trace: Trace, skills: SkillRegistry, *, style: Style = "trl"
) -> tuple[Chat, list[Image]]:
    """Write one trace; return it with the pictures that it names, in their order.

    Raises:
        LeftOutError: Its words hold the mark for a picture, so that a reader would miscount.
    """
    offered = skills.subset(*(name for name in trace.skills if name in skills))
    view = PlanView(turns=trace.turns, artifacts=trace.artifacts, skills=offered, cancel=Event())
    chat = native.render(view)
    pictures = [Image(part["image"]) for part in _parts(chat) if part["type"] == "image"]
    texts = [part["text"] for part in _parts(chat) if part["type"] == "text"]
    if any(MARK in text for text in texts):
        raise LeftOutError(f"Its words hold {MARK}, the mark of a picture.")
    line = {
        "id": trace.id,
        "messages": list(STYLES[style](chat)),
        "images": [f"{IMAGES}/{picture.digest}.png" for picture in pictures],
        "tools": json.dumps(offered.openai_tools(), ensure_ascii=False),
    }
    return line, pictures


def _trl(chat: list[Chat]) -> Iterator[Chat]:
    """Keep the messages; each content is a list of parts, pictures are named elsewhere."""
    for message in chat:
        parts = [
            {"type": "image"} if part["type"] == "image" else part for part in _content(message)
        ]
        yield {**message, "content": parts}


def _llama_factory(chat: list[Chat]) -> Iterator[Chat]:
    """Take turns strictly: calls are a message of their own, all results of a step are one.

    Thoughts beside calls are lost: there is no place for them.
    """
    for group in _groups(chat):
        first = group[0]
        if first["role"] == "tool":
            texts = [_flat(message) for message in group]
            yield {"role": "observation", "content": "\n".join(texts)}
        elif calls := first.get("tool_calls"):
            functions = [call["function"] for call in calls]
            yield {"role": "function_call", "content": json.dumps(functions, ensure_ascii=False)}
        else:
            yield {"role": first["role"], "content": _flat(first)}


def _ms_swift(chat: list[Chat]) -> Iterator[Chat]:
    """Give each call and each result a message of its own; thoughts beside calls are lost."""
    for group in _groups(chat):
        first = group[0]
        if first["role"] == "tool":
            texts = [_flat(message) for message in group]
            if group[-1]["role"] == "user":
                texts[-2:] = ["\n".join(texts[-2:])]
            yield from ({"role": "tool_response", "content": text} for text in texts)
        elif calls := first.get("tool_calls"):
            for call in calls:
                content = json.dumps(call["function"], ensure_ascii=False)
                yield {"role": "tool_call", "content": content}
        else:
            yield {"role": first["role"], "content": _flat(first)}


STYLES: dict[Style, Callable[[list[Chat]], Iterator[Chat]]] = {
    "trl": _trl,
    "llama-factory": _llama_factory,
    "ms-swift": _ms_swift,
}


def _groups(chat: list[Chat]) -> Iterator[list[Chat]]:
    """Put the results of a step together, with the pictures that are shown after them."""
    index = 0
    while index < len(chat):
        end = index + 1
        if chat[index]["role"] == "tool":
            while end < len(chat) and chat[end]["role"] == "tool":
                end += 1
            if end < len(chat) and chat[end]["role"] == "user":
                made = _flat(chat[end]).startswith(native.MADE)
                end += made
        yield chat[index:end]
        index = end


def _content(message: Chat) -> list[Chat]:
    content = message.get("content") or ""
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _parts(chat: list[Chat]) -> Iterator[Chat]:
    for message in chat:
        yield from _content(message)


def _flat(message: Chat) -> str:
    """Write a content as one text with a mark for each picture."""
    parts = _content(message)
    return "".join(MARK if part["type"] == "image" else part["text"] for part in parts)
