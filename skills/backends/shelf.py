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
                    self._make_room(key, need)
                    place.model = load()
                yield place.model
        finally:
            with self._lock:
                place.users -= 1
            self._put_away(key)

    def drop(self, key: Hashable) -> None:
        """Forget a model as soon as no call uses it; until then, others use the same one."""
        with self._lock:
            if (place := self._places.get(key)) is not None:
                place.unwanted = True
        self._put_away(key)

    def loaded(self) -> tuple[Hashable, ...]:
        """Name the models that are loaded, the longest unused first."""
        with self._lock:
            return tuple(key for key, place in self._places.items() if place.model is not None)

    def _put_away(self, key: Hashable) -> None:
        """Forget a model that was dropped, if no call uses it any more."""
        with self._lock:
            place = self._places.get(key)
            if place is None or not place.unwanted or place.users:
                return
            del self._places[key]
            place.model = None
        _free()

    def _make_room(self, key: Hashable, need: int) -> None:
        """Drop idle models until another one fits beside those in use and those being loaded."""
        budget = int(SHARE * memory_of(best_device())) if self._budget is None else self._budget
        with self._lock:
            others = {other: place for other, place in self._places.items() if other != key}
            needs = {
                other: place.need
                for other, place in others.items()
                if place.users or place.model is not None
            }
            idle = [other for other in needs if not others[other].users]
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
        self.unwanted = False
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
