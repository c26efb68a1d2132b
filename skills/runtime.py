"""Running calls: checked, in a thread or a worker, with a time limit, remembered by content."""

import asyncio
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextvars import copy_context
from functools import partial
from typing import Any

from llava_plus.errors import LlavaPlusError

from .arguments import resolve
from .calls import Call, Observation
from .journal import Ended, Journal
from .origin import origin_of
from .outcome import Failed, checked
from .pixels import Image
from .process import out_of_time
from .progress import PROGRESS
from .registry import SkillRegistry
from .result_cache import ResultCache, call_key
from .spec import SkillSpec
from .store import Artifacts
from .threads import Outcome, begin
from .values import Value
from .workers import GIVEN_UP, WorkerPool, default_pool

Progress = Callable[[str, int, int], None]  # gets a call's id, the parts done, all parts
_POLL = 0.05  # seconds between looks at the cancel event
_REMEMBERED = 64  # results
_DAY = 86400.0  # seconds, the longest that an event loop waits at once


class Runtime:
    """Runs calls for one session and adds what they make to its artifacts.

    A skill of ``isolation="worker"`` runs in a process, which is killed when its time is up or
    the call is cancelled; see `WorkerPool`. An inline skill runs in a thread of this process. Not
    covered: a thread cannot be killed, so the work of an inline skill goes on until it ends by
    itself, only its result is dropped; one that never gives way to other threads, or that crashes
    the interpreter, takes the whole process along. A function that was put in the place of a
    skill's own (``dataclasses.replace(spec, function=…)``) runs inline, too.

    Args:
        registry: The skills that may be called.
        artifacts: The values of the session.
        cache: Whether the same call on the same content runs only once.
        results: Keeps what took long for later sessions, too.
        pool: The workers; those that all sessions share if left out.
        journal: Says which calls have ended before, and writes down how others end.
    """

    def __init__(
        self,
        registry: SkillRegistry,
        artifacts: Artifacts,
        *,
        cache: bool = True,
        results: ResultCache | None = None,
        pool: WorkerPool | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.registry = registry
        self.artifacts = artifacts
        self._journal = journal
        self._cache: OrderedDict[str, Value] | None = OrderedDict() if cache else None
        self._results = results if cache else None
        self._pool = pool

    async def run(
        self,
        call: Call,
        cancel: threading.Event | None = None,
        progress: Progress | None = None,
    ) -> Observation:
        """Run one call; mistakes of the planner and bugs of the skill come back as observations.

        Args:
            call: The call.
            cancel: Ends it when it is set.
            progress: Told how far an inline skill has come, from the thread in which it works.
        """
        return self._observe(call, await self._attempt(call, cancel, progress))

    async def run_many(
        self,
        calls: Sequence[Call],
        cancel: threading.Event | None = None,
        progress: Progress | None = None,
    ) -> tuple[Observation, ...]:
        """Run calls side by side; handles are given out in the order of the calls."""
        if len(calls) == 1:
            return (await self.run(calls[0], cancel, progress),)
        ends = await asyncio.gather(*(self._attempt(call, cancel, progress) for call in calls))
        return tuple(self._observe(call, end) for call, end in zip(calls, ends, strict=True))

    def recall(self, value: Value, *, source: str, key: str) -> str:
        """Take in again what was made before this process began; return its handle.

        Args:
            value: What was made.
            source: As `Artifacts.add` takes it.
            key: That of its `Ended`.
        """
        self._remember(key, value)
        return self.artifacts.add(value, source=source)

    async def _attempt(
        self, call: Call, cancel: threading.Event | None, progress: Progress | None
    ) -> Ended:
        """Run the call, unless the journal says how it ended before."""
        if self._journal is None:
            return await self._work(call, cancel, progress)
        if (before := self._journal.find(call)) is not None:
            return before
        ended = await self._work(call, cancel, progress)
        if ended.facts.get("error") != "cancelled":
            await asyncio.to_thread(self._journal.note_call, call, ended)
        return ended

    async def _work(
        self, call: Call, cancel: threading.Event | None, progress: Progress | None
    ) -> Ended:
        start = time.perf_counter()
        tell = None if progress is None else partial(progress, call.id)
        facts: dict[str, Any] = {"skill": call.skill}
        value, key = None, ""
        try:
            spec = self.registry.find(call.skill)
            facts |= {"skill": spec.name, "backend": spec.backend, "version": spec.version}
            args = resolve(spec, call.args, self.artifacts)
            spec = spec.for_call(args)
            facts |= {"backend": spec.backend, "version": spec.version}
            key = call_key(spec, args) if self._cache is not None and spec.cache else ""
            value = self._remembered(key)
            if value is None:
                value = await self._kept(spec, key)
            facts["cached"] = value is not None
            if value is None:
                value = await self._run(spec, args, cancel, tell)
                await self._keep(spec, key, value, time.perf_counter() - start)
            if isinstance(value, Image) and not self.artifacts.store.quick:
                # Writing a file takes a while, others go on meanwhile.
                await asyncio.to_thread(self.artifacts.store.put, value)
        except LlavaPlusError as error:
            value = None
            facts |= {"error": "skill", "text": str(error)}
        except Failed as failed:
            facts |= {"error": failed.error, "text": str(failed)}
        return Ended(facts=facts | {"seconds": time.perf_counter() - start}, value=value, key=key)

    def _observe(self, call: Call, ended: Ended) -> Observation:
        value = ended.value
        content = {**ended.facts, "call_id": call.id, "ok": value is not None}
        if value is not None:
            handle = self.artifacts.add(value, source=call.id)
            content |= {"handle": handle, "kind": value.kind, "text": value.describe()}
            self._remember(ended.key, value)
        return Observation.model_validate(content)

    def _remembered(self, key: str) -> Value | None:
        if self._cache is None or key not in self._cache:
            return None
        self._cache.move_to_end(key)
        return self._cache[key]

    def _remember(self, key: str, value: Value) -> None:
        if self._cache is None or not key:
            return
        self._cache[key] = value
        self._cache.move_to_end(key)
        if len(self._cache) > _REMEMBERED:
            self._cache.popitem(last=False)

    async def _kept(self, spec: SkillSpec, key: str) -> Value | None:
        """Look on the disk."""
        if self._results is None or not key:
            return None
        if self._results.quick:
            return self._results.find(spec, key)
        return await asyncio.to_thread(self._results.find, spec, key)

    async def _keep(self, spec: SkillSpec, key: str, value: Value, seconds: float) -> None:
        if self._results is None or not key:
            return
        if self._results.quick:
            self._results.keep(spec, key, value, seconds)
        else:
            await asyncio.to_thread(self._results.keep, spec, key, value, seconds)

    async def _run(
        self,
        spec: SkillSpec,
        args: dict[str, Any],
        cancel: threading.Event | None,
        tell: Callable[[int, int], None] | None,
    ) -> Value:
        """Wait for the skill until it ends, its time is up or somebody cancels."""
        origin = origin_of(spec) if spec.isolation == "worker" else None
        stop = threading.Event()
        context = copy_context()
        context.run(GIVEN_UP.set, stop)
        context.run(PROGRESS.set, tell)
        if origin is None:
            work, limit = partial(spec.function, **args), spec.time_limit
        else:  # the time counts from when a worker begins
            pool = self._pool or default_pool()
            work, limit = partial(pool.run, spec, origin, args, stop), math.inf
        try:
            outcome = await _ended(spec, begin(work, context), limit, cancel)
        finally:
            stop.set()
        return checked(spec, *outcome)


async def _ended(
    spec: SkillSpec, ended: "asyncio.Future[Outcome]", limit: float, cancel: threading.Event | None
) -> Outcome:
    """Wait for the outcome, unless its time is up or somebody cancels before.

    Raises:
        Failed: One of the two.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + limit
    timer: asyncio.TimerHandle | None = None

    def look() -> None:
        nonlocal timer
        left = deadline - loop.time()
        if ended.done():
            return
        if cancel is not None and cancel.is_set():
            ended.set_exception(Failed("cancelled", f"{spec.name} was cancelled."))
        elif left <= 0:
            ended.set_exception(out_of_time(spec.name, limit))
        else:
            timer = loop.call_later(min(left, _DAY if cancel is None else _POLL), look)

    look()
    try:
        return await ended
    finally:
        if timer is not None:
            timer.cancel()
