"""Models that are loaded: one for all calls of its backend, the least recently used ones go."""

import gc
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from functools import cache

from llava_plus.skills.classes import best_device

from .backend import Model
from .status import memory_of

SHARE = 0.8  # of a device's memory that all models together may take


class Shelf:
    """Models by name, loaded when first needed, each used by one call at a time.

    Before a model is loaded, those that were not used for the longest time are dropped until it
    fits. Not covered: a model that a call is using is never dropped, so several large ones at once
    may take more than the budget; and what others, such as a planner, hold does not count.

    Args:
        budget: MiB that the models may take together; four fifths of the device's if left out.
    """

    def __init__(self, *, budget: int | None = None) -> None:
        self._budget = budget
        self._places: OrderedDict[Hashable, _Place] = OrderedDict()  # the longest unused first
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self, key: Hashable, need: int, load: Callable[[], Model]) -> Iterator[Model]:
        """Have a model to oneself.

        Args:
            key: What names it.
            need: MiB that it takes.
            load: Makes it, where it is not there; what it raises is raised here.
        """
        with self._lock:
            place = self._places.setdefault(key, _Place(need))
            self._places.move_to_end(key)
            place.users += 1
        try:
            with place.lock:
                if place.model is None:
                    self._make_room(need)
                    place.model = load()
                yield place.model
        finally:
            with self._lock:
                place.users -= 1

    def drop(self, key: Hashable) -> None:
        """Forget a model; its memory is free once no call uses it any more."""
        with self._lock:
            self._places.pop(key, None)
        _free()

    def loaded(self) -> tuple[Hashable, ...]:
        """Name the models that are loaded, the longest unused first."""
        with self._lock:
            return tuple(key for key, place in self._places.items() if place.model is not None)

    def _make_room(self, need: int) -> None:
        budget = int(SHARE * memory_of(best_device())) if self._budget is None else self._budget
        with self._lock:
            needs = {key: place.need for key, place in self._places.items() if place.model}
            idle = [key for key in needs if not self._places[key].users]
            total, dropped = sum(needs.values()), []
            while idle and total + need > budget:
                dropped.append(idle.pop(0))
                total -= needs[dropped[-1]]
                del self._places[dropped[-1]]
        if dropped:
            _free()


class _Place:
    """Where a model stands, or will."""

    def __init__(self, need: int) -> None:
        self.need = need
        self.model: Model | None = None
        self.users = 0
        self.lock = threading.Lock()


@cache
def default_shelf() -> Shelf:
    """Return the shelf of this process."""
    return Shelf()


def _free() -> None:
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
