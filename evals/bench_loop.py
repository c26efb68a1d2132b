"""What the loop adds to a call: a planner that decides at once calls a skill that does nothing."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypedDict

from llava_plus.agent import Agent, Decision, Event, Limits, PlanView
from llava_plus.skills import Artifacts, Call, Number, Runtime, SkillRegistry, skill
from llava_plus.skills.arguments import resolve

CALLS = 20  # of one run
EPISODES = 100  # at once


@skill(cache=False, isolation="inline")
def nothing(number: float) -> Number:
    """Give the number back."""
    return Number(number)


class Instant:
    """A planner that makes its calls, one a step, and then answers; it needs no time for that."""

    name = "instant"

    async def plan(self, view: PlanView) -> AsyncIterator[str | Decision]:
        """Yield the next call, or the answer."""
        done = len(view.turns[-1].steps)
        if done == CALLS:
            yield Decision(answer="Done.")
            return
        args: dict[str, Any] = {"number": float(done)}
        yield Decision(calls=(Call(id=f"call_{done + 1}", skill="nothing", args=args),))


class _Count(TypedDict):
    count: float


def bare() -> None:
    """A loop that only calls the function."""
    for number in range(CALLS):
        nothing(float(number))


def plain_graph(checkpointer: Any = None) -> Any:
    """LangGraph alone: two nodes for each call, as our own loop has, which do nothing else."""
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Command

    async def plan(state: _Count) -> Command[str]:
        return Command(goto=END if state["count"] >= CALLS else "act")

    async def act(state: _Count) -> Command[str]:
        return Command(update={"count": nothing(state["count"]).value + 1}, goto="plan")

    graph = StateGraph(_Count)
    graph.add_node("plan", plan, destinations=("act", END))
    graph.add_node("act", act, destinations=("plan",))
    graph.add_edge(START, "plan")
    return graph.compile(checkpointer)


def plain() -> Callable[[], None]:
    """Run LangGraph alone once, which keeps nothing."""
    compiled = plain_graph()
    return lambda: asyncio.run(compiled.ainvoke({"count": 0}, {"recursion_limit": 4 * CALLS}))


def plain_kept() -> None:
    """Run LangGraph alone with its own checkpoints in SQLite, written as ours are."""
    from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

    async def run(file: Path) -> None:
        async with AsyncSqliteSaver.from_conn_string(str(file)) as saver:
            config = {"recursion_limit": 4 * CALLS, "configurable": {"thread_id": "one"}}
            await plain_graph(saver).ainvoke({"count": 0}, config, durability="sync")

    with TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder) / "checkpoints.sqlite"))


def agent(home: Path | None = None) -> Agent:
    """Return our own agent, with all that its loop does: checks, events, limits and a trace."""
    limits = Limits(steps=CALLS + 1)
    return Agent(Instant(), SkillRegistry([nothing]), limits=limits, home=home)


def run_once(home: Path | None = None) -> None:
    """Let an agent make its calls; a run that ended otherwise would measure something else."""
    session = agent(home).session()
    turn = session.run_sync("go").turns[0]
    session.close()
    if (turn.reason, len(turn.steps)) != ("answered", CALLS + 1):
        raise RuntimeError(f"the run ended early: {turn.reason}, {len(turn.steps)} steps")


def kept() -> None:
    """Run the agent in a home: each node's state is on disk before the next one begins."""
    with TemporaryDirectory() as folder:
        run_once(Path(folder))


def episodes(count: int = EPISODES) -> None:
    """Run sessions side by side, and take all their events."""
    maker = agent()

    async def one() -> list[Event]:
        return [event async for event in maker.session().run("go")]

    async def together() -> None:
        await asyncio.gather(*(one() for _ in range(count)))

    asyncio.run(together())


def validation() -> None:
    """Check the arguments of as many calls, and run none."""
    spec, artifacts = SkillRegistry([nothing])["nothing"], Artifacts()
    for number in range(CALLS):
        resolve(spec, {"number": float(number)}, artifacts)


def dispatch() -> None:
    """Check and run calls, and note what came of them; without planner or loop."""
    runtime = Runtime(SkillRegistry([nothing]), Artifacts())

    async def run() -> None:
        for number in range(CALLS):
            call = Call(id=f"call_{number}", skill="nothing", args={"number": float(number)})
            await runtime.run(call)

    asyncio.run(run())
