"""The steps of a trace that call something, each with the handles that were there before it."""

from collections.abc import Iterator
from dataclasses import dataclass

from llava_plus.agent import Step, Trace
from llava_plus.skills import Artifacts, ArtifactStore


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One step with calls."""

    place: str  # in words
    step: Step
    there: tuple[str, ...]  # handles, in the order in which they came

    def artifacts(self, trace: Trace) -> Artifacts:
        """Return the session's values as they were before the step, pictures in memory."""
        artifacts = Artifacts(ArtifactStore())
        for handle in self.there:
            artifacts.add(trace.artifacts[handle].value, source=trace.artifacts[handle].source)
        return artifacts


def moments(trace: Trace) -> Iterator[Moment]:
    """Yield the steps that call something, in order."""
    steps = [
        (number, index, step)
        for number, turn in enumerate(trace.turns, 1)
        for index, step in enumerate(turn.steps, 1)
        if step.actions
    ]
    for place, (number, index, step) in enumerate(steps):
        made_later = {call.id for _, _, later in steps[place:] for call in later.actions}
        given_later = {
            handle for turn in trace.turns[number:] for handle in (*turn.images, *turn.pointers)
        }
        there = _before(trace, made_later, given_later)
        yield Moment(place=f"turn {number}, step {index}", step=step, there=tuple(there))


def _before(trace: Trace, calls: set[str], given: set[str]) -> Iterator[str]:
    """Yield handles up to the first that one of these calls made, or that is one of these."""
    for handle, artifact in trace.artifacts.items():
        if artifact.source in calls or handle in given:
            return
        yield handle
