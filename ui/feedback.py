"""The row of the page on training data: consent, thumbs, a correction, and "Ask again"."""

import asyncio
import html
from collections.abc import AsyncGenerator, Callable
from functools import partial
from typing import Any

import gradio as gr

from llava_plus.errors import SetupError

from .giving import Giving
from .labels import Labels
from .lobby import Lobby
from .notices import Updates, say, tried
from .state import Visit


class Feedback:
    """Consent and opinions; hidden where the program was started without a folder for them.

    Args:
        labels: The page's words.
        lobby: Knows where they go.
    """

    def __init__(self, labels: Labels, lobby: Lobby) -> None:
        self._giving = None if lobby.collection is None else Giving(lobby.collection)
        with gr.Group(visible=self.offered, elem_id="giving") as self.box:
            self.consent = gr.Checkbox(label=labels["give"], info=labels["give_info"])
            with gr.Row(elem_classes="buttons", visible=False) as self.thumbs:
                self.up = gr.Button("👍", size="sm")
                self.down = gr.Button("👎", size="sm")
                self.again = gr.Button(labels["give_again"], size="sm")
            self.told = gr.Markdown(latex_delimiters=[], padding=True, visible=False)
            with gr.Row(elem_classes="buttons", visible=False) as self.row:
                self.better = gr.Textbox(label=labels["give_better"], max_lines=5, scale=3)
                self.save = gr.Button(labels["give_save"], size="sm", scale=1)

    @property
    def offered(self) -> bool:
        """Whether visitors are asked at all."""
        return self._giving is not None

    @property
    def parts(self) -> list[Any]:
        """What changes with the chat."""
        return [self.consent, self.thumbs, self.told, self.row, self.better]

    @property
    def named(self) -> list[Any]:
        """What has words of its own."""
        return [self.consent, self.better, self.save, self.again]

    def words(self, labels: Labels) -> Updates:
        """Return what is written here."""
        return {
            self.consent: gr.Checkbox(label=labels["give"], info=labels["give_info"]),
            self.better: gr.Textbox(label=labels["give_better"]),
            self.save: gr.Button(labels["give_save"]),
            self.again: gr.Button(labels["give_again"]),
        }

    def updates(self, visit: Visit) -> Updates:
        """Keep what is new, and show how things stand."""
        if (giving := self._giving) is None:
            return {}
        tried(giving.keep, visit)
        given, last = giving.given(visit), giving.opinion(visit)
        told = "" if last is None else _told(last.turn, last.liked, last.better, visit.labels)
        disliked = last is not None and not last.liked
        answered = visit.last_request is not None and not visit.running
        return {
            self.consent: given,
            self.told: gr.Markdown(told, visible=bool(told)),
            self.row: gr.Row(visible=given and disliked),
            self.better: "" if last is None else last.better,
            self.thumbs: gr.Row(visible=given and answered),
        }

    def wire(
        self,
        visit: gr.State,
        sending: list[Any],
        follow: Callable[[Visit], AsyncGenerator[Updates]],
        **quiet: Any,
    ) -> None:
        """Connect the parts.

        Args:
            visit: Holds the `Visit`.
            sending: All that changes while a request runs.
            follow: Shows what runs, to its end.
            quiet: How events are to be handled.
        """
        if not self.offered:
            return

        async def again(visit: Visit) -> AsyncGenerator[Updates]:
            await self.ask_again(visit)
            async for updates in follow(visit):
                yield updates

        parts = self.parts
        self.consent.input(self._consented, [visit, self.consent], parts, **quiet)
        for button, liked in ((self.up, True), (self.down, False)):
            button.click(partial(self._judged, liked=liked), visit, parts, **quiet)
        self.save.click(self._corrected, [visit, self.better], parts, **quiet)
        self.again.click(again, visit, sending, **quiet)

    async def ask_again(self, visit: Visit) -> None:
        """Begin the last request once more, in a chat that is given as this one is."""
        if (giving := self._giving) is None or not giving.given(visit):
            return
        try:
            request = await asyncio.to_thread(visit.again)
        except SetupError as error:
            say(error)
            return
        visit.begin(request)
        tried(giving.consent, visit, True)

    def _consented(self, visit: Visit, given: bool) -> Updates:
        if (giving := self._giving) is not None:
            tried(giving.consent, visit, bool(given))
        return self.updates(visit)

    def _judged(self, visit: Visit, *, liked: bool) -> Updates:
        giving, turn = self._giving, visit.last_request
        if giving is not None and turn is not None:
            tried(giving.judge, visit, turn, liked)
        return self.updates(visit)

    def _corrected(self, visit: Visit, better: str) -> Updates:
        if (giving := self._giving) is not None:
            tried(giving.correct, visit, better or "")
        return self.updates(visit)


def _told(turn: int, liked: bool, better: str, labels: Labels) -> str:
    """Say what was noted last."""
    sign = "👍" if liked else "👎"
    noted = labels["give_noted"].format(turn=turn, sign=sign)
    return f"{html.escape(noted)} {html.escape(labels['give_corrected']) if better else ''}".strip()
