"""The rows of the page in which a person is asked: about a call, and about a broken-off request."""

from collections.abc import Callable
from typing import Any

import gradio as gr

from .labels import Labels
from .notices import Updates, tried
from .render import plain, render_asked
from .state import Visit


class Asking:
    """Allow or refuse a call that waits; go on with a request that was broken off, or end it.

    Args:
        labels: The page's words.
    """

    def __init__(self, labels: Labels) -> None:
        with gr.Group(visible=False, elem_id="asking") as self.box:
            self.call = gr.Markdown(latex_delimiters=[], padding=True)
            self.id = gr.Textbox(visible=False)  # of the call that the browser shows
            self.reason = gr.Textbox(label=labels["refuse_reason"], max_lines=3, max_length=1000)
            with gr.Row(elem_classes="buttons"):
                self.allow = gr.Button(labels["allow"], variant="primary")
                self.refuse = gr.Button(labels["refuse"], variant="stop")
        with gr.Group(visible=False, elem_id="broken-off") as self.broken:
            self.told = gr.Markdown(plain(labels["broken_off"]), padding=True)
            with gr.Row(elem_classes="buttons"):
                self.resume = gr.Button(labels["resume"], variant="primary")
                self.give_up = gr.Button(labels["give_up"])

    @property
    def parts(self) -> list[Any]:
        """What changes while a request runs."""
        return [self.box, self.call, self.id, self.reason, self.broken]

    @property
    def named(self) -> list[Any]:
        """What has words of its own."""
        return [self.reason, self.allow, self.refuse, self.told, self.resume, self.give_up]

    def updates(self, visit: Visit) -> Updates:
        """Show the call that waits, if one does, with an empty reason."""
        visit.asked = call = visit.conversation.asking
        return {
            self.box: gr.Group(visible=call is not None),
            self.call: "" if call is None else render_asked(call, visit.labels),
            self.id: "" if call is None else call.id,
            self.reason: "",
            self.broken: gr.Group(visible=visit.interrupted),
        }

    def renewed(self, visit: Visit) -> Updates:
        """Show what is new; a reason that somebody is writing stays."""
        if visit.conversation.asking is not visit.asked:
            return self.updates(visit)
        return {self.broken: gr.Group(visible=visit.interrupted)}

    def words(self, labels: Labels) -> Updates:
        """Return what is written here."""
        return {
            self.reason: gr.Textbox(label=labels["refuse_reason"]),
            self.allow: gr.Button(labels["allow"]),
            self.refuse: gr.Button(labels["refuse"]),
            self.told: plain(labels["broken_off"]),
            self.resume: gr.Button(labels["resume"]),
            self.give_up: gr.Button(labels["give_up"]),
        }

    def wire(
        self,
        visit: gr.State,
        sending: list[Any],
        after: Callable[[Visit], Updates],
        resume: Callable[..., Any],
        **quiet: Any,
    ) -> list[Any]:
        """Connect the buttons; return what happens when a request goes on or is given up.

        Args:
            visit: Holds the `Visit`.
            sending: All that changes while a request runs.
            after: Returns how that stands.
            resume: Goes on with a request and shows it.
            quiet: How events are to be handled.
        """

        def give_up(visit: Visit) -> Updates:
            tried(visit.give_up)
            return after(visit)

        self.allow.click(_allow, [visit, self.id], None, **quiet)
        self.refuse.click(_refuse, [visit, self.id, self.reason], None, **quiet)
        return [
            self.resume.click(resume, visit, sending, **quiet),
            self.give_up.click(give_up, visit, sending, **quiet),
        ]


def _allow(visit: Visit, call_id: str) -> None:
    tried(visit.conversation.answer, call_id, True, "")


def _refuse(visit: Visit, call_id: str, why: str) -> None:
    tried(visit.conversation.answer, call_id, False, why.strip())
