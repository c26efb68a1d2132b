"""The loop as a graph: plan → act → plan … → answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from llava_plus.skills import Call, Observation, Runtime

from .acting import ask, run
from .approvals import Approvals
from .closing import closing_words
from .draft import Draft
from .events import ActionFinished, ActionProposed, ActionStarted, Event, StepStarted
from .failures import explain, failed_calls, key, last_error, not_again, verdict
from .halt import Halt, HaltedError
from .happenings import Happenings
from .planner import Decision, Planner, PlannerError, PlanView, told_apart
from .state import Channels, Node, State, next_node
from .trace import Reason, Step, Turn

if TYPE_CHECKING:
    from langchain_core.runnables import RunnableConfig
    from langgraph.graph.state import CompiledStateGraph

    from .keeper import Keeper

LONGEST_RAW = 600  # characters kept of an output that could not be read


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one request may cost; whatever is reached first ends it."""

    steps: int = 8
    seconds: float | None = 120
    actions: int = 16  # in one step


@cache
def loop_graph() -> CompiledStateGraph[Channels, None, Channels, Channels]:
    """Connect the nodes, once for all turns; langgraph is imported here and not before."""
    from langchain_core.runnables import RunnableConfig
    from langgraph.graph import END, START, StateGraph
    from langgraph.types import Command

    def node(name: Node) -> Any:
        async def run(channels: Channels, config: RunnableConfig) -> Command[str]:
            loop: Loop = config["configurable"]["loop"]
            state = await loop.node(name, channels["state"])
            return Command(
                update={"state": state}, goto=END if name == "answer" else next_node(state)
            )

        run.__annotations__ = {"channels": Channels, "config": RunnableConfig}
        return run

    async def first(channels: Channels) -> Node:  # a plain function would be called in a thread
        return next_node(channels["state"])

    graph = StateGraph(Channels)
    graph.add_node("plan", node("plan"), destinations=("plan", "act", "answer"))
    graph.add_node("act", node("act"), destinations=("plan", "answer"))
    graph.add_node("answer", node("answer"), destinations=(END,))
    graph.add_conditional_edges(START, first, ["plan", "act"])
    return graph.compile()


