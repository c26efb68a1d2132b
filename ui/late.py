"""A planner that loads while the page is open already."""

import logging
import threading
from collections.abc import AsyncIterator, Callable

from llava_plus.agent import Decision, Planner, PlanView
from llava_plus.errors import LlavaPlusError, SetupError

from .labels import Labels

log = logging.getLogger(__name__)


class LatePlanner:
    """Stands in for a planner until a thread of its own has loaded it.

    Args:
        load: Makes the planner; a `SetupError` from it is kept for the person to read.
        name: What the planner is called until it is there.
    """

    def __init__(self, load: Callable[[], Planner], *, name: str) -> None:
        self._load = load
        self._name = name
        self._planner: Planner | None = None
        self._thread = threading.Thread(target=self._work, name="planner-loader", daemon=True)
        self._starting = threading.Lock()
        self.problem = ""  # why it could not be loaded
        self.loaded = threading.Event()  # set when it is there, or never will be

    @property
    def name(self) -> str:
        return self._name if self._planner is None else self._planner.name

    def start(self) -> "LatePlanner":
        """Begin to load, if that has not begun, and return at once."""
        with self._starting:
            if self._thread.ident is None:
                self._thread.start()
        return self

    def plan(self, view: PlanView) -> AsyncIterator[str | Decision]:
        """Plan with what was loaded; before that a `SetupError` says how things stand."""
        if self._planner is None:
            raise SetupError(self.problem or f"The planner {self._name} is still loading.")
        return self._planner.plan(view)

    def _work(self) -> None:
        try:
            self._planner = self._load()
        except LlavaPlusError as error:
            self.problem = str(error)
        except Exception as error:  # the page has to say so, whatever it was
            log.error("cannot load the planner", exc_info=error)
            self.problem = f"Loading {self._name} broke: {type(error).__name__}: {error}."
        finally:
            self.loaded.set()


def is_ready(planner: Planner) -> bool:
    """Say whether a planner can plan by now."""
    return not _is_pending(planner) and not getattr(planner, "problem", "")


def told(planner: Planner, labels: Labels) -> str:
    """Return a sentence on a planner."""
    if problem := getattr(planner, "problem", ""):
        return labels["no_planner"].format(problem=problem)
    if _is_pending(planner):
        return labels["planner_loading"]
    return labels["planner_ready"].format(name=planner.name)


def _is_pending(planner: Planner) -> bool:
    loaded: threading.Event | None = getattr(planner, "loaded", None)
    return loaded is not None and not loaded.is_set()
