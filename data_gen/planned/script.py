"""What a planner does in one turn: moves that name earlier results, and the words at its end."""

import random
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from pydantic import JsonValue

from llava_plus.agent import Decision, PlanView, Turn
from llava_plus.skills import Call, Image, Observation, Value

from .tongue import Tongue


@dataclass(frozen=True, kw_only=True)
class Made:
    """The result of a call: in which turn, by which move, which call of it, all from 0."""

    turn: int
    move: int
    call: int = 0


@dataclass(frozen=True, kw_only=True)
class Given:
    """A picture that came with a turn, or a place that was marked in it, from 0."""

    turn: int
    place: int = 0
    pointed: bool = False


Ref = Made | Given


@dataclass(frozen=True)
class Found:
    """An argument that depends on what was seen, such as a sum; None where it cannot be told."""

    read: Callable[["Seen"], JsonValue]


Arg = JsonValue | Ref | Found


@dataclass(frozen=True, kw_only=True)
class Deed:
    """A call to make: a skill, and arguments that may name results."""

    skill: str
    args: Mapping[str, Arg] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Move:
    """The calls of one step.

    Args:
        deeds: What is called, side by side.
        thought: What is thought before; in words of the plan where empty.
        slip: Whether it is meant to fail, since the next move puts it right.
    """

    deeds: tuple[Deed, ...]
    thought: str = ""
    slip: bool = False


class UnseenError(Exception):
    """Something that a later move or the answer needs did not come about."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What an answer may rest on: all that came back so far."""

    view: PlanView
    rng: random.Random

    @property
    def turn(self) -> int:
        """The running turn, from 0."""
        return len(self.view.turns) - 1

    def handle(self, ref: Ref) -> str:
        """Return the handle of a result or of what was given.

        Raises:
            UnseenError: It is not there.
        """
        turn = self.view.turns[ref.turn]
        try:
            if isinstance(ref, Given):
                return (turn.pointers if ref.pointed else turn.images)[ref.place]
            handle = turn.steps[ref.move].observations[ref.call].handle
        except IndexError as error:
            raise UnseenError from error
        if handle is None:
            raise UnseenError
        return handle

    def value(self, ref: Ref) -> Value:
        """Return what stands behind it."""
        return self.view.artifacts[self.handle(ref)].value

    def arg(self, arg: Arg) -> JsonValue:
        """Return an argument as it is written in a call."""
        if isinstance(arg, Made | Given):
            return self.handle(arg)
        if isinstance(arg, Found):
            if (read := arg.read(self)) is None:
                raise UnseenError
            return read
        return arg


Told = Callable[[Seen], str]


@dataclass(frozen=True, kw_only=True)
class Script:
    """One turn: what is done, and what is said then.

    Args:
        tongue: The language that is thought and answered in.
        moves: The steps; none where the answer is all.
        told: The answer after them, with ``{handles}``.
        empty: The answer where something was looked for and is not there; the usual words if left
            out.
        otherwise: Moves to go on with where the first move found nothing.
        failed: The answer where a call failed; the usual words if left out.
        thought: What is thought before the answer.
    """

    tongue: Tongue
    told: Told
    moves: tuple[Move, ...] = ()
    empty: Told | None = None
    failed: Told | None = None
    otherwise: "Script | None" = None
    thought: str = ""


@dataclass(frozen=True, kw_only=True)
class Follower:
    """A planner that follows scripts, one a turn, and looks at what came back.

    Where a call fails or finds nothing it stops and says so, unless its script knows better.
    """

    scripts: tuple[Script, ...]
    seed: str
    name: str = "planned"
    quick: ClassVar[bool] = True

    async def plan(self, view: PlanView) -> AsyncIterator[str | Decision]:
        """Yield the next decision."""
        yield self.decide(view)

    def decide(self, view: PlanView) -> Decision:
        """Return the next decision."""
        number = len(view.turns) - 1
        script, turn = self.scripts[number], view.turns[-1]
        seen = Seen(view=view, rng=random.Random(f"{self.seed}:{number}"))
        return _next(script, turn, seen, done=len(turn.steps))


def _next(script: Script, turn: Turn, seen: Seen, *, done: int) -> Decision:
    words = script.tongue
    if done == 0:
        return _call(script, seen, 0) if script.moves else _say(script, seen)
    if script.otherwise is not None and _empty(turn.steps[0].observations, seen):
        return _instead(script.otherwise, turn, seen, done=done)
    last, move = turn.steps[-1].observations, script.moves[done - 1]
    if not move.slip:
        if any(not one.ok for one in last):
            failed = script.failed or words.failed
            return Decision(thought=words.thought("failed", seen.rng), answer=failed(seen))
        if done < len(script.moves) and _empty(last, seen):
            gone = script.empty or words.nothing_done
            return Decision(thought=words.thought("empty", seen.rng), answer=gone(seen))
    if done == len(script.moves):
        return _say(script, seen)
    return _call(script, seen, done)


def _instead(script: Script, turn: Turn, seen: Seen, *, done: int) -> Decision:
    """Go on with other moves after a first one that found nothing."""
    last = turn.steps[-1].observations
    if done > 1 and any(not one.ok for one in last):
        failed = script.failed or script.tongue.failed
        return Decision(thought=script.tongue.thought("failed", seen.rng), answer=failed(seen))
    if done - 1 == len(script.moves):
        return _say(script, seen)
    return _call(script, seen, done - 1)


def _call(script: Script, seen: Seen, index: int) -> Decision:
    move = script.moves[index]
    ids = seen.view.call_ids()
    try:
        calls = tuple(
            Call(
                id=next(ids),
                skill=deed.skill,
                args={name: seen.arg(arg) for name, arg in deed.args.items()},
            )
            for deed in move.deeds
        )
    except UnseenError:
        gone = script.empty or script.tongue.nothing_done
        return Decision(thought=script.tongue.thought("empty", seen.rng), answer=gone(seen))
    rest = [[deed.skill for deed in one.deeds] for one in script.moves[index:] if not one.slip]
    return Decision(thought=move.thought or script.tongue.plan(rest), calls=calls)


def _say(script: Script, seen: Seen) -> Decision:
    try:
        answer = script.told(seen)
    except UnseenError:
        gone = script.empty or script.tongue.nothing_done
        return Decision(thought=script.tongue.thought("empty", seen.rng), answer=gone(seen))
    return Decision(thought=script.thought or script.tongue.thought("end", seen.rng), answer=answer)


def _empty(observations: tuple[Observation, ...], seen: Seen) -> bool:
    """Whether something was looked for and is not there."""
    handles = [one.handle for one in observations if one.handle is not None]
    values = [seen.view.artifacts[handle].value for handle in handles]
    return any(
        not isinstance(value, Image) and hasattr(value, "__len__") and not len(value)
        for value in values
    )
