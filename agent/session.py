"""A conversation: requests, pictures and pointers come in, events go out, a trace stays."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from typing import Any, Literal, TypeVar

from pydantic import JsonValue

from llava_plus.errors import SetupError
from llava_plus.skills import (
    Artifacts,
    ArtifactStore,
    Boxes,
    Call,
    Image,
    Points,
    ResultCache,
    Runtime,
    SkillRegistry,
    load_image,
)
from llava_plus.skills.images import Source

from .events import Event, Finished
from .graph import Limits, Loop
from .halt import Halt
from .planner import Decision, Planner, PlanView
from .slash import write_call
from .trace import POINTED, Reason, Trace, Turn

Pointer = Points | Boxes
P = TypeVar("P", Points, Boxes)
T = TypeVar("T")


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
    ) -> None:
        self.id = id
        self.artifacts = Artifacts(store)
        self._planner = planner
        self._skills = skills
        self._limits = limits
        self._runtime = Runtime(skills, self.artifacts, results=results)
        self._turns: tuple[Turn, ...] = ()
        self._attached: tuple[str, ...] = ()  # pictures since the last turn
        self._pointers: tuple[str, ...] = ()  # made since the last turn
        self._busy = threading.Lock()
        self._halt: Halt | None = None

    @property
    def trace(self) -> Trace:
        """All that has happened, as it stands now."""
        return Trace(
            id=self.id,
            planner=self._planner.name,
            skills={spec.name: spec.version for spec in self._skills},
            turns=self._turns,
            artifacts=_copy(self.artifacts),
        )

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
            pictures = await asyncio.to_thread(self._load, images)
            if pointers and not (pictures or self.artifacts.handles("image")):
                raise SetupError("There is no picture to point at. Add one.")
            self._attached += tuple(self.artifacts.add(picture) for picture in pictures)
            for pointer in pointers:
                self._point(self.artifacts.handles("image")[-1], pointer)
            turn = self._turn(message)
            async with aclosing(self._play(turn, None, halt)) as events:
                async for event in events:
                    yield event

    async def call(self, skill: str, args: dict[str, JsonValue]) -> AsyncGenerator[Event]:
        """Run one skill as a person wants it, without the planner; it is a turn like others."""
        with self._alone() as halt:
            turn = self._turn(write_call(skill, args), by="person")
            call = Call(id=next(self._view(turn).call_ids()), skill=skill, args=args)
            async with aclosing(self._play(turn, Decision(calls=(call,)), halt)) as events:
                async for event in events:
                    yield event

    def run_sync(
        self, message: str, images: Sequence[Source] = (), pointers: Sequence[Pointer] = ()
    ) -> Trace:
        """Answer a request and wait for the end, wherever this is called from."""
        return _wait(_last(self.run(message, images, pointers)))

    def call_sync(self, skill: str, args: dict[str, JsonValue]) -> Trace:
        """Run one skill and wait for the end, wherever this is called from."""
        return _wait(_last(self.call(skill, args)))

    def stop(self) -> None:
        """End the running request, from any thread; without one, nothing happens."""
        if (halt := self._halt) is not None:
            halt.set("cancelled")

    def attach(self, images: Sequence[Source]) -> tuple[str, ...]:
        """Add pictures, all or none, for the next request or call; return their handles."""
        handles = tuple(self.artifacts.add(picture) for picture in self._load(images))
        self._attached += handles
        return handles

    def point(self, image: str, x: float, y: float) -> str:
        """Note a click on a picture, in 0..1, for the next request; return its handle."""
        return self._point(image, _checked(lambda: Points(((x, y),))))

    def box(self, image: str, x0: float, y0: float, x1: float, y1: float) -> str:
        """Note a dragged box, in 0..1 from any corner, for the next request; return its handle."""
        corners = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
        return self._point(image, _checked(lambda: Boxes((corners,))))

    def _point(self, image: str, pointer: Pointer) -> str:
        if image not in self.artifacts or self.artifacts[image].kind != "image":
            there = ", ".join(self.artifacts.handles("image")) or "none yet"
            raise SetupError(f"{image!r} is no picture of this session. There are: {there}.")
        handle = self.artifacts.add(pointer, source=f"{POINTED}{image}")
        self._pointers += (handle,)
        return handle

    def _turn(self, message: str, by: Literal["planner", "person"] = "planner") -> Turn:
        """Begin a turn with all that was attached and pointed at since the last one."""
        images, self._attached = self._attached, ()
        pointers, self._pointers = self._pointers, ()
        return Turn(message=message, images=images, pointers=pointers, by=by)

    def _load(self, images: Sequence[Source]) -> list[Image]:
        """Read and store all pictures before any of them is part of the session."""
        pictures = [load_image(source) for source in images]
        for picture in pictures:
            self.artifacts.store.put(picture)
        return pictures

    def _view(self, *running: Turn) -> PlanView:
        halt = self._halt
        return PlanView(
            turns=(*self._turns, *running),
            artifacts=self.artifacts,
            skills=self._skills,
            cancel=threading.Event() if halt is None else halt.event,
            deadline=None if halt is None else halt.deadline,
        )

    async def _play(
        self, turn: Turn, decision: Decision | None, halt: Halt
    ) -> AsyncGenerator[Event]:
        """Run the graph and hand on its events; the turn is kept however this ends."""
        loop = Loop(
            planner=self._planner,
            runtime=self._runtime,
            view=self._view(),
            limits=self._limits,
            halt=halt,
        )
        reason: Reason = "cancelled"  # unless the graph says otherwise
        try:
            async with aclosing(loop.run(turn, decision)) as happenings:
                async for one in happenings:
                    if isinstance(one, Turn):
                        turn = one
                    else:
                        yield one
        except Exception:
            reason = "error"
            raise
        finally:
            halt.set()
            reason = reason if turn.reason == "running" else turn.reason
            turn = turn.model_copy(update={"reason": reason, "seconds": halt.elapsed()})
            self._turns += (turn,)
        yield Finished(turn=turn, trace=self.trace)

    @contextmanager
    def _alone(self) -> Iterator[Halt]:
        """Begin a request: no other one runs beside it, and `stop` ends it from now on."""
        if not self._busy.acquire(blocking=False):
            raise SetupError("This session is busy with another request. Wait for it, or stop it.")
        halt = self._halt = Halt(self._limits.seconds)
        try:
            yield halt
        finally:
            halt.close()
            self._halt = None
            self._busy.release()


def _copy(artifacts: Artifacts) -> Artifacts:
    """Return the artifacts as they are now, under the same handles."""
    copy = Artifacts(artifacts.store)
    for _, artifact in artifacts.items():
        copy.add(artifact.value, source=artifact.source)
    return copy


def _checked(make: Callable[[], P]) -> P:
    try:
        return make()
    except ValueError as error:
        raise SetupError(f"That is no place on a picture: {error}.") from error


async def _last(events: AsyncGenerator[Event]) -> Trace:
    async with aclosing(events):
        async for event in events:
            if isinstance(event, Finished):
                return event.trace
    raise RuntimeError("the session ended without saying so")


def _wait(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end; where a loop is running already, beside it in a thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(context.run, asyncio.run, work).result()
