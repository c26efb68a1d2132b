"""Calls that wait for the same model go through it together, where it can take several at once."""

import inspect
import threading
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable

from llava_plus.skills import Value
from llava_plus.skills.outcome import Failed
from llava_plus.skills.workers import GIVEN_UP


@runtime_checkable
class Several(Protocol):
    """A model that can do several calls at once, with the results that each would have alone.

    Attributes:
        at_once: How many.
    """

    at_once: int

    def group(self, arguments: Mapping[str, Any]) -> Hashable:
        """Return what calls must have in common to be done together."""

    def together(self, calls: Sequence[Mapping[str, Any]]) -> list[Value]:
        """Return what each call returns; raise if one of them cannot be done."""


class Call:
    """A call that waits for its turn."""

    def __init__(self, args: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        self.args = args
        self.named = named
        self.value: Value | None = None  # once it was done together with another one
        self.alone = False  # where doing it together has failed
        self._given_up = GIVEN_UP.get(None)

    @property
    def wanted(self) -> bool:
        """Whether somebody still waits for what comes of it."""
        return self._given_up is None or not self._given_up.is_set()


class Queue:
    """The calls of one function that wait for its model.

    Whoever's turn it is does those that wait, too; at their turn they find what came of it. What
    fails together is done again one by one, so that each call has its own error.

    Args:
        method: Of the model, which does one call.
    """

    def __init__(self, method: str) -> None:
        self._method = method
        self._calls: list[Call] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Count the calls that wait, the one being done included."""
        return len(self._calls)

    @contextmanager
    def waiting(self, args: tuple[Any, ...], named: Mapping[str, Any]) -> Iterator[Call]:
        """Let a call wait; inside, it asks for the model, and then for `done`."""
        call = Call(args, named)
        with self._lock:
            self._calls.append(call)
        try:
            yield call
        finally:
            with self._lock:
                self._calls.remove(call)

    def done(self, model: Any, call: Call) -> Value:
        """Do a call whose turn it is, and those that wait with it.

        Args:
            model: Used by nobody else meanwhile.
            call: One that is waiting.

        Raises:
            Failed: Nobody waits for it any more, so it was not done.
        """
        if not call.wanted:
            raise Failed("cancelled", "Nobody waited for it any more.")
        run = getattr(model, self._method)
        if call.value is None and self._method == "__call__" and isinstance(model, Several):
            self._do_together(model, call, inspect.signature(run))
        if call.value is None:
            call.value = run(*call.args, **call.named)
        return call.value

    def _do_together(self, model: Several, call: Call, signature: inspect.Signature) -> None:
        with self._lock:
            others = [each for each in self._calls if each is not call and each.value is None]
        calls = [call, *(each for each in others if each.wanted and not each.alone)]
        bound = [dict(signature.bind(*each.args, **each.named).arguments) for each in calls]
        group = model.group(bound[0])
        fitting = [pair for pair in zip(calls, bound, strict=True) if model.group(pair[1]) == group]
        chosen = fitting[: model.at_once]
        if len(chosen) < 2 or call.alone:
            return
        try:
            values = model.together([arguments for _, arguments in chosen])
        except Exception:  # which of them it comes from shows when each is done alone
            for each, _ in chosen:
                each.alone = True
            return
        for (each, _), value in zip(chosen, values, strict=True):
            each.value = value
