"""Whether a teacher says the same again: what it does not stand by is left out.

After the self-consistency of Wang et al. (2022): of several answers to the same question, those
count that most of them agree with.
"""

import json
from collections import Counter
from collections.abc import Sequence
from threading import Event

from pydantic import BaseModel, ConfigDict, Field

from llava_plus.agent import PlanView, Step, Trace, Turn
from llava_plus.agent.waiting import wait
from llava_plus.data_gen.truth import truths_of
from llava_plus.data_gen.verify import Verdict
from llava_plus.data_gen.verify.verdict import PASSED, dropped
from llava_plus.skills import Call, SkillRegistry, default_registry

from .acting import ALL, TeacherPlanner
from .reading import ask_for
from .teacher import Chat, Teacher
from .wording import prompt

NOTHING = {"English": "(nothing)", "Chinese": "(无)"}
APART = 1000  # samples of checks are not those that wrote the trace


class Again(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True)

    answer: str = Field(min_length=1)


class Agreement(BaseModel):
    """Which answers agree with the first."""

    model_config = ConfigDict(frozen=True)

    agree: tuple[bool, ...]


class SelfConsistent:
    """Calls and answers of a teacher's trace are asked for again; most must agree.

    Calls agree when they are the same, in any order, but for the case of words. Whether answers
    agree, the teacher says itself, since they may be worded in many ways. Calls are asked for
    without what the source knows of the picture. Not covered: a mistake that the teacher makes
    each time.

    Args:
        teacher: Who wrote the traces; those of others pass.
        samples: How often each thing is asked again.
        skills: What could be called; the built-in ones if left out.
    """

    name = "self-consistency"

    def __init__(
        self, teacher: Teacher, *, samples: int = 2, skills: SkillRegistry | None = None
    ) -> None:
        self._teacher = teacher
        self._samples = samples
        self._skills = default_registry() if skills is None else skills

    def check(self, trace: Trace) -> Verdict:
        """Ask everything again, until something does not agree."""
        return wait(self._check(trace))

    async def _check(self, trace: Trace) -> Verdict:
        if trace.planner != self._teacher.name:
            return PASSED
        for number, turn in enumerate(trace.turns, 1):
            for index, step in enumerate(turn.steps):
                if step.actions and step.thought != ALL[self._teacher.config.language]:
                    votes = await self._calls(trace, number, index, step)
                elif step.answer is not None:
                    votes = await self._answers(trace, number, turn)
                else:
                    continue
                if 2 * votes < self._samples:
                    what = "calls" if step.actions else "answer"
                    return dropped(
                        f"turn {number}, step {index + 1}: asked {self._samples} times again, the "
                        f"teacher gave the same {what} {votes} times"
                    )
        return PASSED

    async def _calls(self, trace: Trace, number: int, index: int, step: Step) -> int:
        """Return how often the same calls come again."""
        turn = trace.turns[number - 1]
        begun = turn.model_copy(
            update={"steps": turn.steps[:index], "answer": "", "reason": "running"}
        )
        view = PlanView(
            turns=(*trace.turns[: number - 1], begun),
            artifacts=trace.artifacts,
            skills=self._skills.subset(*(name for name in trace.skills if name in self._skills)),
            cancel=Event(),
        )
        nothing = NOTHING[self._teacher.config.language]
        same = 0
        for sample in range(self._samples):
            planner = TeacherPlanner(self._teacher, nothing, sample=APART + sample)
            decisions = [one async for one in planner.plan(view) if not isinstance(one, str)]
            same += _content(decisions[-1].calls) == _content(step.actions)
        return same

    async def _answers(self, trace: Trace, number: int, turn: Turn) -> int:
        """Return how many new answers agree with the old one."""
        language = self._teacher.config.language
        known = _known(trace, number) or NOTHING[language]
        words = prompt("again", language, known=known, question=turn.message)
        again = [
            await ask_for(Again, self._teacher, _chat(words), sample=APART + sample)
            for sample in range(self._samples)
        ]
        others = "\n".join(f"Answer {place}: {one.answer}" for place, one in enumerate(again, 1))
        words = prompt("agree", language, question=turn.message, answer=turn.answer, others=others)
        judged = await ask_for(
            Agreement, self._teacher, _chat(words), check=self._counted, sample=APART
        )
        return sum(judged.agree)

    def _counted(self, found: Agreement) -> str:
        wanted, got = self._samples, len(found.agree)
        return "" if got == wanted else f"it judged {got} answers of {wanted}"


def _chat(words: str) -> list[Chat]:
    return [{"role": "user", "content": words}]


def _content(calls: Sequence[Call]) -> Counter[str]:
    """Return what calls do, without their ids and their order."""
    return Counter(
        f"{call.skill} {json.dumps(call.args, sort_keys=True)}".casefold() for call in calls
    )


def _known(trace: Trace, number: int) -> str:
    """Return what was known before an answer: of the source, of earlier turns, of skills."""
    lines = [text for truth in truths_of(trace) if truth.turn == number for text in truth.known]
    for turn in trace.turns[:number]:
        if turn is not trace.turns[number - 1]:
            lines += [f"- {turn.message}", f"- {turn.answer}"]
        seen = (one for step in turn.steps for one in step.observations)
        lines += [f"- {one.handle or ''} {one.skill}: {one.text}" for one in seen]
    return "\n".join(lines)
