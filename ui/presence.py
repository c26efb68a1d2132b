"""Whether a page is there: it says so every two seconds, and hears what happened without it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any
from weakref import WeakValueDictionary

import gradio as gr

from llava_plus.errors import SetupError

from .labels import LANGUAGES, language_of
from .notices import Updates
from .state import Visit

BEAT = 2.0  # seconds


class Presence:
    """Keeps a page's chat for it while it is there, and gives the chat free when it is not."""

    def __init__(self) -> None:
        self.clock = gr.Timer(BEAT)
        self.gone = gr.Markdown(visible=False, elem_id="gone")
        self._visits: WeakValueDictionary[str, Visit] = WeakValueDictionary()

    def note(self, request: gr.Request, visit: Visit) -> None:
        """Know from now on whose page it is."""
        self._visits[request.session_hash or ""] = visit

    def left(self, request: gr.Request) -> None:
        """Give the chat of a page free that was closed, reloaded, or cut off."""
        if (visit := self._visits.get(request.session_hash or "")) is not None:
            visit.rest()

    def wire(
        self,
        blocks: gr.Blocks,
        known: list[Any],
        changing: list[Any],
        glance: Callable[[Visit], Awaitable[Updates]],
        **quiet: Any,
    ) -> None:
        """Connect the clock and the end of the page.

        Args:
            blocks: The page.
            known: Where the `Visit` and the id of the chat are that the page shows.
            changing: All that may have changed without the page.
            glance: Returns what has.
            quiet: How events are to be handled.
        """

        async def beat(visit: Visit | None, place: str, request: gr.Request) -> Updates:
            if visit is None:
                return self.lost(request) if place else {self.gone: gr.skip()}
            with suppress(SetupError):  # it is said to who acts on the chat
                await asyncio.to_thread(visit.stay)
            return await glance(visit)

        outputs = [*changing, self.gone, self.clock]
        quiet |= {"queue": False, "show_progress_on": self.gone}  # nothing else is to blink
        self.clock.tick(beat, known, outputs, **quiet)
        blocks.unload(self.left)

    def lost(self, request: gr.Request) -> Updates:
        """Say on a page that the server has forgotten what to do about it, and ask no more."""
        labels = LANGUAGES[language_of(request.headers.get("accept-language", ""))]
        shown = gr.Markdown(labels["page_lost"], visible=True)
        return {self.gone: shown, self.clock: gr.Timer(active=False)}


def forget(visit: Visit | None) -> None:
    """Delete what a page had that has been away for an hour."""
    if visit is not None:
        visit.close()
