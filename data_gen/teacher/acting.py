"""The teacher in the place of the planner: it chooses calls and answers, skills really run."""

import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

from llava_plus.agent import Decision, PlannerError, PlanView
from llava_plus.agent.dialects import json as json_dialect
from llava_plus.data_gen.writing import SpentError
from llava_plus.messages import ImagePart, Message, TextPart
from llava_plus.skills import Call, SkillRegistry, SkillSpec

from .teacher import Chat, Teacher, TeacherError
from .wording import prompt

ROLES = {"system": "system", "user": "user", "assistant": "assistant", "observation": "user"}
# What would give away that the teacher knew more than the assistant can know.
TOLD = re.compile(
    r"\b(captions?|annotations?|ground.?truth|(?:the|my|your) notes?|bounding boxes given|"
    r"as an ai|language model)\b|说明文字|标注|笔记|语言模型",
    re.IGNORECASE,
)


class TeacherPlanner:
    """Decides as the teacher says, step by step, on what skills have returned.

    Args:
        teacher: Who is asked.
        facts: What is known of the picture; the trace does not hold it.
        first: Calls of the first step of each turn, whatever is asked (*All Tools*); the teacher
            answers then. None where it chooses itself (*Fly*).
        sample: Which of several ways to go on, from 0.

    A session only tells its trace what a planner raised, so ``problem`` keeps it for the writer.
    """

    def __init__(
        self, teacher: Teacher, facts: str, *, first: Sequence[Call] = (), sample: int = 0
    ) -> None:
        self.name = teacher.name
        self._teacher = teacher
        self._facts = facts
        self._first = tuple(first)
        self._sample = sample
        self.problem: TeacherError | SpentError | None = None

    async def plan(self, view: PlanView) -> AsyncIterator[str | Decision]:
        """Yield the next decision; raise `TeacherError` where the teacher gives none of use."""
        if self._first and not view.turns[-1].steps:
            ids = view.call_ids()
            calls = tuple(call.model_copy(update={"id": next(ids)}) for call in self._first)
            yield Decision(thought=ALL[self._teacher.config.language], calls=calls)
            return
        try:
            yield await self._decided(view)
        except (TeacherError, SpentError) as error:
            self.problem = error
            raise

    async def _decided(self, view: PlanView) -> Decision:
        chat, tries, why = self._chat(view), self._teacher.config.tries, ""
        for attempt in range(tries):
            text = await self._teacher.ask(chat, sample=self._sample * tries + attempt)
            try:
                decision = json_dialect.parse(text, view.call_ids())
            except PlannerError as error:
                why = str(error)
                continue
            if not (why := self._unfit(decision)):
                return decision
        raise TeacherError(f"The teacher decided nothing of use in {tries} tries: {why}")

    def _unfit(self, decision: Decision) -> str:
        if decision.calls and self._first:
            return "it calls skills where all results are there"
        for text in (decision.thought, decision.answer or ""):
            if found := TOLD.search(text):
                return f"it says {found[0]!r}, which gives away what only it knew"
        return ""

    def _chat(self, view: PlanView) -> list[Chat]:
        system, *rest = json_dialect.render(view, system="full")
        language = self._teacher.config.language
        handle = next(iter(view.artifacts.handles("image")), "img_1")
        rules = prompt("act", language, handle=handle, facts=self._facts)
        if self._first:
            rules = prompt("answer", language, act=rules)
        words = "".join(part.text for part in system.parts if isinstance(part, TextPart))
        messages: list[Chat] = [{"role": "system", "content": f"{rules}\n\n{words}"}]
        return [*messages, *map(self._message, rest)]

    def _message(self, message: Message) -> Chat:
        parts: list[Chat] = []
        for part in message.words_and_pictures:
            if isinstance(part, ImagePart):
                parts += self._teacher.picture(part)
            elif parts and parts[-1]["type"] == "text":
                parts[-1]["text"] += part.text
            else:
                parts.append({"type": "text", "text": part.text})
        plain = all(part["type"] == "text" for part in parts)
        content: Any = "".join(part["text"] for part in parts) if plain else parts
        return {"role": ROLES[message.role], "content": content}


ALL = {
    "English": "I look at the picture with everything that I have.",
    "Chinese": "我先用所有能用的技能看一看这张图片。",
}


def every_look(skills: SkillRegistry, image: str = "img_1") -> tuple[Call, ...]:
    """Return calls of all skills that understand a picture on its own, for *All Tools*.

    These are the ones that need nothing but a picture, give no picture back, and no masks; what
    a person has to allow is left out. `detect`, which needs a name, looks for faces.
    """
    calls = [
        Call(id="", skill=spec.name, args=_args(spec, image)) for spec in skills if _looks(spec)
    ]
    if "detect" in skills:
        calls.append(Call(id="", skill="detect", args={"image": image, "label": "face"}))
    return tuple(calls)


def _looks(spec: SkillSpec) -> bool:
    needed = [parameter for parameter in spec.parameters if parameter.required]
    alone = len(needed) == 1 and needed[0].kinds == ("image",)
    return alone and not spec.approval and not {"image", "masks"} & set(spec.returns)


def _args(spec: SkillSpec, image: str) -> dict[str, Any]:
    return {parameter.name: image for parameter in spec.parameters if parameter.required}
