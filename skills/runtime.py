"""Running calls: checked, in a thread, with a time limit, remembered by content."""

import asyncio
import contextvars
import hashlib
import json
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, get_args

from pydantic import TypeAdapter

from llava_plus.errors import LlavaPlusError

from .arguments import resolve
from .calls import Call, Failure, Observation
from .journal import Ended, Journal
from .pixels import Image
from .registry import SkillRegistry
from .spec import SkillSpec, shown_kinds
from .store import Artifacts
from .values import Value, value_to_json

_log = logging.getLogger(__name__)
_POLL = 0.05  # seconds between looks at the cancel event
_REMEMBERED = 64  # results
_VALUES = get_args(Value)
_ANY: TypeAdapter[Any] = TypeAdapter(Any)

_Outcome = tuple[Any, BaseException | None]


class _Failed(Exception):  # noqa: N818  (an outcome on its way to an observation)
    def __init__(self, error: Failure, text: str) -> None:
        super().__init__(text)
        self.error: Failure = error


class Runtime:
    """Runs calls for one session and adds what they make to its artifacts.

    A skill runs in a thread of this process. Not covered: a thread cannot be killed, so after the
    time limit or a cancellation the work itself goes on until it ends by itself, only its result
    is dropped; it keeps its memory and its share of the processor until then. A skill that never
    gives way to other threads, or that crashes the interpreter, takes the whole process along.
    Isolation in processes that can be killed comes later, under the same face.
    """

    def __init__(
        self,
        registry: SkillRegistry,
        artifacts: Artifacts,
        *,
        cache: bool = True,
        journal: Journal | None = None,
    ) -> None:
        self.registry = registry
        self.artifacts = artifacts
        self._journal = journal
        self._cache: OrderedDict[str, Value] | None = OrderedDict() if cache else None

    async def run(self, call: Call, cancel: threading.Event | None = None) -> Observation:
        """Run one call; mistakes of the planner and bugs of the skill come back as observations."""
        return self._observe(call, await self._attempt(call, cancel))

    async def run_many(
        self, calls: Sequence[Call], cancel: threading.Event | None = None
    ) -> tuple[Observation, ...]:
        """Run calls side by side; handles are given out in the order of the calls."""
        ends = await asyncio.gather(*(self._attempt(call, cancel) for call in calls))
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

    async def _attempt(self, call: Call, cancel: threading.Event | None) -> Ended:
        """Run the call, unless the journal says how it ended before."""
        if self._journal is None:
            return await self._work(call, cancel)
        if (before := self._journal.find(call)) is not None:
            return before
        ended = await self._work(call, cancel)
        if ended.facts.get("error") != "cancelled":
            await asyncio.to_thread(self._journal.note_call, call, ended)
        return ended

    async def _work(self, call: Call, cancel: threading.Event | None) -> Ended:
        start = time.perf_counter()
        facts: dict[str, Any] = {"skill": call.skill}
        value, key = None, ""
        try:
            spec = self.registry.find(call.skill)
            facts |= {"skill": spec.name, "backend": spec.backend, "version": spec.version}
            args = resolve(spec, call.args, self.artifacts)
            key = _key(spec, args) if self._cache is not None and spec.cache else ""
            value = self._remembered(key)
            facts["cached"] = value is not None
            if value is None:
                value = await _run(spec, args, cancel)
            if isinstance(value, Image):  # writing a file takes a while, others go on meanwhile
                await asyncio.to_thread(self.artifacts.store.put, value)
        except LlavaPlusError as error:
            value = None
            facts |= {"error": "skill", "text": str(error)}
        except _Failed as failed:
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


async def _run(spec: SkillSpec, args: dict[str, Any], cancel: threading.Event | None) -> Value:
    """Wait for the skill until it ends, its time is up or somebody cancels."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + spec.time_limit
    ended = _start(lambda: spec.function(**args), f"skill {spec.name}")
    while not ended.done():
        if cancel is not None and cancel.is_set():
            raise _Failed("cancelled", f"{spec.name} was cancelled.")
        left = deadline - loop.time()
        if left <= 0:
            limit = f"{spec.time_limit:g} s"
            raise _Failed("time", f"{spec.name} ran out of time ({limit}). Try a smaller picture.")
        await asyncio.wait((ended,), timeout=left if cancel is None else min(left, _POLL))
    result, error = ended.result()
    return _checked(spec, result, error)


def _start(
    work: Callable[[], Any], name: str
) -> "asyncio.Future[tuple[Any, BaseException | None]]":
    """Work in a thread that does not keep the program alive; a result nobody awaits is dropped."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[_Outcome] = loop.create_future()
    context = contextvars.copy_context()

    def settle(outcome: _Outcome) -> None:
        if not ended.done():
            ended.set_result(outcome)

    def body() -> None:
        outcome: _Outcome
        try:
            outcome = (context.run(work), None)
        except BaseException as error:  # also a skill that calls sys.exit()
            outcome = (None, error)
        with suppress(RuntimeError):  # the loop is closed, nobody waits any more
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=body, name=name, daemon=True).start()
    return ended


def _checked(spec: SkillSpec, result: Any, error: BaseException | None) -> Value:
    """Return the value, or tell a planner's mistake from a bug."""
    if isinstance(error, LlavaPlusError):
        raise _Failed("skill", str(error)) from error
    if error is not None:
        _log.error("skill %s broke", spec.name, exc_info=error)
        kind = type(error).__name__
    elif isinstance(result, _VALUES) and result.kind in spec.returns:
        return result  # type: ignore[no-any-return]
    else:
        kind = f"returned {type(result).__name__} instead of {shown_kinds(spec.returns)}"
        _log.error("skill %s %s", spec.name, kind)
    raise _Failed(
        "bug", f"{spec.name} broke: a bug in the skill ({kind}), not in the call. Try another way."
    )


def _key(spec: SkillSpec, args: Mapping[str, Any]) -> str:
    """Name a call by content. An image counts with its facts, which skills can read too."""
    inputs = {
        name: value_to_json(given)
        if isinstance(given, _VALUES)
        else _ANY.dump_python(given, mode="json")
        for name, given in args.items()
    }
    names = [spec.name, spec.version, spec.backend, inputs]
    return hashlib.sha256(json.dumps(names, sort_keys=True).encode()).hexdigest()
