"""What a model's own chat template does with tools, read off what it writes."""

import json
import re
from dataclasses import dataclass
from typing import Any

from jinja2 import TemplateError

from llava_plus.errors import SetupError

Chat = dict[str, Any]

TOOL = {
    "type": "function",
    "function": {
        "name": "probe_tool",
        "description": "Probe.",
        "parameters": {"type": "object", "properties": {"first": {"type": "string"}}},
    },
}
ARGUMENTS = {"first": "one", "second": 2}
WORDS = "probing words"
ASKED = [{"role": "system", "content": "Probe."}, {"role": "user", "content": "Probe."}]
OTHERWISE = 'Use dialect="json", which any model can be asked for.'


@dataclass(frozen=True, kw_only=True)
class CallSyntax:
    """How a template writes the calls of one message: JSON objects with something around them."""

    before: str  # the first call, such as "<tool_call>\\n"
    between: str
    after: str  # the last one
    head: str  # of a call, up to its name
    middle: str  # between its name and its arguments
    comma: str  # between arguments
    colon: str  # after their names
    thinking: bool = False  # whether the prompt opens a block of reasoning that the output closes

    @property
    def marker(self) -> str:
        """What tells calls from words; empty where nothing stands before the JSON."""
        return self.before.strip()


def read_syntax(processor: Any) -> CallSyntax:
    """Read off a processor's chat template how it writes calls.

    It is asked to write a message with two calls; nothing is known of it beforehand. Templates
    that write them as ``{"name": …, "arguments": …}`` are understood, whatever stands around:
    Hermes's and Qwen's ``<tool_call>`` among them. Not covered: calls that are no JSON, and calls
    with ids in them.
    """
    template = _Template(processor)
    if "probe_tool" not in template.write(ASKED, tools=[TOOL]):
        raise SetupError(f"This model's chat template does not know tools. {OTHERWISE}")
    calls = [_call("probe_one"), _call("probe_two")]
    said = template.write([*ASKED, {"role": "assistant", "content": WORDS}], tools=[TOOL])
    begin, _, end = said.rpartition(WORDS)
    message = {"role": "assistant", "content": "", "tool_calls": calls}
    written = template.write([*ASKED, message], tools=[TOOL])
    first, second = (_find(name, written) for name in ("probe_one", "probe_two"))
    if not (first and second and written.startswith(begin) and written.endswith(end)):
        raise SetupError(
            "This model's chat template writes calls in a way that cannot be read here"
            f" (wanted JSON with a name and arguments). {OTHERWISE}"
        )
    opening = template.write(ASKED, tools=[TOOL], add_generation_prompt=True)
    compact = '"first":"one"' in first["arguments"]
    return CallSyntax(
        before=written[len(begin) : first.start()],
        between=written[first.end() : second.start()],
        after=written[second.end() : len(written) - len(end)],
        head=first["head"],
        middle=first["middle"],
        comma="," if compact else ", ",
        colon=":" if compact else ": ",
        thinking=opening.rstrip().endswith("<think>"),
    )


class _Template:
    """Writes chats with a processor's template."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor

    def write(self, chat: list[Chat], **options: Any) -> str:
        try:
            text: str = self._processor.apply_chat_template(chat, tokenize=False, **options)
        except (TemplateError, TypeError, ValueError) as error:
            raise SetupError(
                f"This model's chat template cannot write a chat with tools: {error}. {OTHERWISE}"
            ) from error
        return text


def _call(name: str) -> Chat:
    function = {"name": name, "arguments": ARGUMENTS}
    return {"id": "probe0001", "type": "function", "function": function}


def _find(name: str, text: str) -> re.Match[str] | None:
    """Find the JSON of a call."""
    ways = [json.dumps(ARGUMENTS), json.dumps(ARGUMENTS, separators=(",", ":"))]
    arguments = "|".join(map(re.escape, ways))
    return re.search(
        rf'(?P<head>\{{\s*"name":\s*)"{name}"'
        rf'(?P<middle>,\s*"(arguments|parameters)":\s*)(?P<arguments>{arguments})\}}',
        text,
    )
