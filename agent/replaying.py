"""LLaVA-Plus's conversations once more: its model's words as they were, our skills behind them."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from llava_plus.errors import SetupError
from llava_plus.skills import SkillRegistry, default_registry, with_original_names
from llava_plus.skills.images import Source

from .agent import Agent
from .dialects import plus
from .graph import Limits
from .planner import Decision, PlannerError, PlanView
from .recordings import Recorded, RecordedTurn
from .trace import Trace


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one recorded call, then and now, in the words that the model reads."""

    turn: int  # from 1
    api: str
    before: str
    now: str
    ok: bool  # whether our skill gave a result

    @property
    def same(self) -> bool:
        return self.before == self.now


@dataclass(frozen=True, kw_only=True)
class Replay:
    """A recorded conversation and the trace of the new run."""

    recorded: Recorded
    trace: Trace
    results: tuple[Result, ...]

    @property
    def item(self) -> Any:
        """The conversation as it was recorded, with the new results in it."""
        texts = [
            [result.now for result in self.results if result.turn == number]
            for number in range(1, len(self.recorded.turns) + 1)
        ]
        return self.recorded.with_results(texts)


class RecordedPlanner:
    """Says what a model of LLaVA-Plus said, turn by turn, read as if it said so now."""

    name = "LLaVA-Plus's trace"

    def __init__(self, turns: Sequence[RecordedTurn]) -> None:
        self.turns = tuple(turns)

    async def plan(self, view: PlanView) -> AsyncIterator[str | Decision]:
        """Yield the words, then what they mean."""
        said = self.turns[len(view.turns) - 1].said
        done = len(view.turns[-1].steps)
        if done >= len(said):
            raise PlannerError("The recorded model says no more about this request.")
        yield said[done]
        yield plus.parse(said[done], view.call_ids(), view=view)


def replay(
    recorded: Recorded, image: Source | None = None, *, skills: SkillRegistry | None = None
) -> Replay:
    """Run the calls of a recorded conversation with our skills, wherever this is called from.

    Each request, thought and answer stays as it was recorded; only results are new. A tool that
    is not installed, or parameters that cannot be honoured, give a result that says so.

    Args:
        recorded: See `recorded`; `read_items` reads files.
        image: The picture that the conversation begins with.
        skills: Those to run; the built-in ones if left out. API names are added.

    Raises:
        SetupError: The picture is missing or cannot be read.
    """
    if recorded.turns[0].picture and image is None:
        raise SetupError("The conversation begins with a picture. Give that picture.")
    planner = RecordedPlanner(recorded.turns)
    registry = with_original_names(default_registry() if skills is None else skills)
    session = Agent(planner, registry, limits=Limits(seconds=None)).session()
    for number, turn in enumerate(recorded.turns):
        session.run_sync(turn.message, () if number or image is None else (image,))
    trace = session.trace
    return Replay(recorded=recorded, trace=trace, results=tuple(_results(recorded, trace)))


def _results(recorded: Recorded, trace: Trace) -> list[Result]:
    results = []
    for number, (then, turn) in enumerate(zip(recorded.turns, trace.turns, strict=True), 1):
        steps = [step for step in turn.steps if step.actions]
        for before, step in zip(then.results, steps, strict=True):
            (call,), (seen,) = step.actions, step.observations
            value = None if seen.handle is None else trace.artifacts[seen.handle].value
            now = plus.told(call, seen, value, recorded.wording)
            _, boundary, question = before.partition("\n\n")
            results.append(
                Result(
                    turn=number,
                    api=call.skill,
                    before=before,
                    now=now + boundary + question,
                    ok=seen.ok,
                )
            )
    return results
