"""Measure the planner's time per step, and what the loop adds to a call, side by side in one run.

make bench            # or: python -m llava_plus.evals.bench
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from statistics import median
from typing import Any, TypedDict

from llava_plus.agent import Agent, Decision, Limits, PlanView, load_planner
from llava_plus.errors import SetupError
from llava_plus.skills import Call, Number, SkillRegistry, skill

from .world import world_image, world_registry

CALLS = 20
REPEATS = 7
REQUEST = "find the face on the left, crop to it, make it brighter, rotate it left and mirror it"


@skill(cache=False)
def nothing(number: float) -> Number:
    """Give the number back."""
    return Number(number)


class _Fixed:
    """Calls one skill a given number of times, then answers."""

    name = "fixed"

    async def plan(self, view: PlanView) -> AsyncIterator[str | Decision]:
        done = len(view.turns[-1].steps)
        if done == CALLS:
            yield Decision(answer="Done.")
        else:
            call = Call(id=next(view.call_ids()), skill="nothing", args={"number": done})
            yield Decision(calls=(call,))


def bare() -> None:
    """A loop that only calls the function."""
    for number in range(CALLS):
        nothing(float(number))


def ours() -> None:
    """The agent, with its graph, checks, events and trace."""
    agent = Agent(planner=_Fixed(), skills=SkillRegistry([nothing]), limits=Limits(steps=CALLS + 1))
    agent.session().run_sync("go")


class _Count(TypedDict):
    count: float


def plain_graph() -> Callable[[], None]:
    """LangGraph alone with the same two nodes."""
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


def timed(work: Callable[[], None]) -> float:
    """Milliseconds per call, the median of several runs after one to warm up."""
    work()
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return median(times) * 1000 / CALLS


def planner_steps(planner: Any, *, forget: bool) -> list[float]:
    """Milliseconds of the planner at each step of one request.

    Args:
        planner: A local planner.
        forget: Whether it forgets before each step what it has read.
    """
    session = Agent(planner=planner, skills=world_registry()).session()
    if forget:
        write = planner._engine.write

        def forgetful(*args: Any, **options: Any) -> str:
            planner._engine._memory.clear()
            return str(write(*args, **options))

        planner._engine.write = forgetful
    turn = session.run_sync(REQUEST, images=[world_image(1)]).turns[-1]
    if forget:
        planner._engine.write = write
    return [
        (step.seconds - sum(o.seconds for o in step.observations)) * 1000 for step in turn.steps
    ]


def main() -> None:
    """Print both tables."""
    print(f"ms per call, {CALLS} calls of a skill that does nothing, median of {REPEATS} runs")  # noqa: T201
    for name, work in (("bare loop", bare), ("plain LangGraph", plain_graph()), ("agent", ours)):
        print(f"  {name:16} {timed(work):8.3f}")  # noqa: T201
    try:
        planner = load_planner("nano")
    except SetupError as error:
        print(f"planner skipped: {error}")  # noqa: T201
        return
    planner_steps(planner, forget=False)
    kept = planner_steps(planner, forget=False)
    again = planner_steps(planner, forget=True)
    print("ms of nano per step, cache kept / everything read again")  # noqa: T201
    for number, (one, other) in enumerate(zip(kept, again, strict=False), 1):
        print(f"  step {number}: {one:6.0f} / {other:6.0f} = {other / one:.2f}")  # noqa: T201


if __name__ == "__main__":
    main()
