"""Traces as LLaVA-Plus's training data: one JSON list of conversations, and a folder of images.

Its trainer reads the whole list, takes ``image`` from its image folder, and writes ``thoughts``,
``actions`` and ``value`` of each answer into one text.
"""

import json
from collections.abc import Iterator, Mapping
from threading import Event
from typing import Any

from llava_plus.agent import PlanView, Trace, Turn
from llava_plus.agent.dialects import plus
from llava_plus.agent.dialects.backwards import in_original_names
from llava_plus.data_gen.output import Output, PictureFiles
from llava_plus.messages import Message
from llava_plus.skills import Image, SkillRegistry

from .writing import LeftOutError

FILE, IMAGES = "llava_plus.json", "images"
MARK = "<image>"


class PlusItems:
    """Writes ``llava_plus.json`` and ``images``.

    Args:
        output: Where to.
        skills: Those of the traces.
        own_names: Whether calls keep our names, for a model that is to learn those. Else they get
            the original's, and a trace with a call that none of its tools makes is left out.
    """

    def __init__(self, output: Output, skills: SkillRegistry, *, own_names: bool = False) -> None:
        self._skills = skills
        self._own_names = own_names
        self._pictures = PictureFiles(output.folder / IMAGES)
        self._file = output.create(FILE)
        self._between = "[\n"

    def add(self, trace: Trace) -> None:
        """Write one item and its image."""
        item = plus_item(trace, self._skills, own_names=self._own_names)
        for value in _given(trace):
            self._pictures.put(value)
        self._file.write(self._between + json.dumps(item, ensure_ascii=False))
        self._between = ",\n"

    def close(self) -> Mapping[str, Any]:
        """End the list."""
        self._file.write("[]\n" if self._between == "[\n" else "\n]\n")
        self._file.close()
        return {"kind": "llava-plus", "images": IMAGES}


def plus_item(trace: Trace, skills: SkillRegistry, *, own_names: bool = False) -> dict[str, Any]:
    """Write a trace as an item of the training data.

    A place or a box that a person marked stands in the request, as the original has it.

    Raises:
        LeftOutError: It has what the original could not have: several pictures, or one that came
            later; several calls at once; a call by hand; an output that could not be read.
        SkillError: A call does what no tool of the original does.
    """
    _check(trace)
    view = PlanView(
        turns=tuple(map(_expanded, trace.turns)),
        artifacts=trace.artifacts,
        skills=skills,
        cancel=Event(),
    )
    messages = plus.render(view if own_names else in_original_names(view), wording="script")
    item: dict[str, Any] = {"unique_id": trace.id}
    for picture in _given(trace):
        item["image"] = f"{picture.digest}.png"
    item |= {"data_source": "llava-plus", "licence": trace.licence}
    return item | {"conversations": [_said(message) for message in messages]}


def _check(trace: Trace) -> None:
    pictures = [handle for turn in trace.turns for handle in turn.images]
    if len(pictures) > 1 or any(turn.images for turn in trace.turns[1:]):
        raise LeftOutError(
            "LLaVA-Plus knows one picture, which comes with the first request; here are "
            f"{', '.join(pictures)}."
        )
    for number, turn in enumerate(trace.turns, 1):
        if MARK in turn.message:
            raise LeftOutError(f"Turn {number}: the request holds {MARK}, the mark of a picture.")
        if turn.by == "person":
            raise LeftOutError(f"Turn {number} is a call by hand, which LLaVA-Plus does not know.")
        for step in turn.steps:
            if step.raw:
                raise LeftOutError(f"Turn {number}: an output could not be read.")
            if len(step.actions) > 1:
                names = ", ".join(call.skill for call in step.actions)
                raise LeftOutError(f"Turn {number} calls {names} at once; LLaVA-Plus calls one.")


def _expanded(turn: Turn) -> Turn:
    """Put what the person reads in the place of citations, which the original does not know."""
    steps = tuple(
        step if step.answer is None else step.model_copy(update={"answer": turn.answer})
        for step in turn.steps
    )
    return turn.model_copy(update={"steps": steps})


def _said(message: Message) -> dict[str, Any]:
    if message.role != "assistant":
        mark = MARK if message.images else ""
        return {"from": "human", "value": f"{mark}{message.text}"}
    spoken = plus.SPOKEN.search(message.text)
    assert spoken is not None  # as `plus.render` writes it
    thoughts, actions, value = (part.strip() for part in spoken.groups())
    said = {"thoughts": thoughts, "actions": json.loads(actions), "value": value}
    return {"from": "gpt", **said}


def _given(trace: Trace) -> Iterator[Image]:
    for turn in trace.turns:
        for handle in turn.images:
            if isinstance(value := trace.artifacts[handle].value, Image):
                yield value
