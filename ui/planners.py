"""The list of planners that the page offers, where there is more than one."""

import html
from collections.abc import Sequence
from typing import Any

import gradio as gr

from llava_plus.errors import SetupError

from .labels import Labels
from .notices import Updates, tried
from .state import Visit


class Planners:
    """Shows which planner the chat has, and gives it another.

    Args:
        labels: What is written here.
        names: Of the planners that were named where the program started.
    """

    def __init__(self, labels: Labels, names: Sequence[str]) -> None:
        self.list = gr.Dropdown(
            list(names), label=labels["planner"], visible=len(names) > 1, elem_id="planner"
        )

    def wire(self, visit: gr.State, status: gr.Markdown, **quiet: Any) -> None:
        """Connect the list; the sentence on the planner stands in ``status``."""

        def choose(visit: Visit, name: str) -> Updates:
            tried(plan_with, visit, name)
            return {status: html.escape(visit.planner_state()), **self.updates(visit)}

        self.list.input(choose, [visit, self.list], [status, self.list], **quiet)

    def updates(self, visit: Visit) -> Updates:
        """Show the planner that the chat has now."""
        return {self.list: gr.Dropdown(value=planner_of(visit))}

    def words(self, visit: Visit) -> Updates:
        """Return what is written here."""
        return {self.list: gr.Dropdown(value=planner_of(visit), label=visit.labels["planner"])}


def planner_of(visit: Visit) -> str | None:
    """Return the name of the planner that the chat has; None where no choice is offered."""
    offered = visit.lobby.planners.items()
    return next((name for name, one in offered if one is visit.session.planner), None)


def plan_with(visit: Visit, name: str) -> None:
    """Give the chat another planner, from the next request on; it loads now if it has not."""
    if (planner := visit.lobby.planners.get(name)) is None:
        raise SetupError(f"The page offers no planner {name!r}. Choose one of its list.")
    visit.stay()
    planner.start()
    visit.session.planner = planner