@dataclass(kw_only=True)
class Loop:
    """One turn on its way: how far it has come, its nodes, and what they work with."""

    turn: Turn  # as the last node left it
    planner: Planner | None  # None where a person chose the call
    runtime: Runtime
    view: PlanView  # of the turns before
    limits: Limits
    halt: Halt
    approvals: Approvals
    keeper: Keeper | None = None  # where checkpoints go
    happenings: Happenings = field(default_factory=Happenings)

    async def run(self, decision: Decision | None, *, again: bool = False) -> AsyncGenerator[Event]:
        """Yield events as they happen; a node begins when all events before it have been taken.

        Args:
            decision: What a person chose, None where the planner chooses.
            again: Whether to go on from the last checkpoint instead.
        """
        start: State = {"turn": self.turn, "decision": decision, "began": self.halt.elapsed()}
        if self.keeper is None:
            walk = self._walk(start)
        else:
            walk = self._graph(self.keeper, None if again else {"state": start})
        work = asyncio.create_task(walk)
        work.add_done_callback(lambda _: self.happenings.close())
        try:
            async with aclosing(self.happenings.read()) as events:
                async for event in events:
                    yield event
            work.result()
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def node(self, name: Node, state: State) -> State:
        """Do one node's work and return the state after it."""
        await self.happenings.taken()
        work = {"plan": self.plan, "act": self.act, "answer": self.answer}
        after = await work[name](state)
        if self.keeper is not None:
            after["spent"] = self.halt.elapsed()
        self.turn = after["turn"]
        return state | after

    async def _walk(self, state: State) -> None:
        """Go from node to node; what LangGraph adds is of no use where nothing is kept."""
        while (name := next_node(state)) != "answer":
            state = await self.node(name, state)
        await self.node("answer", state)

    async def _graph(self, keeper: Keeper, start: Channels | None) -> None:
        """Go from node to node as LangGraph does, with a checkpoint after each."""
        graph = loop_graph().copy({"checkpointer": keeper.checkpoints()})
        config: RunnableConfig = {
            "recursion_limit": 2 * self.limits.steps + 8,
            "configurable": {"loop": self, "thread_id": keeper.thread},
        }
        # Nothing is asked of the stream: nodes say themselves what happens.
        async for _ in graph.astream(start, config, stream_mode=[], durability="sync"):
            pass

    async def plan(self, state: State) -> State:
        """Ask the planner what to do next."""
        write, turn, began = self.happenings.write, state["turn"], self.halt.elapsed()
        write(StepStarted(index=len(turn.steps)))
        draft = self._draft(turn)
        after: State = {"turn": turn, "draft": draft, "began": began, "decision": None}
        try:
            quick = getattr(self.planner, "quick", False)
            decision = await self.halt.guard(self._decide(turn, draft), quick=quick)
        except PlannerError as error:
            return self._unreadable(after, str(error))
        except HaltedError:
            return after | self._broken_off(turn, draft, began, self.halt.reason or "cancelled")
        except Exception as error:
            if self.halt.reason:
                return after | self._broken_off(turn, draft, began, self.halt.reason)
            return after | self._broken_off(turn, draft, began, "error", explain(error))
        draft.decide(decision)
        if decision.calls:
            return after | {"decision": decision}
        draft.answer = decision.answer or ""
        step = Step(thought=decision.thought, answer=draft.answer, seconds=self._since(began))
        return after | {"turn": _with(turn, step), "reason": "answered"}

    async def act(self, state: State) -> State:
        """Run what the planner decided, and note what came of it."""
        write, turn, decision = self.happenings.write, state["turn"], state["decision"]
        assert decision is not None
        for call in decision.calls:
            write(ActionProposed(call=call))
        failed = failed_calls(turn)
        fresh = [call for call in decision.calls if not (failed and key(call) in failed)]
        seen = {} if turn.by == "person" else await self._ask(fresh)
        allowed = [call for call in fresh if call.id not in seen]
        for call in allowed:
            write(ActionStarted(call=call))
        ended = await run(allowed, runtime=self.runtime, halt=self.halt, write=write)
        seen |= {one.call_id: one for one in ended}
        for call in decision.calls:
            if call.id not in seen:
                seen[call.id] = not_again(call, failed[key(call)][0])
            handle = seen[call.id].handle
            artifact = None if handle is None else self.view.artifacts[handle]
            write(ActionFinished(call=call, observation=seen[call.id], artifact=artifact))
        step = Step(
            thought=decision.thought,
            actions=decision.calls,
            observations=tuple(seen[call.id] for call in decision.calls),
            seconds=self._since(state["began"]),
        )
        reason, problem = verdict(turn, step, failed)
        if len(turn.steps) + 1 >= self.limits.steps:
            reason = reason or "steps"
        reason = self.halt.reason or reason
        return {
            "turn": _with(turn, step),
            "decision": None,
            "draft": None,
            "reason": reason,
            "problem": problem,
        }

    async def answer(self, state: State) -> State:
        """Finish the turn: the planner's answer, or why there is none and what there is so far."""
        turn, reason = state["turn"], state.get("reason") or "error"
        draft = state.get("draft") or ""
        if isinstance(draft, str):
            words, draft = draft, self._draft(turn)
        else:
            words = draft.answer
        if turn.by == "person" and reason == "answered":
            words = "\n".join(f"{{{one.handle}}}" for one in turn.steps[-1].observations)
        elif reason != "answered":
            closing = closing_words(
                turn,
                reason,
                problem=state.get("problem", ""),
                steps=self.limits.steps,
                seconds=self.limits.seconds,
            )
            words = f"{words}\n\n{closing}" if words else closing
        text, cited = draft.close(words)
        done = {"answer": text, "cited": cited, "reason": reason}
        return {"turn": turn.model_copy(update=done)}

    async def _ask(self, calls: list[Call]) -> dict[str, Observation]:
        return await ask(
            calls,
            runtime=self.runtime,
            approvals=self.approvals,
            halt=self.halt,
            write=self.happenings.write,
        )

    def _draft(self, turn: Turn) -> Draft:
        return Draft(self.happenings.write, self.view.artifacts, last_error(turn))

    async def _decide(self, turn: Turn, draft: Draft) -> Decision:
        assert self.planner is not None
        turns = (*self.view.turns, turn)
        view = replace(self.view, turns=turns, deadline=self.halt.deadline)
        decision: Decision | None = None
        async for piece in self.planner.plan(view):
            if isinstance(piece, Decision):
                decision = piece
            else:
                draft.feed(piece)
        if decision is None:
            raise RuntimeError(f"planner {self.planner.name} ended without a decision")
        if not decision.calls and not (decision.answer or "").strip():
            raise PlannerError("You neither called a skill nor answered. Do one of the two.")
        if len(decision.calls) > self.limits.actions:
            raise PlannerError(
                f"You made {len(decision.calls)} calls in one step; "
                f"at most {self.limits.actions} are allowed. Make fewer."
            )
        return replace(decision, calls=told_apart(decision.calls, view))

    def _unreadable(self, after: State, problem: str) -> State:
        """Tell the planner once what was wrong; the second time, end."""
        turn, draft = after["turn"], after["draft"]
        assert isinstance(draft, Draft)
        first = not any(step.raw for step in turn.steps)
        raw = draft.raw[:LONGEST_RAW] or "(nothing)"
        told = Observation(call_id="", skill="", ok=False, text=problem, error="skill")
        seconds = self._since(after["began"])
        step = Step(thought=draft.thought, raw=raw, observations=(told,), seconds=seconds)
        reason: Reason | None = None if first else "error"
        if first and len(turn.steps) + 1 >= self.limits.steps:
            reason = "steps"
        problem = f"The planner's output could not be read, twice. {problem}"
        return after | {"turn": _with(turn, step), "reason": reason, "problem": problem}

    def _broken_off(
        self, turn: Turn, draft: Draft, began: float, reason: Reason, problem: str = ""
    ) -> State:
        """End the turn in the middle of a plan, and keep what was written of it."""
        if draft.raw:
            turn = _with(turn, Step(thought=draft.thought, seconds=self._since(began)))
        return {"turn": turn, "reason": reason, "problem": problem}

    def _since(self, began: float) -> float:
        return round(self.halt.elapsed() - began, 3)


def _with(turn: Turn, step: Step) -> Turn:
    return turn.model_copy(update={"steps": (*turn.steps, step)})
