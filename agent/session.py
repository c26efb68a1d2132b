"""A conversation: requests, pictures and pointers come in, events go out, a trace stays."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from typing import Any

from pydantic import JsonValue

from llava_plus.errors import SetupError
from llava_plus.skills import (
    Artifacts,
    ArtifactStore,
    Call,
    Image,
    ResultCache,
    Runtime,
    SkillRegistry,
    load_image,
)
from llava_plus.skills.images import Source

from .approvals import Approvals
from .events import Event, Finished
from .graph import Limits, Loop
from .halt import Halt
from .history import History
from .home import StoreError
from .keeper import Keeper, Running
from .planner import Decision, Planner, PlanView
from .pointing import Pointer, click, dragged
from .slash import write_call
from .trace import Trace, Turn
from .waiting import last, wait


class Session:
    """One conversation: its turns, its handles, and at most one request at a time."""

    def __init__(
        self,
        id: str,
        *,
        planner: Planner,
        skills: SkillRegistry,
        limits: Limits,
        store: ArtifactStore,
        results: ResultCache | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self.id = id
        self.planner = planner  # another one put here decides from the next request on
        self._skills = skills
        self._limits = limits
        self._busy = threading.Lock()
        self._halt: Halt | None = None
        self._approvals = Approvals()
        self._history = History(
            lambda: Runtime(skills, Artifacts(store), results=results, journal=keeper), keeper
        )

    @property
    def artifacts(self) -> Artifacts:
        """The values that the session has, by their handles."""
        return self._history.artifacts

    @property
    def interrupted(self) -> bool:
        """Whether a request was broken off, by a kill or a full disk: `resume` finishes it."""
        return self.unfinished is not None and self._halt is None

    @property
    def unfinished(self) -> Turn | None:
        """The request that was broken off, as far as its last checkpoint."""
        return None if (running := self._history.running) is None else running.turn

    @property
    def trace(self) -> Trace:
        """All that has happened, as it stands now."""
        made = self.artifacts.copy()
        turns = self._history.turns
        return Trace(id=self.id, turns=turns, artifacts=made, **self._provenance())

    async def run(
        self, message: str, images: Sequence[Source] = (), pointers: Sequence[Pointer] = ()
    ) -> AsyncGenerator[Event]:
        """Answer a request; closing the iterator stops it.

        Args:
            message: What the person wants.
            images: New pictures, as files, bytes or arrays; all must be readable.
            pointers: Places or boxes on the newest picture, beside those of `point` and `box`.
        """
        message = message.encode("utf-8", "replace").decode("utf-8").strip()
        if not message:
            raise SetupError("The request is empty. Write what to do or what you want to know.")
        with self._alone() as halt:
            self._whole()
            pictures = await asyncio.to_thread(self._load, images) if images else []
            if pointers and not (pictures or self.artifacts.handles("image")):
                raise SetupError("There is no picture to point at. Add one.")
            self._history.attach(pictures)
            for pointer in pointers:
                self._history.point(self.artifacts.handles("image")[-1], pointer)
            async with aclosing(self._play(self._begin(message, None), halt)) as events:
                async for event in events:
                    yield event

    async def call(self, skill: str, args: dict[str, JsonValue]) -> AsyncGenerator[Event]:
        """Run one skill as a person wants it, without the planner; it is a turn like others."""
        with self._alone() as halt:
            self._whole()
            call = Call(id=next(self._view().call_ids()), skill=skill, args=args)
            running = self._begin(write_call(skill, args), Decision(calls=(call,)))
            async with aclosing(self._play(running, halt)) as events:
                async for event in events:
                    yield event

    async def resume(self) -> AsyncGenerator[Event]:
        """Go on with the request that a kill broke off; calls that had ended do not run again."""
        if (running := self._history.running) is None:
            raise SetupError("No request of this session was broken off. Make a new one.")
        with self._alone(running.spent) as halt:
            async with aclosing(self._play(running, halt)) as events:
                async for event in events:
                    yield event

    def run_sync(
        self, message: str, images: Sequence[Source] = (), pointers: Sequence[Pointer] = ()
    ) -> Trace:
        """Answer a request and wait for the end, wherever this is called from."""
        return wait(last(self.run(message, images, pointers)))

    def call_sync(self, skill: str, args: dict[str, JsonValue]) -> Trace:
        """Run one skill and wait for the end, wherever this is called from."""
        return wait(last(self.call(skill, args)))

    def resume_sync(self) -> Trace:
        """Go on with a request that was broken off and wait for the end."""
        return wait(last(self.resume()))

    def stop(self) -> None:
        """End the running request, or one that was broken off, if any; from any thread."""
        if (halt := self._halt) is not None:
            halt.set("cancelled")
        elif (running := self._history.running) is not None:
            self._history.end(running.turn, "cancelled", running.spent)

    def approve(self, call_id: str) -> None:
        """Allow a call of which `ApprovalNeeded` told, from any thread."""
        self._approvals.answer(call_id, None)

    def refuse(self, call_id: str, why: str = "") -> None:
        """Refuse a call of which `ApprovalNeeded` told; the planner reads why."""
        self._approvals.answer(call_id, why)

    def close(self) -> None:
        """Let go of what was kept, so that another process may open the session."""
        if (keeper := self._history.keeper) is not None:
            keeper.close()

    def attach(self, images: Sequence[Source]) -> tuple[str, ...]:
        """Add pictures, all or none, for the next request or call; return their handles."""
        handles = self._history.attach(self._load(images))
        self._note()
        return handles

    def take_up(self, trace: Trace, turn: int) -> str:
        """Stand, as a new session, where another one stood before a turn; return its request.

        The pictures and pointers of that turn are attached: `run` makes the request once more.

        Args:
            trace: Of the other session.
            turn: Which one, from 1.
        """
        return self._history.take_up(trace, turn, self._provenance())

    def point(self, image: str, x: float, y: float) -> str:
        """Note a click on a picture, in 0..1, for the next request; return its handle."""
        return self._point(image, click(x, y))

    def box(self, image: str, x0: float, y0: float, x1: float, y1: float) -> str:
        """Note a dragged box, in 0..1 from any corner, for the next request; return its handle."""
        return self._point(image, dragged(x0, y0, x1, y1))

    def _point(self, image: str, pointer: Pointer) -> str:
        handle = self._history.point(image, pointer)
        self._note()
        return handle

    def _begin(self, message: str, decision: Decision | None) -> Running:
        return self._history.begin(message, decision, self._provenance())

    def _note(self) -> None:
        """Keep what was added between two turns; what comes meanwhile is kept when one ends."""
        if self._halt is None:
            self._history.note()

    def _whole(self) -> None:
        """Refuse a new request while an old one waits to go on."""
        if self._history.running is not None:
            raise SetupError(
                "The last request was broken off. resume() finishes it, stop() ends it as it is."
            )

    def _provenance(self) -> dict[str, Any]:
        return {"planner": self.planner.name, "skills": {s.name: s.version for s in self._skills}}

    def _load(self, images: Sequence[Source]) -> list[Image]:
        """Read and store all pictures before any of them is part of the session."""
        pictures = [load_image(source) for source in images]
        for picture in pictures:
            self.artifacts.store.put(picture)
        return pictures

    def _view(self, *running: Turn) -> PlanView:
        halt = self._halt
        return PlanView(
            turns=(*self._history.turns, *running),
            artifacts=self.artifacts,
            skills=self._skills,
            cancel=threading.Event() if halt is None else halt.event,
            deadline=None if halt is None else halt.deadline,
        )

    async def _play(self, running: Running, halt: Halt) -> AsyncGenerator[Event]:
        """Run the graph and hand on its events; the turn is kept however this ends."""
        loop = self._loop(running.turn, halt)
        try:
            async with aclosing(loop.run(running.decision, again=running.checkpointed)) as events:
                async for event in events:
                    yield event
        except StoreError:
            halt.set()
            self._history.restore()  # the turn waits as it is on disk
            raise
        except BaseException as error:
            halt.set()
            bug = isinstance(error, Exception)
            self._history.end(loop.turn, "error" if bug else "cancelled", halt.elapsed())
            raise
        halt.set()
        ended = self._history.end(
            loop.turn, "cancelled", halt.elapsed()
        )  # unless the graph said why
        yield Finished(turn=ended, trace=self.trace)

    def _loop(self, turn: Turn, halt: Halt) -> Loop:
        self._approvals = Approvals()
        if (keeper := self._history.keeper) is not None:
            self._approvals = Approvals(keeper.note_answer, keeper.answers())
        return Loop(
            turn=turn,
            planner=self.planner,
            runtime=self._history.runtime,
            view=self._view(),
            limits=self._limits,
            halt=halt,
            approvals=self._approvals,
            keeper=keeper,
        )

    @contextmanager
    def _alone(self, spent: float = 0.0) -> Iterator[Halt]:
        """Begin a request: no other one runs beside it, and `stop` ends it from now on."""
        if not self._busy.acquire(blocking=False):
            raise SetupError("This session is busy with another request. Wait for it, or stop it.")
        halt = self._halt = Halt(self._limits.seconds, spent)
        try:
            yield halt
        finally:
            halt.close()
            self._halt = None
            self._busy.release()
