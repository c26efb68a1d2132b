"""The row of the page on training data: consent, thumbs, a correction, and "Ask again"."""

import html
from collections.abc import AsyncGenerator, Callable
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
        self._collection = lobby.collection
        with gr.Group(visible=self.offered, elem_id="giving") as self.box:
            self.consent = gr.Checkbox(label=labels["give"], info=labels["give_info"])
            self.told = gr.Markdown(latex_delimiters=[], padding=True, visible=False)
            with gr.Row(elem_classes="buttons", visible=False) as self.row:
                self.better = gr.Textbox(label=labels["give_better"], max_lines=5, scale=3)
                self.save = gr.Button(labels["give_save"], size="sm", scale=1)
            self.again = gr.Button(labels["give_again"], size="sm", visible=False)

    @property
    def offered(self) -> bool:
        """Whether visitors are asked at all."""
        return self._collection is not None

    @property
    def parts(self) -> list[Any]:
        """What changes with the chat."""
        return [self.consent, self.told, self.row, self.better, self.again]

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
        if (giving := self._giving(visit)) is None:
            return {}
        tried(giving.keep, visit)
        given, last = giving.given(visit), giving.opinion(visit)
        told = "" if last is None else _told(last.turn, last.liked, last.better, visit.labels)
        disliked = last is not None and not last.liked
        answered = bool(visit.session.trace.turns) and not visit.running
        return {
            self.consent: given,
            self.told: gr.Markdown(told, visible=bool(told)),
            self.row: gr.Row(visible=given and disliked),
            self.better: "" if last is None else last.better,
            self.again: gr.Button(visible=given and answered),
        }

    def wire(
        self,
        visit: gr.State,
        chat: gr.Chatbot,
        sending: list[Any],
        follow: Callable[[Visit], AsyncGenerator[Updates]],
        **quiet: Any,
    ) -> None:
        """Connect the parts.

        Args:
            visit: Holds the `Visit`.
            chat: Gets thumbs, if visitors are asked.
            sending: All that changes while a request runs.
            follow: Shows what runs, to its end.
            quiet: How events are to be handled.
        """
        if not self.offered:
            return

        async def again(visit: Visit) -> AsyncGenerator[Updates]:
            giving = self._giving(visit)
            assert giving is not None
            if not giving.given(visit):
                return
            try:
                request = visit.again()
            except SetupError as error:
                say(error)
                return
            giving.carry_on(visit)
            visit.begin(request)
            async for updates in follow(visit):
                yield updates

        parts = self.parts
        self.consent.input(self._consented, [visit, self.consent], parts, **quiet)
        chat.like(self._judged, visit, parts, **quiet)
        self.save.click(self._corrected, [visit, self.better], parts, **quiet)
        self.again.click(again, visit, sending, **quiet)

    def _giving(self, visit: Visit) -> Giving | None:
        """Return what belongs to the visitor."""
        if self._collection is None:
            return None
        if visit.giving is None:
            visit.giving = Giving(self._collection)
        giving: Giving = visit.giving
        return giving

    def _consented(self, visit: Visit, given: bool) -> Updates:
        if (giving := self._giving(visit)) is not None:
            tried(giving.consent, visit, bool(given))
        return self.updates(visit)

    def _judged(self, visit: Visit, event: gr.LikeData) -> Updates:
        giving, place = self._giving(visit), event.index
        turn = visit.turn_at(place if isinstance(place, int) else place[0])
        if giving is not None and turn is not None and isinstance(event.liked, bool):
            tried(giving.judge, visit, turn, event.liked)
        return self.updates(visit)

    def _corrected(self, visit: Visit, better: str) -> Updates:
        if (giving := self._giving(visit)) is not None:
            tried(giving.correct, visit, better or "")
        return self.updates(visit)


def _told(turn: int, liked: bool, better: str, labels: Labels) -> str:
    """Say what was noted last."""
    sign = "👍" if liked else "👎"
    noted = labels["give_noted"].format(turn=turn, sign=sign)
    return f"{html.escape(noted)} {html.escape(labels['give_corrected']) if better else ''}".strip()
