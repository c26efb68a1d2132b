"""What a source knows of the right answer: the plain form in which a trace carries it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from llava_plus.agent import Trace
from llava_plus.errors import SetupError
from llava_plus.skills import Boxes, Image, SkillRegistry, SkillSpec
from llava_plus.skills.nouns import singular
from llava_plus.skills.spec import Routed

from .nouns import COMMON

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in 0..1


class Truth(BaseModel):
    """What is right about one turn, as far as the source can tell.

    Args:
        turn: Which one, from 1.
        answers: Wordings of which one must stand in the answer.
        counts: How many there are of each thing that a word names; the answer must say so.
        texts: What stands in the picture; the answer must quote all of it.
        boxes: Where the things lie that a word names; what is found under that word must lie there.
        refuse: Whether the request must be refused.
        known: What is known of the picture in words; an answer may rest on it as on what skills
            have returned.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    turn: int = Field(default=1, ge=1)
    answers: tuple[str, ...] = ()
    counts: dict[str, int] = {}
    texts: tuple[str, ...] = ()
    boxes: dict[str, tuple[Box, ...]] = {}
    refuse: bool = False
    known: tuple[str, ...] = ()


_TRUTHS = TypeAdapter(tuple[Truth, ...])


def truths_of(trace: Trace) -> tuple[Truth, ...]:
    """Return what the source of a trace knows of its turns.

    Raises:
        SetupError: What stands there is no such thing.
    """
    try:
        return _TRUTHS.validate_python(trace.truth)
    except ValidationError as error:
        first = error.errors()[0]
        raise SetupError(
            f"The ground truth of trace {trace.id} cannot be read: {first['loc']}: {first['msg']}. "
            "docs/data.md shows its form."
        ) from error


def with_truths(trace: Trace, truths: Sequence[Truth]) -> Trace:
    """Return the trace with what its source knows."""
    plain = tuple(truth.model_dump(mode="json", exclude_defaults=True) for truth in truths)
    return trace.model_copy(update={"truth": plain})


def knowing(skills: SkillRegistry, truths: Sequence[Truth]) -> SkillRegistry:
    """Return the skills with a `detect` that also finds what the source has boxes for.

    Faces, text and codes are found as ever. A `detect` with models behind it stays as it is.
    """
    boxes = {label: found for truth in truths for label, found in truth.boxes.items()}
    if not boxes or "detect" not in skills:
        return skills
    spec = skills["detect"]
    if isinstance(spec.function, Routed):
        return skills
    return skills.having(replace(spec, function=_Informed(spec, boxes)))


class _Informed(Routed):
    """`detect` that has been told where some things are."""

    def __init__(self, spec: SkillSpec, boxes: Mapping[str, tuple[Box, ...]]) -> None:
        def told(image: Image, label: str) -> Boxes:
            return Boxes(boxes[label], labels=(label,) * len(boxes[label]), query=label)

        self._boxes = boxes
        self.options = (spec, replace(spec, function=told, backend="ground-truth"))

    def choose(self, args: Mapping[str, Any]) -> SkillSpec:
        """Return the skill that is told of a label where nothing here could find it."""
        label = str(args.get("label", ""))
        known = label in self._boxes and singular(label.lower()) not in COMMON
        return self.options[known]
