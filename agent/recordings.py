"""Conversations of LLaVA-Plus as it kept them: its training data, and its web server's log."""

import copy
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from llava_plus.errors import SetupError

from .dialects import plus
from .dialects.stream import ACTIONS, THOUGHTS, VALUE
from .planner import Decision, PlannerError

PICTURE = "<image>"
RESULT = re.compile(r"\S+ (model outputs|output): ")
WANTED = (
    'Wanted an item of LLaVA-Plus\'s training data ({"conversations": [{"from": "human", '
    '"value": …}, …]}) or a line of its server\'s log ({"state": {"messages": [["USER", …], …]}}).'
)
FIELDS = (("thoughts", THOUGHTS), ("actions", ACTIONS), ("value", VALUE))


@dataclass(frozen=True, kw_only=True)
class RecordedTurn:
    """A request, and what the model said about it with the results between; all as texts.

    ``results`` has one entry fewer than ``said``; ``places`` says which messages they are.
    """

    request: str
    said: tuple[str, ...]
    results: tuple[str, ...] = ()
    places: tuple[int, ...] = ()
    picture: bool = False

    @property
    def message(self) -> str:
        """The request without the mark for the picture."""
        return self.request.replace(PICTURE, "").strip()


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One conversation, and the item of JSON that it was read from."""

    item: Any
    turns: tuple[RecordedTurn, ...]

    @property
    def wording(self) -> plus.Wording:
        """How results are introduced: as the server did, or as the training data does."""
        results = [result for turn in self.turns for result in turn.results]
        return "script" if results and " model outputs: " not in results[0] else "served"

    def with_results(self, results: Sequence[Sequence[str]]) -> Any:
        """Return the item with other results, turn by turn; nothing else of it changes."""
        item = copy.deepcopy(self.item)
        messages = _messages(item)
        for turn, texts in zip(self.turns, results, strict=True):
            for place, text in zip(turn.places, texts, strict=True):
                if isinstance(messages[place], dict):
                    messages[place]["value"] = text
                else:
                    messages[place][1] = text
        return item


def read_items(path: str | Path) -> list[Any]:
    """Read a file of conversations: a list of items, one item, or an item in each line.

    Raises:
        SetupError: The file cannot be read, or is not JSON.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise SetupError(f"Cannot read {str(path)!r}: {why}. {WANTED}") from error
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        lines = [line for line in text.split("\n") if line.strip()]
        return [_line(line, path) for line in lines or [text]]
    conversation = isinstance(found, list) and found and isinstance(found[0], list)
    return found if isinstance(found, list) and not conversation else [found]


def recorded(item: Any) -> Recorded:
    """Take one conversation apart.

    Raises:
        SetupError: It is none, or none that can be replayed: several calls at once, a call without
            a result, actions that cannot be read.
    """
    spoken = [_spoken(entry, number) for number, entry in enumerate(_messages(item), 1)]
    turns: list[RecordedTurn] = []
    index = 0
    while index < len(spoken):
        turn, index = _turn(spoken, index)
        turns.append(turn)
    if not turns:
        raise SetupError(f"The conversation is empty. {WANTED}")
    if any(turn.picture for turn in turns[1:]):
        raise SetupError(
            "A picture comes after the first request. LLaVA-Plus's conversations begin with their "
            "only one: split this where the picture comes."
        )
    return Recorded(item=item, turns=tuple(turns))


def _line(line: str, path: Path) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as error:
        raise SetupError(f"{path.name} is not JSON: {error}. {WANTED}") from error


def _messages(item: Any) -> list[Any]:
    """Return the list of messages inside an item; it may be that list."""
    found = item
    for name in ("conversations", "state", "messages"):
        if isinstance(found, dict) and name in found:
            found = found[name]
    if not isinstance(found, list):
        raise SetupError(f"{str(item)[:80]!r} is no conversation. {WANTED}")
    if isinstance(item, dict) and isinstance(state := item.get("state", item), dict):
        offset = state.get("offset", 0)
        return found[offset:] if isinstance(offset, int) and offset > 0 else found
    return found


def _spoken(entry: Any, number: int) -> tuple[str, str]:
    """Return who says what: "human" or "gpt", and a text as the model reads and writes it."""
    if isinstance(entry, dict) and isinstance(entry.get("from"), str):
        who, text = entry["from"], entry.get("value")
        if who.lower() != "human" and ("thoughts" in entry or "actions" in entry):
            text = _written(entry)
    elif isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str):
        who, text = entry
        text = text[0] if isinstance(text, list) and text else text  # beside it, the picture
    else:
        raise SetupError(f"Message {number} is {str(entry)[:80]!r}. {WANTED}")
    roles = {"human": "human", "user": "human", "gpt": "gpt", "assistant": "gpt"}
    if who.lower() not in roles or not isinstance(text, str):
        raise SetupError(f"Message {number} is {str(entry)[:80]!r}. {WANTED}")
    return roles[who.lower()], text.encode("utf-8", "replace").decode("utf-8")


def _written(entry: dict[str, Any]) -> str:
    """Write the three fields of the training data as one text."""
    fields = {name: entry[name] for name, _ in FIELDS if name in entry}
    if "actions" in fields:
        fields["actions"] = json.dumps(fields["actions"])
    return "".join(f"{mark} {fields[name]}\n" for name, mark in FIELDS if name in fields)


def _turn(spoken: Sequence[tuple[str, str]], start: int) -> tuple[RecordedTurn, int]:
    """Read from a request up to the answer; return where the next turn begins."""
    who, request = spoken[start]
    if who != "human":
        raise SetupError(f"Message {start + 1} is the model's; wanted a person's request there.")
    said: list[str] = []
    results: list[str] = []
    index = start + 1
    while True:
        called = _called(spoken, index)
        said.append(spoken[index][1])
        index += 1
        if not called:
            break
        if index >= len(spoken) or spoken[index][0] != "human" or not _result(spoken[index][1]):
            raise SetupError(
                f"Message {index} calls {called}, and no result follows, so this is not a whole "
                "conversation. Leave that turn out."
            )
        results.append(spoken[index][1])
        index += 1
    turn = RecordedTurn(
        request=request,
        said=tuple(said),
        results=tuple(results),
        places=tuple(range(start + 2, index, 2)),
        picture=PICTURE in request,
    )
    if not turn.message:
        raise SetupError(f"Message {start + 1} is an empty request. Leave that turn out.")
    return turn, index


def _called(spoken: Sequence[tuple[str, str]], index: int) -> str:
    """Return the API that the model's message calls, if any."""
    if index >= len(spoken) or spoken[index][0] != "gpt":
        raise SetupError(f"Message {index} has no answer of the model after it. Leave it out.")
    try:
        decision: Decision = plus.parse(spoken[index][1], (f"c{n}" for n in count(1)))
    except PlannerError as error:
        raise SetupError(f"Message {index + 1}: {error}") from error
    if len(decision.calls) > 1:
        names = ", ".join(call.skill for call in decision.calls)
        raise SetupError(
            f"Message {index + 1} calls several APIs at once: {names}. LLaVA-Plus runs one for a "
            "request; make a turn of each."
        )
    return decision.calls[0].skill if decision.calls else ""


def _result(text: str) -> bool:
    return RESULT.match(text) is not None and "\n\n" in text
