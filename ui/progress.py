"""The running turn, put together from the events that tell of it."""

from collections.abc import Callable
from typing import Any

from llava_plus.agent import (
    ActionFinished,
    ActionProposed,
    AnswerDelta,
    Event,
    Finished,
    Step,
    StepStarted,
    ThoughtDelta,
    Turn,
)


def advance(turn: Turn, event: Event) -> Turn:
    """Return the turn as it stands after the event."""
    match event:
        case Finished():
            return event.turn
        case StepStarted():
            steps = (*turn.steps[: event.index], Step(thought=""))
            return turn.model_copy(update={"steps": steps, "answer": ""})
        case ThoughtDelta():
            return _last(turn, lambda step: {"thought": step.thought + event.text})
        case ActionProposed():
            said = turn.answer  # before an action, it was the thought
            turn = turn.model_copy(update={"answer": ""})
            if turn.steps and turn.steps[-1].observations:  # goes on within a step, after a kill
                turn = turn.model_copy(update={"steps": (*turn.steps, Step(thought=""))})
            return _last(
                turn,
                lambda step: {
                    "thought": step.thought or said,
                    "actions": (*step.actions, event.call),
                },
            )
        case ActionFinished():
            return _last(
                turn, lambda step: {"observations": (*step.observations, event.observation)}
            )
        case AnswerDelta():
            return turn.model_copy(update={"answer": turn.answer + event.text})
    return turn


def _last(turn: Turn, change: Callable[[Step], dict[str, Any]]) -> Turn:
    """Change the last step; a call by hand has none before its first event."""
    *before, step = turn.steps or (Step(thought=""),)
    return turn.model_copy(update={"steps": (*before, step.model_copy(update=change(step)))})
