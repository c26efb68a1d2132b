"""One output in a template's own words: handed on while it comes, read when it is complete."""

import json
from collections.abc import Callable
from typing import Any

from llava_plus.agent.dialects.reading import decoder, short
from llava_plus.agent.planner import PlannerError

from .script import Script
from .template import CallSyntax

THINK, THOUGHT = "<think>", "</think>"  # around reasoning


class Speech:
    """Takes the text of an output in pieces and gives it out as one object of our json dialect.

    Args:
        syntax: How the template writes calls.
        emit: Gets the raw output that readers know.
    """

    def __init__(self, syntax: CallSyntax, emit: Callable[[str], None]) -> None:
        self._syntax = syntax
        self._emit = emit
        self._script = Script()
        self._text = ""
        self._given = {"thought": 0, "answer": 0}

    def feed(self, piece: str) -> None:
        """Take more of the text."""
        self._text += piece
        reasoning, words, calls = self._parts()
        self._give("thought", reasoning if words or calls else _settled(reasoning, THOUGHT))
        self._give("answer", words if calls else _settled(words, self._syntax.marker))

    def end(self) -> dict[str, Any]:
        """Return the message, as `native.parse` takes it.

        Raise `PlannerError` for calls that cannot be read.
        """
        reasoning, words, calls = self._parts()
        self._give("thought", reasoning)
        self._give("answer", words)
        try:
            made = self._calls(calls) if calls else []
        except PlannerError:
            self._emit(calls)
            raise
        for call in made:
            name, arguments = str(call["function"]["name"]), call["function"]["arguments"]
            self._emit(self._script.call(name) + json.dumps(arguments, ensure_ascii=False))
        self._emit(self._script.end())
        return {"reasoning": reasoning, "content": words, "tool_calls": made}

    def _parts(self) -> tuple[str, str, str]:
        """Reasoning, words, and calls with what opens them, as far as they have come."""
        text, reasoning = self._text.lstrip(), ""
        if THINK.startswith(text):
            return "", "", ""
        if self._syntax.thinking or text.startswith(THINK):
            reasoning, _, text = text.removeprefix(THINK).partition(THOUGHT)
        marker = self._syntax.marker
        if not marker:
            return (reasoning, "", text) if text.startswith("{") else (reasoning, text, "")
        words, opened, calls = text.partition(marker)
        return reasoning, words, opened + calls

    def _calls(self, text: str) -> list[dict[str, Any]]:
        wanted = f'{self._syntax.head}"…"{self._syntax.middle}{{…}}}}'
        problem = f"A call cannot be read. Got {short(text)}, wanted {wanted}."
        reader = decoder()
        made: list[dict[str, Any]] = []
        at = text.find("{")
        while at >= 0 or not made:
            try:
                call, end = reader.raw_decode(text, at)
            except (ValueError, RecursionError) as error:
                raise PlannerError(problem) from error
            arguments = call.get("arguments", call.get("parameters", {}))
            made.append({"function": {"name": call.get("name"), "arguments": arguments}})
            at = text.find("{", end)
        return made

    def _give(self, field: str, text: str) -> None:
        new = text[self._given[field] :]
        self._given[field] += len(new)
        if new:
            self._emit(self._script.words(field, new))


def _settled(text: str, marker: str) -> str:
    """Leave out an end that may be the beginning of the marker."""
    longest = min(len(marker) - 1, len(text))
    cut = next((n for n in range(longest, 0, -1) if marker.startswith(text[-n:])), 0)
    return text[: len(text) - cut]
