"""What went wrong in a turn, who hears of it, and what is not tried again."""

import json
import logging

from llava_plus.errors import LlavaPlusError
from llava_plus.skills import Call, Observation

from .trace import Reason, Step, Turn

log = logging.getLogger(__name__)


def explain(error: Exception) -> str:
    """Say to the person what stopped the planner; a bug's traceback goes to the log."""
    if isinstance(error, LlavaPlusError):
        return f"The planner cannot work: {error}"
    log.error("bug in the planner", exc_info=error)
    return f"The planner failed: {type(error).__name__}: {error}. The log has the details."


def last_error(turn: Turn) -> str:
    """Return what `{error}` in an answer stands for."""
    seen = [one for step in turn.steps for one in step.observations]
    # What is marked as cached only repeats an earlier one.
    texts = [one.text for one in seen if not one.ok and one.skill and not one.cached]
    return texts[-1] if texts else ""


def key(call: Call) -> str:
    """Return the same words for the same call, whatever its id."""
    return f"{call.skill} {json.dumps(call.args, sort_keys=True)}"


def failed_calls(turn: Turn) -> dict[str, list[Observation]]:
    """Return the calls of the turn that failed, with what came back in each step."""
    failed: dict[str, list[Observation]] = {}
    for step in turn.steps:
        pairs = zip(step.actions, step.observations, strict=True) if step.actions else ()
        bad = {key(call): seen for call, seen in pairs if not seen.ok and seen.error != "cancelled"}
        for name, seen in bad.items():
            failed.setdefault(name, []).append(seen)
    return failed


def verdict(
    turn: Turn, step: Step, failed: dict[str, list[Observation]]
) -> tuple[Reason | None, str]:
    """Say whether the turn has to end after this step, and for what problem.

    Args:
        turn: All before the step.
        step: Its calls have ended.
        failed: What `failed_calls` gives for the turn.
    """
    if turn.by == "person":
        bad = [one.text for one in step.observations if not one.ok]
        return ("error", "\n".join(bad)) if bad else ("answered", "")
    for call in step.actions if failed else ():
        if len(before := failed.get(key(call), [])) > 1:
            return "error", f"{call.skill} failed the same way again: {before[0].text}"
    return None, ""


def not_again(call: Call, before: Observation) -> Observation:
    """Answer a call that would fail as it did before."""
    text = (
        f"this very call failed before: {before.text} "
        "Change the arguments, use another skill, or answer."
    )
    update = {"call_id": call.id, "text": text, "seconds": 0.0, "cached": True}
    return before.model_copy(update=update)


def stopped(call: Call) -> Observation:
    """Answer a call that did not end in time when the turn had to."""
    text = f"{call.skill} was stopped."
    return Observation(call_id=call.id, skill=call.skill, ok=False, text=text, error="cancelled")


def refused(call: Call, why: str) -> Observation:
    """Answer a call that a person did not allow."""
    reason = f": {why}" if why else ""
    text = f"the person refused {call.skill}{reason}. Do without it, or answer."
    return Observation(call_id=call.id, skill=call.skill, ok=False, text=text, error="skill")


def unkept(call: Call, text: str) -> Observation:
    """Answer a call whose result could not be kept."""
    return Observation(call_id=call.id, skill=call.skill, ok=False, text=text, error="skill")
