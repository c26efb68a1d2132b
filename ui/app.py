"""The page: components and what is connected to what. All that it shows is made in state.py."""

import asyncio
import html
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, TypedDict

import gradio as gr
from gradio import processing_utils, utils

from llava_plus.errors import LlavaPlusError, SetupError

from .asking import Asking
from .examples import EXAMPLES
from .feedback import Feedback
from .labels import ENGLISH, LANGUAGES, Labels, language_of
from .lobby import Lobby
from .notices import Updates, say, tried
from .pictured import Pictured
from .planners import Planners
from .presence import Presence, forget
from .render import render_help
from .shelf import Shelf
from .state import Visit
from .words import about, chat_words, message_words

ASSETS = Path(__file__).parent / "assets"
REMEMBERED = (ASSETS / "memory.js").read_text(encoding="utf-8")
REMEMBER = '(id) => { try { sessionStorage.setItem("llava-plus-chat", id); } catch {} }'
SKIP: Any = gr.skip()


class Message(TypedDict):
    """What the message box holds."""

    text: str
    files: list[str]


EMPTY: Message = {"text": "", "files": []}


class Page:
    """Builds the page and wires it; each visitor gets a `Visit` of their own.

    Args:
        lobby: Where visitors find their conversations.
    """

    def __init__(self, lobby: Lobby) -> None:
        self.lobby = lobby
        _fetch_nothing()
        with gr.Blocks(title="LLaVA-Plus", delete_cache=(3600, 86400)) as self.blocks:
            self.visit = gr.State(None, delete_callback=forget)
            self.key = gr.Textbox(visible="hidden")  # the secret of the visitor's browser
            self.place = gr.Textbox(visible="hidden")  # the chat that the tab shows
            self._build(ENGLISH)
            self._wire()
        self.blocks.queue(default_concurrency_limit=None, api_open=False)

    def _build(self, labels: Labels) -> None:
        with gr.Row(elem_id="head"):
            self.about = gr.Markdown(about(labels))
            self.language = gr.Radio(list(LANGUAGES), value="English", label=labels["language"])
        with gr.Row():
            with gr.Column(scale=3, min_width=340):
                self._build_chat(labels)
            with gr.Column(scale=2, min_width=320):
                self._build_desk(labels)

    def _build_chat(self, labels: Labels) -> None:
        self.chat = gr.Chatbot(
            height="56vh", latex_delimiters=[], buttons=[], elem_id="chat", **chat_words(labels)
        )
        self.asking = Asking(labels)
        self.message = gr.MultimodalTextbox(
            file_types=["image"],
            file_count="multiple",
            interactive=False,
            max_plain_text_length=100_000,
            elem_id="message",
            **message_words(labels),
        )
        with gr.Row(elem_classes="buttons"):
            self.stop = gr.Button(labels["stop"], variant="stop", interactive=False)
            self.new_chat = gr.Button(labels["new_chat"])
            self.trace = gr.DownloadButton(labels["download_trace"], interactive=False)
        self.feedback = Feedback(labels, self.lobby)
        self.planners = Planners(labels, list(self.lobby.planners))
        self.status = gr.Markdown(elem_id="status")
        self.presence = Presence()

    def _build_desk(self, labels: Labels) -> None:
        self.shelf = Shelf(labels, kept=self.lobby.store is not None)
        self.pictured = Pictured(labels)
        with gr.Accordion(labels["skills"], open=False) as self.accordion:
            self.skills = gr.Markdown()

    def _wire(self) -> None:
        """Connect events with handlers; nothing here is open to programs from outside."""
        visit, message = self.visit, self.message
        desk = self.pictured.parts
        sending = [self.chat, message, self.stop, self.trace, self.place, *desk]
        sending += [*self.asking.parts, self.planners.list, *self.feedback.parts]
        quiet: Any = {"api_visibility": "private", "show_progress": "hidden"}
        words = [
            *(self.about, self.language, self.chat, message, self.stop, self.new_chat),
            *(self.trace, self.planners.list, self.status, self.accordion, self.skills),
            *(*self.pictured.named, *self.asking.named),
            *(*self.shelf.named, *self.feedback.named),
        ]
        known = [self.key, self.place]
        opened = self.blocks.load(self._open, known, [visit, *words], js=REMEMBERED, **quiet)
        opened.then(self._follow, visit, sending, **quiet)
        self.place.change(None, self.place, None, js=REMEMBER, **quiet)
        spoken = self.language.input(self._speak, [visit, self.language], words, **quiet)
        # Two events: the first is over at once, so that a second message is answered meanwhile.
        sent = message.submit(self._send, [visit, message], sending, **quiet)
        sent = sent.then(self._follow, visit, sending, trigger_mode="always_last", **quiet)
        message.change(
            self._attach, [visit, message], [message, *desk], trigger_mode="always_last", **quiet
        )
        self.chat.example_select(self._example, visit, message, **quiet)
        self.stop.click(Visit.stop, visit, None, queue=False, **quiet)
        new = [
            on(self._renew, visit, sending, **quiet)
            for on in (self.new_chat.click, self.chat.clear)
        ]
        went_on = self.asking.wire(visit, sending, self._after, self._resume, **quiet)
        for event in (spoken, sent, *new, *went_on):
            event.then(self.shelf.refreshed, visit, [self.shelf.none, self.shelf.list], **quiet)
        self.feedback.wire(visit, sending, self._follow, **quiet)
        self.pictured.wire(visit, **quiet)
        self.planners.wire(visit, self.status, **quiet)
        ticked = [*sending, self.status, self.shelf.none, self.shelf.list]
        self.presence.wire(self.blocks, [visit, self.place], ticked, self._glance, **quiet)
        opened = self.shelf.wire(visit, sending, self._after, **quiet)
        opened.then(self._follow, visit, sending, **quiet)

    def _open(self, key: str, place: str, request: gr.Request) -> Updates:
        """Begin a visit, in the browser's language; a tab that was reloaded finds its chat."""
        language = language_of(request.headers.get("accept-language", ""))
        inbox = Path(utils.get_upload_folder())
        visit = Visit(self.lobby, inbox, key=key or "", language=language)
        if place and self.lobby.has(visit.owner, place):
            tried(visit.open, place)
        self.presence.note(request, visit)
        return {self.visit: visit, **self._words(visit)}

    def _speak(self, visit: Visit, language: str) -> Updates:
        visit.language = language if language in LANGUAGES else "English"
        return self._words(visit)

    async def _send(self, visit: Visit, message: Message) -> Updates:
        """Begin to carry a message out; what cannot be carried out stays in the box."""
        text, files = message["text"] or "", message["files"] or []
        try:
            request = await asyncio.to_thread(visit.prepare, text, files)
        except SetupError as error:
            say(error)
            left: Message = {"text": text, "files": list(visit.desk.unsent)}
            return {self.message: left, **self.pictured.updates(visit)}
        visit.begin(request)
        return {self.message: EMPTY, **self.pictured.updates(visit)}

    async def _follow(self, visit: Visit) -> AsyncGenerator[Updates]:
        """Show what runs, to its end; it runs on where nobody looks."""
        if visit.running:
            yield {self.stop: gr.Button(interactive=True), self.place: visit.session.id}
        try:
            async for chat in visit.follow():
                yield {self.chat: chat, **self.asking.renewed(visit)}
        except LlavaPlusError as error:
            say(error)
        yield await asyncio.to_thread(self._after, visit)

    async def _resume(self, visit: Visit) -> AsyncGenerator[Updates]:
        """Go on with the request that was broken off."""
        tried(visit.resume)
        async for updates in self._follow(visit):
            yield updates

    def _after(self, visit: Visit) -> Updates:
        trace = visit.trace_file()
        return {
            self.chat: visit.shown(),
            self.stop: gr.Button(interactive=visit.running),
            self.trace: gr.DownloadButton(value=trace, interactive=trace is not None),
            self.place: visit.session.id,
            **self.asking.updates(visit),
            **self.planners.updates(visit),
            **self.feedback.updates(visit),
            **self.pictured.updates(visit),
        }

    async def _attach(self, visit: Visit, message: Message) -> Updates:
        """Show the pictures of the message box as soon as they are there."""
        files = message["files"] or []
        if visit is None or tuple(files) == visit.desk.given:  # browsers tell it twice
            return {self.pictured.pointer: SKIP}
        problems = await asyncio.to_thread(visit.desk.attach, files)
        for problem in problems:
            say(problem)
        left: Message = {"text": message["text"], "files": list(visit.desk.unsent)}
        return {**self.pictured.updates(visit), **({self.message: left} if problems else {})}

    def _example(self, visit: Visit, chosen: gr.SelectData) -> Message:
        example = EXAMPLES[chosen.index]
        return {"text": example.text, "files": [example.path]}

    def _renew(self, visit: Visit) -> Updates:
        visit.new_chat()
        return {self.message: EMPTY, **self._after(visit)}

    async def _glance(self, visit: Visit) -> Updates:
        """Return what has happened without this page: to the planner, or by another page."""
        updates: Updates = {self.status: html.escape(visit.planner_state())}
        if visit.behind and (chat := await visit.glance()) is not None:
            updates |= {self.chat: chat, self.stop: gr.Button(interactive=True)}
            rest = self.asking.renewed if visit.running else self._after
            updates |= await asyncio.to_thread(rest, visit)
        if visit.listing not in (None, visit.lobby.state(visit.owner)):
            updates |= await asyncio.to_thread(self.shelf.refreshed, visit)
        return updates

    def _words(self, visit: Visit) -> Updates:
        """Return everything that is written on the page, in the visitor's language."""
        labels = visit.labels
        catalog = render_help(visit.agent.skills, labels)["content"][0]
        return {
            self.about: about(labels),
            self.language: gr.Radio(value=visit.language, label=labels["language"]),
            self.chat: gr.Chatbot(**chat_words(labels, visit.language)),
            self.message: gr.MultimodalTextbox(interactive=True, **message_words(labels)),
            self.stop: gr.Button(labels["stop"]),
            self.new_chat: gr.Button(labels["new_chat"]),
            self.trace: gr.DownloadButton(labels["download_trace"]),
            self.status: html.escape(visit.planner_state()),
            self.accordion: gr.Accordion(labels["skills"]),
            self.skills: catalog,
            **self.pictured.words(visit),
            **self.asking.words(labels),
            **self.planners.words(visit),
            **self.shelf.words(labels),
            **self.feedback.words(labels),
        }


def build_app(lobby: Lobby) -> gr.Blocks:
    """Return the page.

    Args:
        lobby: Where visitors find their conversations; the planner may be one for all.
    """
    blocks: gr.Blocks = Page(lobby).blocks
    return blocks


def _fetch_nothing() -> None:
    """Keep gradio from downloading an address that a visitor gives in place of an upload."""

    async def refuse(url: str, *_: Any, **__: Any) -> str:
        raise gr.Error(f"Addresses are not fetched: {html.escape(url[:80])}")

    processing_utils.async_ssrf_protected_download = refuse
