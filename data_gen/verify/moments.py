"""The steps of a trace that call something, each with the handles that were there before it."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from llava_plus.agent import Step, Trace
from llava_plus.skills import Artifacts, ArtifactStore


class _InMemory(ArtifactStore):
    quick = True


@dataclass(frozen=True, kw_only=True)
class Moment:
    """One step with calls.

    Args:
        place: Where it stands, in words.
        step: The step.
        before: The session's values before the step, pictures in memory; to be copied by whoever
            adds to them.
        mended: Whether the next step of the turn calls something, and all of that worked.
    """

    place: str
    step: Step
    before: Artifacts
    mended: bool = False


def moments(trace: Trace) -> Iterator[Moment]:
    """Yield the steps that call something, in order."""
    steps = [
        (number, index, step)
        for number, turn in enumerate(trace.turns, 1)
        for index, step in enumerate(turn.steps, 1)
        if step.actions
    ]
    made = {call.id: place for place, (_, _, step) in enumerate(steps) for call in step.actions}
    given = {
        handle: number
        for number, turn in enumerate(trace.turns, 1)
        for handle in (*turn.images, *turn.pointers)
    }
    before, waiting = Artifacts(_InMemory()), deque(trace.artifacts.items())
    for place, (number, index, step) in enumerate(steps):
        while waiting:
            handle, artifact = waiting[0]
            if made.get(artifact.source, -1) >= place or given.get(handle, 0) > number:
                break  # it and what follows came later
            before.add(artifact.value, source=artifact.source)
            waiting.popleft()
        after = trace.turns[number - 1].steps[index : index + 1]
        mended = any(one.actions and all(seen.ok for seen in one.observations) for one in after)
        where = f"turn {number}, step {index}"
        yield Moment(place=where, step=step, before=before, mended=mended)
