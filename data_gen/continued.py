"""Requests that begin a chat, asked once more when a turn has gone before."""

import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from llava_plus.agent.notation import HANDLE, parse_context, parse_plan
from llava_plus.skills import SkillRegistry

from .requests import Request

SHARE = 0.2  # of the requests that call skills
SHARE_WITHOUT = 0.4  # of those that need none
SAID = ("chat", "explain", "refuse", "cannot")  # what stays true after any turn
LONGEST = 3  # steps of the turn before


def continued(
    requests: Iterable[Request], skills: SkillRegistry, *, seed: int
) -> Iterator[Request]:
    """Yield some of the requests about one picture, each after a turn that another one asks for.

    Args:
        requests: By one hand; turns before are taken from its own.
        skills: What plans may call.
        seed: Chooses requests and turns.
    """
    first = [request for request in requests if request.context == "1"]
    befores = [request for request in first if _may_go_before(request, skills)]
    for request in first if befores else ():
        rng = random.Random(f"{seed}:{request.origin}")
        kind = re.fullmatch(r"say\((\w+)\)", request.plan)
        share = SHARE if kind is None else SHARE_WITHOUT
        if rng.random() < share and (kind is None or kind[1] in SAID):
            before = rng.choice(befores)
            if set(before.labels).isdisjoint(request.labels):
                yield after(request, before.plan, skills)


def after(request: Request, before: str, skills: SkillRegistry) -> Request:
    """Ask it when a plan has been carried out: about the newest picture, with new handles.

    Args:
        request: About one picture, without pointers.
        before: The plan of the turn before.
        skills: What plans may call.
    """
    context = f"1 > {before}"
    there = parse_context(context, skills).given(skills)
    made = {**there, "img": there["img"] - 1}  # one was there before

    def moved(found: re.Match[str]) -> str:
        prefix, number = found[0].rsplit("_", 1)
        return f"{prefix}_{int(number) + made.get(prefix, 0)}"

    return replace(
        request,
        context=context,
        plan=HANDLE.sub(moved, request.plan),
        origin=f"{request.origin}+",
    )


def _may_go_before(request: Request, skills: SkillRegistry) -> bool:
    plan = parse_plan(request.plan, skills)
    return plan.say is None and len(plan.steps) <= LONGEST and len(request.labels) < 2
