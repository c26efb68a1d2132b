"""The steps of a trace that call something, each with the handles that were there before it."""

from collections.abc import Iterator
from dataclasses import dataclass

from llava_plus.agent import Step, Trace
from llava_plus.skills import Artifacts, ArtifactStore


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One step with calls.

    Args:
        place: Where it stands, in words.
        step: The step.
        there: Handles, in the order in which they came.
        mended: Whether the next step of the turn calls something, and all of that worked.
    """

    place: str
    step: Step
    there: tuple[str, ...]
    mended: bool = False

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
        after = trace.turns[number - 1].steps[index : index + 1]
        mended = any(one.actions and all(seen.ok for seen in one.observations) for one in after)
        where = f"turn {number}, step {index}"
        yield Moment(place=where, step=step, there=tuple(there), mended=mended)


def _before(trace: Trace, calls: set[str], given: set[str]) -> Iterator[str]:
    """Yield handles up to the first that one of these calls made, or that is one of these."""
    for handle, artifact in trace.artifacts.items():
        if artifact.source in calls or handle in given:
            return
        yield handle
