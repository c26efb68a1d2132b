"""Whether a trace is whole and its calls are valid."""

from llava_plus.agent import Trace
from llava_plus.errors import SkillError
from llava_plus.skills import Call, Observation, SkillRegistry
from llava_plus.skills.arguments import resolve

from .moments import Moment, moments
from .verdict import PASSED, Verdict, dropped


class Schema:
    """Every call fits the skill that it names, with handles that were there, and came to an end.

    A call that a planner got wrong costs the trace, unless it was told so in the words in which it
    would be told now and all calls of its next step worked: that is how to put a call right.
    """

    name = "schema"

    def __init__(self, skills: SkillRegistry) -> None:
        self.skills = skills

    def check(self, trace: Trace) -> Verdict:
        """Look at each turn, then at each call."""
        if not trace.turns:
            return dropped("there is no turn")
        for number, turn in enumerate(trace.turns, 1):
            if turn.reason != "answered":
                return dropped(f"turn {number} was not answered ({turn.reason})")
            if any(step.raw for step in turn.steps):
                return dropped(f"turn {number}: an output of the planner could not be read")
        for moment in moments(trace):
            if why := self._wrong(trace, moment):
                return dropped(f"{moment.place}: {why}")
        return PASSED

    def _wrong(self, trace: Trace, moment: Moment) -> str:
        step, artifacts = moment.step, moment.before
        if [call.id for call in step.actions] != [seen.call_id for seen in step.observations]:
            return "observations and calls do not belong together"
        for call, seen in zip(step.actions, step.observations, strict=True):
            try:
                resolve(self.skills.find(call.skill), call.args, artifacts)
            except SkillError as error:
                if not moment.mended or seen.ok or seen.text != str(error):
                    return str(error)
            if why := _unkept(trace, call, seen):
                return why
        return ""


def _unkept(trace: Trace, call: Call, seen: Observation) -> str:
    """Say what is wrong with the result of a call that worked."""
    if not seen.ok:
        return ""
    if seen.handle is None or seen.handle not in trace.artifacts:
        return f"{call.skill} gave {seen.handle!r}, which is not among the artifacts"
    artifact = trace.artifacts[seen.handle]
    if (artifact.kind, artifact.source) != (seen.kind, call.id):
        return f"{seen.handle} is not what {call.skill} gave"
    return ""
