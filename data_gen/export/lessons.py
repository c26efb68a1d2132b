"""Conversations as our own training reads them: the folder that `ConversationWriter` writes."""

from collections.abc import Mapping
from threading import Event
from typing import Any

from llava_plus.agent import PlanView, Trace
from llava_plus.agent.dialects import json as dialect
from llava_plus.data_gen.output import Output, writing
from llava_plus.messages import Message
from llava_plus.skills import SkillRegistry

from .writing import LeftOutError

SIDE = 64  # pixels


def lesson(trace: Trace, skills: SkillRegistry) -> list[Message]:
    """Return a trace as a planner of the dialect `json` reads it, its own words supervised.

    The first message lists what could be called beside the built-in skills; those the planner is
    to know by heart.

    Args:
        trace: What happened.
        skills: What could be called; of these, the ones that the trace names.

    Raises:
        LeftOutError: It called what is not there any more.
    """
    called = {call.skill for turn in trace.turns for step in turn.steps for call in step.actions}
    if gone := sorted(name for name in called if name not in skills):
        words = f"{', '.join(gone)}: no such skill is there."
        raise LeftOutError(f"{words} Name its file with --skills.")
    named = [name for name in trace.skills if name in skills] or [spec.name for spec in skills]
    there = skills.subset(*named)
    view = PlanView(turns=trace.turns, artifacts=trace.artifacts, skills=there, cancel=Event())
    return dialect.render(view)


class Lessons:
    """Writes conversations.jsonl and images.safetensors, pictures as squares, each once.

    The squares are held in memory until the end: 12 KB each at 64 pixels.

    Args:
        output: Where they go.
        skills: As `lesson` takes them.
        side: Pixels of the squares, as the model's processor wants them.
    """

    def __init__(self, output: Output, *, skills: SkillRegistry, side: int = SIDE) -> None:
        from llava_plus.model.dataset import LINES, PIXELS, ConversationWriter

        self._output, self._skills = output, skills
        self._names = (LINES, PIXELS)
        for name in self._names:
            output.reserve(name)
        with writing(output.folder):
            self._writer = ConversationWriter(output.folder, image_size=side)

    def add(self, trace: Trace) -> None:
        """Write one trace."""
        said = lesson(trace, self._skills)
        with writing(self._output.folder):
            self._writer.add(said)

    def close(self) -> Mapping[str, Any]:
        """Bring all to the disk."""
        with writing(self._output.folder):
            self._writer.close()
        for name in self._names:
            self._output.take(name)
        return {"kind": "conversations"}
