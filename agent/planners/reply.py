"""One reply of a chat server, put together from the chunks of its stream."""

from typing import Any

from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionChunk
from openai.types.chat.chat_completion_chunk import ChoiceDelta, ChoiceDeltaToolCall

from .script import Script

REASONING = ("reasoning_content", "reasoning")  # what servers call it


class Reply:
    """Takes chunks and returns the raw output in pieces.

    Args:
        native: Whether words and calls are written down as one object of our json dialect (which
            is what readers of raw output know); otherwise the content is the raw output.
    """

    def __init__(self, *, native: bool) -> None:
        self.finish = ""  # why it ended, "" until it does
        self.usage: CompletionUsage | None = None
        self.silent = True  # whether no chunk has come
        self.begun = False  # whether anything was said
        self._native = native
        self._script = Script()
        self._said: dict[str, str] = {}
        self._calls: list[dict[str, Any]] = []
        self._at: dict[int, int] = {}  # the server's index of a call, and ours

    @property
    def message(self) -> dict[str, Any]:
        """The message of the assistant as far as it has come."""
        calls = [{"id": call["id"], "function": call["function"]} for call in self._calls]
        return {**self._said, "tool_calls": calls}

    @property
    def content(self) -> str:
        return self._said.get("content", "")

    def feed(self, chunk: ChatCompletionChunk) -> str:
        """Take a chunk; return more of the raw output."""
        self.silent = False
        self.usage = chunk.usage or self.usage
        raw = ""
        for choice in chunk.choices or ():
            self.finish = choice.finish_reason or self.finish
            if choice.delta is not None:
                raw += self._delta(choice.delta)
        self.begun = self.begun or bool(raw)
        return raw

    def end(self) -> str:
        """Return the last piece of the raw output."""
        return self._script.end() if self._native else ""

    def _delta(self, delta: ChoiceDelta) -> str:
        extra = delta.model_extra or {}
        reasoning = next((extra[name] for name in REASONING if extra.get(name)), "")
        raw = self._words("reasoning", "thought", reasoning)
        raw += self._words("content", "answer", delta.content)
        raw += self._words("refusal", "answer", delta.refusal)
        for call in delta.tool_calls or ():
            raw += self._call(call)
        return raw

    def _words(self, name: str, field: str, text: str | None) -> str:
        if not text:
            return ""
        self._said[name] = self._said.get(name, "") + text
        if self._native:
            return self._script.words(field, text)
        return text if name == "content" else ""

    def _call(self, delta: ChoiceDeltaToolCall) -> str:
        """Add to a call. Some servers give every call the same index, but another id."""
        function, index = delta.function, delta.index or 0
        name = (function.name if function else None) or ""
        raw, at = "", self._at.get(index)
        if at is None or (name and delta.id and delta.id != self._calls[at]["id"]):
            at = self._at[index] = len(self._calls)
            call = {"id": delta.id, "function": {"name": name, "arguments": ""}}
            self._calls.append(call)
            raw = self._script.call(name)
        more = (function.arguments if function else None) or ""
        self._calls[at]["function"]["arguments"] += more
        return raw + more if self._native else ""
