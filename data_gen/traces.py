"""Traces: a plan followed by the real agent with the real skills on a real picture."""

import json
import random
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

from llava_plus.agent import Agent, Decision, Limits, PlanView, Trace
from llava_plus.agent.notation import Context, Plan, parse_context, parse_plan
from llava_plus.errors import SkillError
from llava_plus.skills import (
    Boxes,
    Image,
    Masks,
    Points,
    SkillRegistry,
    SkillSpec,
    default_registry,
    value_to_json,
)
from llava_plus.skills.builtin.planned import PLANNED

from .answers import FAILED, NO_SKILL_THOUGHTS, finished, nothing, thought, without_skill
from .pictures import Picture, ground_truth
from .requests import Request

SLOW = ("detect", "ocr", "read_codes", "segment", "erase")


@dataclass
class PlanFollower:
    """A planner that knows the plan: it calls, looks at what came back, and stops when it must."""

    now: Plan
    request: Request
    rng: random.Random
    name: str = "plan"
    quick: ClassVar[bool] = True

    async def plan(self, view: PlanView) -> AsyncIterator[str | Decision]:
        """Yield the next decision of the plan."""
        yield self._decide(view)

    def _decide(self, view: PlanView) -> Decision:
        turn = view.turns[-1]
        if self.now.say is not None:
            return Decision(thought=NO_SKILL_THOUGHTS[self.now.say], answer=self._said(view))
        done = len(turn.steps)
        if done:
            seen = turn.steps[-1].observations
            if any(not observation.ok for observation in seen):
                return Decision(thought="That did not work.", answer=FAILED)
            more = done < len(self.now.steps)
            empty = [
                o.handle for o in seen if o.handle and _is_empty(view.artifacts[o.handle].value)
            ]
            if empty and (more or len(seen) == 1):
                return Decision(thought="Nothing there.", answer=nothing(empty[0], more=more))
        if done == len(self.now.steps):
            made = [o.handle for step in turn.steps for o in step.observations if o.handle]
            return Decision(thought="All done.", answer=finished(self.now, made, self.rng))
        ids = view.call_ids()
        calls = tuple(call.model_copy(update={"id": next(ids)}) for call in self.now.steps[done])
        return Decision(thought=thought(self.now.steps[done:]), calls=calls)

    def _said(self, view: PlanView) -> str:
        handles: dict[str, list[str]] = {}
        for handle in view.artifacts.handles():
            handles.setdefault(handle.partition("_")[0], []).append(handle)
        return without_skill(self.now.say or "", self.request.text, self.request.context, handles)


def make_trace(
    request: Request,
    picture: Picture,
    *,
    more: Sequence[Picture] = (),
    earlier: Sequence[str] = (),
    named: bool = True,
    added: SkillRegistry | None = None,
    seed: int = 0,
) -> Trace:
    """Follow a request's plan on a picture; what the skills return decides how it ends.

    Args:
        request: What is asked, and its plan.
        picture: The first picture.
        more: Further pictures, for contexts with several.
        earlier: Wordings of the earlier turns of a follow-up, oldest first.
        named: Whether the picture's ground truth finds what is asked for (a detector of the model
            tier would); else only what the offline detectors find is found.
        added: Skills that a person added.
        seed: Draws what is left open, such as where a person points.
    """
    rng = random.Random(f"{seed}:{request.origin}:{picture.name}")
    skills = truth_registry(picture) if named else offline_skills()
    if added is not None:
        skills = skills.merge(added)
    context = parse_context(request.context, skills)
    follower = PlanFollower(Plan(say="chat"), request, rng)
    session = Agent(planner=follower, skills=skills, limits=Limits(steps=10, seconds=120)).session()
    pictures = [picture, *more][: context.images]
    images = [each.image for each in pictures]
    for plan, words in zip(context.turns, earlier, strict=False):
        follower.now, follower.request = plan, replace(request, text=words)
        session.run_sync(words, images=images)
        images = []
    follower.now, follower.request = parse_plan(request.plan, skills), request
    pointers = _pointers(context, picture, rng)
    return session.run_sync(request.text, images=images, pointers=pointers)


@cache
def offline_skills() -> SkillRegistry:
    """The skills that traces use; what is slow is remembered by content while the process lives."""
    known: dict[tuple[str, str, str], Any] = {}
    skills = default_registry().subset(*PLANNED)
    for name in SLOW:
        spec = skills[name]
        skills = skills.having(replace(spec, function=_remembering(spec, known)))
    return skills


def truth_registry(picture: Picture) -> SkillRegistry:
    """The skills of traces, with a `detect` that also knows what a drawn scene's objects are."""
    skills = offline_skills()
    spec = skills["detect"]
    offline: Callable[..., Any] = spec.function

    def detect(image: Image, label: str) -> Boxes:
        try:
            found: Boxes = offline(image=image, label=label)
        except SkillError:
            return ground_truth(picture, label)
        return found

    return skills.having(replace(spec, function=detect, backend="ground-truth"))


def _remembering(spec: SkillSpec, known: dict[tuple[str, str, str], Any]) -> Callable[..., Any]:
    function = spec.function

    def remembering(**args: Any) -> Any:
        image = args["image"]
        others = {
            name: _content(spec.name, value) for name, value in args.items() if name != "image"
        }
        key = (spec.name, image.digest, json.dumps(others, sort_keys=True, default=str))
        if key not in known:
            try:
                known[key] = function(**args)
            except SkillError as error:
                known[key] = error
        if isinstance(known[key], SkillError):
            raise SkillError(*known[key].args)
        if isinstance(known[key], Masks) and isinstance(prompt := args.get("prompt"), Boxes):
            return replace(known[key], labels=prompt.labels, query=prompt.query)
        return known[key]

    return remembering


def _content(skill: str, value: Any) -> Any:
    """What of an argument makes a difference: a region's name does not change its pixels."""
    if not hasattr(value, "describe"):
        return value
    data = value_to_json(value)
    if skill in ("erase", "segment"):
        return {
            key: data[key]
            for key in ("kind", "xyxy", "xy", "positive", "rles", "polygons")
            if key in data
        }
    return data


def _pointers(context: Context, picture: Picture, rng: random.Random) -> list[Points | Boxes]:
    if context.pointer is None:
        return []
    x0, y0, x1, y1 = rng.choice(picture.objects or ((0.3, 0.3, 0.7, 0.7),))
    if context.pointer == "points":
        return [Points(((round((x0 + x1) / 2, 3), round((y0 + y1) / 2, 3)),))]
    return [Boxes(((x0, y0, x1, y1),))]


def _is_empty(value: object) -> bool:
    return not isinstance(value, Image) and hasattr(value, "__len__") and len(value) == 0
