"""A writer of the requests that a person lists, for skills of their own."""

import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from llava_plus.agent import Decision, PlanView
from llava_plus.agent.notation import Plan, parse_plan
from llava_plus.errors import SetupError
from llava_plus.skills import Image

from .answers import FAILED, finished, nothing, thought
from .grammar import fill
from .sources import Item
from .verify import Verifier
from .writing import Ask, Conversation, Material, Tags, UnwrittenError


class Listed(BaseModel):
    """A request that a person lists.

    Args:
        ask: Words; ``[a|b]`` draws one, ``{thing}`` stands for a thing that the source knows in
            the picture.
        plan: What does it, in the notation of `agent.notation`, such as
            ``detect(img_1, "{thing}") ; my_skill(img_1, boxes_1)``.
        answer: Words with ``{handles}`` of results; told from the results if left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    ask: str = Field(min_length=1)
    plan: str = Field(min_length=1)
    answer: str = ""
    language: str = "en"

    @model_validator(mode="after")
    def _answered(self) -> Self:
        if self.plan.strip().startswith("say(") and not self.answer:
            raise ValueError("a plan without a skill needs an answer")
        return self


_LISTED = TypeAdapter(tuple[Listed, ...])


@dataclass(frozen=True, kw_only=True)
class RequestWriter:
    """Draws from a list of requests, each worded anew.

    Args:
        requests: The list, see `Listed`.
    """

    requests: Sequence[Any] = ()
    name: str = "requests"
    at_once: int = 1
    listed: tuple[Listed, ...] = field(init=False)

    def __post_init__(self) -> None:
        try:
            found = _LISTED.validate_python(list(self.requests))
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"]))
            raise SetupError(f"The writer 'requests': {place}: {first['msg']}.") from error
        if not found:
            raise SetupError("The writer 'requests' needs a list of requests with ask and plan.")
        object.__setattr__(self, "listed", found)

    async def write(self, material: Material) -> Sequence[Conversation]:
        """Draw requests that fit the picture, each at most once as long as there are others."""
        rng = material.rng("requests")
        things = sorted(material.item.truth.counts())
        fitting = [one for one in self.listed if things or "{thing}" not in one.ask + one.plan]
        if not fitting:
            raise UnwrittenError("every request asks for a thing, and none is known here")
        drawn: list[Listed] = []
        while len(drawn) < material.count:
            drawn += rng.sample(fitting, min(len(fitting), material.count - len(drawn)))
        return [_conversation(one, material, things, rng) for one in drawn]

    def verifiers(self) -> Sequence[Verifier]:
        """Return none: the standard ones know all that there is to ask."""
        return ()

    def close(self) -> None:
        """Nothing is open."""


def _conversation(
    one: Listed, material: Material, things: Sequence[str], rng: random.Random
) -> Conversation:
    slots: Any = {"thing": rng.choice(things)} if things else {}
    words = fill(one.ask, slots, rng)
    plan = parse_plan(one.plan.replace("{thing}", str(slots.get("thing", ""))), material.skills)
    item: Item = material.item
    return Conversation(
        turns=(Ask(text=words, images=(item,)),),
        planner=_Follower(plan, one.answer, rng),
        tags=Tags(kind=" > ".join(plan.skills) or str(plan.say), language=one.language),
    )


class _Follower:
    """Follows a plan step by step; stops where something fails or nothing is found."""

    name = "plan"
    quick = True

    def __init__(self, plan: Plan, answer: str, rng: random.Random) -> None:
        self._plan, self._answer, self._rng = plan, answer, rng

    async def plan(self, view: PlanView) -> AsyncIterator[str | Decision]:
        """Yield the next decision."""
        steps, turn = self._plan.steps, view.turns[-1]
        done = len(turn.steps)
        if done:
            seen = turn.steps[-1].observations
            if any(not one.ok for one in seen):
                yield Decision(thought="That did not work.", answer=FAILED)
                return
            empty = [one.handle for one in seen if one.handle and _is_empty(view, one.handle)]
            if empty and done < len(steps):
                yield Decision(thought="Nothing there.", answer=nothing(empty[0], more=True))
                return
        if done == len(steps):
            made = [one.handle for step in turn.steps for one in step.observations if one.handle]
            answer = self._answer or finished(self._plan, made, self._rng)
            yield Decision(thought="All done.", answer=answer)
            return
        ids = view.call_ids()
        calls = tuple(call.model_copy(update={"id": next(ids)}) for call in steps[done])
        yield Decision(thought=thought(steps[done:]), calls=calls)


def _is_empty(view: PlanView, handle: str) -> bool:
    value = view.artifacts[handle].value
    return not isinstance(value, Image) and hasattr(value, "__len__") and len(value) == 0
