"""Plan the evaluation's requests with a planner and score what it does.

python -m llava_plus.evals.plan_run --planner nano --half open
"""

import argparse
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from statistics import median

from llava_plus.agent import Agent, Decision, Limits, Planner, PlanView, Step, load_planner
from llava_plus.agent.notation import Context, Plan, format_plan, parse_context, parse_plan
from llava_plus.errors import SetupError
from llava_plus.skills import Boxes, Points, SkillRegistry

from .plan_score import PlanScore, score, wilson
from .world import PLACES, world_image, world_registry

REQUESTS = Path(__file__).parent / "requests.jsonl"
OPEN = 100  # the first so many requests may be looked at; the rest is sealed by its hash


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A request of the evaluation and the plans that would be right."""

    id: int
    context: Context
    text: str
    plans: tuple[Plan, ...]


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a planner did about one request."""

    wanted: Wanted
    plan: Plan
    score: PlanScore
    calls: int
    invalid: int  # calls that did not fit the signatures or the handles
    seconds: tuple[float, ...]  # the planner's time, step by step
    answer: str


def read_requests(
    skills: SkillRegistry, *, half: str = "open", path: Path = REQUESTS
) -> list[Wanted]:
    """Read the open half, the sealed half or "all".

    Whatever half is read, a sealed half that is not what its seal says is an error. A file without
    a seal beside it has nothing to be held to.
    """
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    halves = {"open": lines[:OPEN], "sealed": lines[OPEN:], "all": lines}
    if half not in halves:
        raise SetupError(f"No half {half!r}; read one of {', '.join(halves)}.")
    seal = path.with_suffix(".sealed.sha256")
    if path == REQUESTS or seal.exists():
        digest = sha256("".join(halves["sealed"]).encode()).hexdigest()
        if digest != seal.read_text().strip():
            raise SetupError(f"The sealed half of {path.name} is not what was sealed.")
    chosen = halves[half]
    rows = (json.loads(line) for line in chosen)
    return [
        Wanted(
            id=row["id"],
            context=parse_context(row["context"], skills),
            text=row["request"],
            plans=tuple(parse_plan(plan, skills) for plan in row["plans"]),
        )
        for row in rows
    ]


class _Relay:
    """Follows given plans first, then hands over to the planner that is evaluated."""

    def __init__(self, planner: Planner) -> None:
        self.planner = planner
        self.plan_now: Plan | None = None

    @property
    def name(self) -> str:
        return self.planner.name

    async def plan(self, view: PlanView) -> AsyncIterator[str | Decision]:
        if self.plan_now is None:
            async for item in self.planner.plan(view):
                yield item
            return
        done = len(view.turns[-1].steps)
        if done >= len(self.plan_now.steps):
            yield Decision(thought="All done.", answer="Done.")
            return
        ids = view.call_ids()
        step = self.plan_now.steps[done]
        calls = tuple(call.model_copy(update={"id": next(ids)}) for call in step)
        yield Decision(thought=f"Now {calls[0].skill}.", calls=calls)


def evaluate(
    planner: Planner, requests: Iterable[Wanted], skills: SkillRegistry
) -> Iterator[Result]:
    """Let the planner work on each request in the evaluation's world."""
    for wanted in requests:
        relay = _Relay(planner)
        session = Agent(planner=relay, skills=skills, limits=Limits(steps=8, seconds=60)).session()
        context = wanted.context
        images = [world_image(wanted.id * 10 + n) for n in range(context.images)]
        for turn in context.turns:
            relay.plan_now = turn
            session.run_sync(_words(turn), images=images)
            images = []
        relay.plan_now = None
        pointers: list[Points | Boxes] = []
        if context.pointer == "points":
            pointers = [Points(((0.5, 0.5),))]
        elif context.pointer == "boxes":
            pointers = [Boxes((PLACES[1],))]
        turn_done = session.run_sync(wanted.text, images=images, pointers=pointers).turns[-1]
        acted = [step for step in turn_done.steps if step.actions]
        plan = Plan(steps=tuple(step.actions for step in acted))
        if not acted and turn_done.reason == "answered":
            plan = Plan(say="chat")
        yield Result(
            wanted=wanted,
            plan=plan,
            score=score(
                plan, wanted.plans, request=wanted.text, given=context.given(skills), skills=skills
            ),
            calls=len(plan.calls),
            invalid=sum(not o.ok for step in acted for o in step.observations),
            seconds=tuple(_thinking(step) for step in turn_done.steps),
            answer=turn_done.answer,
        )


def summarize(results: Sequence[Result]) -> dict[str, tuple[int, int]]:
    """Hits and totals: the plan figures over requests that need skills, then those that do not."""
    need = [result for result in results if result.score.wanted_skills]
    rest = [result for result in results if not result.score.wanted_skills]
    return {
        "first skill": (sum(r.score.first for r in need), len(need)),
        "sequence": (sum(r.score.sequence for r in need), len(need)),
        "exact arguments": (sum(r.score.exact for r in need), len(need)),
        "no skill needed": (sum(r.plan.say is not None for r in rest), len(rest)),
        "valid calls": (sum(r.calls - r.invalid for r in results), sum(r.calls for r in results)),
    }


def figure(name: str, hits: int, total: int) -> str:
    """A line with a share and its interval."""
    low, high = wilson(hits, total)
    share = hits / total if total else 0
    return f"{name:16} {hits:3}/{total:3} = {share:5.1%}  (95 %: {low:.1%} to {high:.1%})"


def _thinking(step: Step) -> float:
    """The planner's share of a step; the calls of a step run side by side."""
    return step.seconds - max((seen.seconds for seen in step.observations), default=0.0)


def _words(plan: Plan) -> str:
    """Plain words for an earlier turn, of which the evaluation gives only the plan."""
    words = [
        " ".join([c.skill.replace("_", " "), str(c.args.get("label", ""))]).strip()
        for c in plan.calls
    ]
    return ", then ".join(words) or "hello"


def main() -> None:
    """Print the figures, and every miss when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--planner", default="nano")
    parser.add_argument("--half", choices=["open", "sealed", "all"], default="open")
    parser.add_argument("--misses", action="store_true", help="show what went wrong")
    options = parser.parse_args()
    skills = world_registry()
    results = []
    for result in evaluate(
        load_planner(options.planner), read_requests(skills, half=options.half), skills
    ):
        results.append(result)
        right = result.score.exact if result.score.wanted_skills else result.plan.say is not None
        if options.misses and not right:
            print(f"{result.wanted.id}: {result.wanted.text!r}")  # noqa: T201
            print(f"   did    {format_plan(result.plan)}")  # noqa: T201
            print(f"   wanted {format_plan(result.wanted.plans[0])}")  # noqa: T201
    for name, (hits, total) in summarize(results).items():
        print(figure(name, hits, total))  # noqa: T201
    times = [second for result in results for second in result.seconds]
    print(f"median {median(times) * 1000:.0f} ms per step over {len(times)} steps")  # noqa: T201


if __name__ == "__main__":
    main()
