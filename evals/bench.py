"""Measure the planner's time per step, and what the loop adds to a call, side by side in one run.

make bench            # or: python -m llava_plus.evals.bench
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from threading import Event
from typing import Any, TypedDict

from llava_plus.agent import Agent, Decision, Limits, PlanView, ScriptedPlanner, load_planner
from llava_plus.errors import SetupError
from llava_plus.skills import Artifacts, Number, SkillRegistry, skill

from .world import world_image, world_registry

CALLS = 20
REPEATS = 7
REQUEST = "find the face on the left, crop to it, make it brighter, rotate it left and mirror it"
STEPS = (
    'detect(img_1, "face")',
    "select(boxes_1, by='left')",
    "crop(img_1, boxes_2)",
    "adjust(img_2, brightness=0.3)",
    "rotate(img_3, degrees=-90)",
    "rotate(img_4, flip='horizontal')",
)
_STEPS = range(len(STEPS))


@skill(cache=False)
def nothing(number: float) -> Number:
    """Give the number back."""
    return Number(number)


class _Count(TypedDict):
    count: float


def bare() -> None:
    """A loop that only calls the function."""
    for number in range(CALLS):
        nothing(float(number))


def plain_graph() -> Callable[[], None]:
    """LangGraph alone with the same two nodes: what the agent's own loop is compared with."""
    from langgraph.graph import END, START, StateGraph

    def act(state: _Count) -> _Count:
        return {"count": nothing(state["count"]).value + 1}

    def plan(state: _Count) -> _Count:
        return state

    graph = StateGraph(_Count)
    graph.add_node("plan", plan)
    graph.add_node("act", act)
    graph.add_edge(START, "plan")
    graph.add_edge("act", "plan")
    graph.add_conditional_edges("plan", lambda s: END if s["count"] >= CALLS else "act")
    compiled = graph.compile()

    def run() -> None:
        asyncio.run(compiled.ainvoke({"count": 0}, {"recursion_limit": 4 * CALLS}))

    return run


def ours() -> None:
    """The agent, with its graph, checks, events and trace."""
    script = [*(f"nothing({number})" for number in range(CALLS)), "Done."]
    skills = SkillRegistry([nothing])
    agent = Agent(ScriptedPlanner(script), skills, limits=Limits(steps=CALLS + 1))
    agent.session().run_sync("go")


def timed(work: Callable[[], None]) -> float:
    """Milliseconds per call, the median of several runs after one to warm up."""
    work()
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return median(times) * 1000 / CALLS


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one step of the planner took."""

    seconds: float
    read: int  # tokens of the prompt that were not in the cache
    written: int


def views(picture: int) -> list[PlanView]:
    """What a planner is asked at each step of one request about a picture of its own."""
    skills = world_registry()
    agent = Agent(ScriptedPlanner([*STEPS, "Done."]), skills)
    trace = agent.session().run_sync(REQUEST, images=[world_image(picture)])
    turn = trace.turns[-1]
    seen = []
    for done in _STEPS:
        artifacts = Artifacts(trace.artifacts.store)
        for _, artifact in list(trace.artifacts.items())[: 1 + done]:
            artifacts.add(artifact.value, source=artifact.source)
        running = {"steps": turn.steps[:done], "answer": "", "cited": (), "reason": "running"}
        turns = (turn.model_copy(update=running),)
        seen.append(PlanView(turns=turns, artifacts=artifacts, skills=skills, cancel=Event()))
    return seen


def cost(planner: Any, view: PlanView) -> Cost:
    """Plan one step of the view."""

    async def plan() -> None:
        async for piece in planner.plan(view):
            if isinstance(piece, Decision):
                return

    before = planner.stats.prefilled, planner.stats.decoded + planner.stats.forced
    began = time.perf_counter()
    asyncio.run(plan())
    seconds = time.perf_counter() - began
    after = planner.stats.prefilled, planner.stats.decoded + planner.stats.forced
    return Cost(seconds=seconds, read=after[0] - before[0], written=after[1] - before[1])


def planner_costs(planner: Any, *, keep: bool) -> list[list[Cost]]:
    """The costs of each step, over several pictures.

    Args:
        planner: A local planner.
        keep: Whether the steps are those of one session, of which the planner still knows what it
            has read; else each step comes from a session that it has not met, so that it reads
            everything again, words and pictures.
    """
    sessions = range(REPEATS + 1)  # the first one to warm up
    if keep:
        rows = [[cost(planner, view) for view in views(session)] for session in sessions]
    else:
        rows = [
            [cost(planner, views(1000 + session * len(STEPS) + step)[step]) for step in _STEPS]
            for session in sessions
        ]
    return [list(column) for column in zip(*rows[1:], strict=True)]


def main() -> None:
    """Print both tables."""
    print(f"ms per call, {CALLS} calls of a skill that does nothing, median of {REPEATS} runs")  # noqa: T201
    for name, work in (("bare loop", bare), ("plain LangGraph", plain_graph()), ("agent", ours)):
        print(f"  {name:16} {timed(work):8.3f}")  # noqa: T201
    try:
        planner = load_planner("nano")
    except SetupError as error:
        print(f"nano's steps are skipped: {error}")  # noqa: T201
        return
    print(f"nano per step, its cache kept | everything read again, medians of {REPEATS} sessions")  # noqa: T201
    kept, again = planner_costs(planner, keep=True), planner_costs(planner, keep=False)
    for number, (some, others) in enumerate(zip(kept, again, strict=True), 1):
        row = f"{_told(some)} | {_told(others)} | {_ratio(some, others):.2f} times"
        print(f"  step {number}: {row}")  # noqa: T201


def _told(costs: list[Cost]) -> str:
    ms = median(one.seconds for one in costs) * 1000
    read, written = (median(n) for n in zip(*((c.read, c.written) for c in costs), strict=True))
    return f"{ms:5.0f} ms, {read:4.0f} tokens read, {written:3.0f} written"


def _ratio(kept: list[Cost], again: list[Cost]) -> float:
    return median(one.seconds for one in again) / median(one.seconds for one in kept)


if __name__ == "__main__":
    main()
