"""The page: components and what is connected to what. All that it shows is made in state.py."""

import asyncio
import html
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any, TypedDict

import gradio as gr
from gradio import processing_utils, utils

from llava_plus.agent import Agent
from llava_plus.errors import LlavaPlusError, SetupError

from .examples import EXAMPLES
from .labels import ENGLISH, LANGUAGES, Labels, language_of
from .render import render_help
from .state import Visit, empty_panel

ASSETS = Path(__file__).parent / "assets"
SKIP: Any = gr.skip()
Updates = dict[Any, Any]


class Message(TypedDict):
    """What the message box holds."""

    text: str
    files: list[str]


EMPTY: Message = {"text": "", "files": []}


class Page:
    """Builds the page and wires it; each visitor gets a `Visit` of their own.

    Args:
        make_agent: Makes an agent for each chat.
    """

    def __init__(self, make_agent: Callable[[], Agent]) -> None:
        self.make_agent = make_agent
        _fetch_nothing()
        with gr.Blocks(title="LLaVA-Plus", delete_cache=(3600, 86400)) as self.blocks:
            self.visit = gr.State(None, delete_callback=_leave)
            self._build(ENGLISH)
            self._wire()
        self.blocks.queue(default_concurrency_limit=None, api_open=False)

    def _build(self, labels: Labels) -> None:
        with gr.Row(elem_id="head"):
            self.about = gr.Markdown(_about(labels))
            self.language = gr.Radio(list(LANGUAGES), value="English", label=labels["language"])
        with gr.Row():
            with gr.Column(scale=3, min_width=340):
                self._build_chat(labels)
            with gr.Column(scale=2, min_width=320):
                self._build_desk(labels)

    def _build_chat(self, labels: Labels) -> None:
        self.chat = gr.Chatbot(
            height="56vh", latex_delimiters=[], buttons=[], elem_id="chat", **_chat_words(labels)
        )
        self.message = gr.MultimodalTextbox(
            file_types=["image"],
            file_count="multiple",
            interactive=False,
            max_plain_text_length=100_000,
            elem_id="message",
            **_message_words(labels),
        )
        with gr.Row(elem_classes="buttons"):
            self.stop = gr.Button(labels["stop"], variant="stop", interactive=False)
            self.new_chat = gr.Button(labels["new_chat"])
            self.trace = gr.DownloadButton(labels["download_trace"], interactive=False)
        self.status = gr.Markdown(elem_id="status")
        self.clock = gr.Timer(2)

    def _build_desk(self, labels: Labels) -> None:
        self.title = gr.Markdown(f"### {labels['pointing']}")
        self.pointer = gr.HTML(
            empty_panel(labels),
            html_template=(ASSETS / "pointer.html").read_text(encoding="utf-8"),
            css_template=(ASSETS / "pointer.css").read_text(encoding="utf-8"),
            js_on_load=(ASSETS / "pointer.js").read_text(encoding="utf-8"),
            elem_id="pointer",
            mode="point",
            aria=labels["pointing"],
        )
        with gr.Row(elem_classes="buttons"):
            self.mode = gr.Radio(_modes(labels), value="point", label=labels["mode"])
            self.clear = gr.Button(labels["clear_marks"], size="sm")
        self.gallery = gr.Gallery(
            label=labels["gallery"],
            columns=4,
            height=190,
            allow_preview=False,
            buttons=[],
            elem_id="gallery",
        )
        self.picture = gr.DownloadButton(labels["download_picture"], interactive=False)
        with gr.Accordion(labels["skills"], open=False) as self.accordion:
            self.skills = gr.Markdown()

    def _wire(self) -> None:
        """Connect events with handlers; nothing here is open to programs from outside."""
        visit, message = self.visit, self.message
        desk = [self.pointer, self.gallery, self.picture]
        sending = [self.chat, message, self.stop, self.trace, *desk]
        quiet: Any = {"api_visibility": "private", "show_progress": "hidden"}
        words = [
            *(self.about, self.language, self.chat, message, self.stop, self.new_chat),
            *(self.trace, self.status, self.title, self.pointer, self.mode, self.clear),
            *(self.gallery, self.picture, self.accordion, self.skills),
        ]
        self.blocks.load(self._open, None, [visit, *words], **quiet)
        self.language.input(self._speak, [visit, self.language], words, **quiet)
        message.submit(self._send, [visit, message], sending, **quiet)
        message.change(
            self._attach, [visit, message], [message, *desk], trigger_mode="always_last", **quiet
        )
        self.chat.example_select(self._example, visit, message, **quiet)
        self.stop.click(_stop, visit, None, queue=False, **quiet)
        for event in (self.new_chat.click, self.chat.clear):
            event(self._renew, visit, sending, **quiet)
        self.pointer.mark(self._mark, visit, desk, **quiet)
        self.clear.click(self._clear, visit, desk, **quiet)
        self.gallery.select(self._choose, visit, desk, **quiet)
        self.mode.change(_mode, self.mode, self.pointer, **quiet)
        self.clock.tick(self._watch, visit, [self.status, self.clock], **quiet)

    def _open(self, request: gr.Request) -> Updates:
        """Begin a visit, in the browser's language."""
        language = language_of(request.headers.get("accept-language", ""))
        visit = Visit(self.make_agent, Path(utils.get_upload_folder()), language=language)
        return {self.visit: visit, **self._words(visit)}

    def _speak(self, visit: Visit, language: str) -> Updates:
        visit.language = language if language in LANGUAGES else "English"
        return self._words(visit)

    async def _send(self, visit: Visit, message: Message) -> AsyncGenerator[Updates]:
        """Carry a message out; what cannot be carried out stays in the box."""
        text, files = message["text"] or "", message["files"] or []
        try:
            request = await asyncio.to_thread(visit.prepare, text, files)
        except SetupError as error:
            _say(error)
            left: Message = {"text": text, "files": list(visit.desk.unsent)}
            yield {self.message: left, **self._desk(visit)}
            return
        yield {self.message: EMPTY, self.stop: gr.Button(interactive=True), **self._desk(visit)}
        try:
            async for chat in visit.play(request):
                yield {self.chat: chat}
        except LlavaPlusError as error:
            _say(error)
        yield self._after(visit)

    def _after(self, visit: Visit) -> Updates:
        trace = visit.trace_file()
        return {
            self.chat: visit.chat,
            self.stop: gr.Button(interactive=False),
            self.trace: gr.DownloadButton(value=trace, interactive=trace is not None),
            **self._desk(visit),
        }

    async def _attach(self, visit: Visit, message: Message) -> Updates:
        """Show the pictures of the message box as soon as they are there."""
        files = message["files"] or []
        if visit is None or tuple(files) == visit.desk.unsent:
            return {self.pointer: SKIP}
        problems = await asyncio.to_thread(visit.desk.attach, files)
        for problem in problems:
            _say(problem)
        left: Message = {"text": message["text"], "files": list(visit.desk.unsent)}
        return {**self._desk(visit), **({self.message: left} if problems else {})}

    def _example(self, visit: Visit, chosen: gr.SelectData) -> Message:
        example = EXAMPLES[chosen.index]
        return {"text": example.text, "files": [example.path]}

    def _renew(self, visit: Visit) -> Updates:
        visit.new_chat()
        return {self.message: EMPTY, **self._after(visit)}

    def _mark(self, visit: Visit, event: gr.EventData) -> Updates:
        try:
            visit.desk.mark(event._data.get("at"))
        except SetupError as error:
            _say(error)
        return self._desk(visit)

    def _clear(self, visit: Visit) -> Updates:
        visit.desk.marks = ()
        return self._desk(visit)

    def _choose(self, visit: Visit, chosen: gr.SelectData) -> Updates:
        visit.desk.choose(chosen.index)
        return self._desk(visit)

    def _watch(self, visit: Visit) -> Updates:
        """Say when the planner has loaded, then look no more."""
        if visit is None or visit.planner_pending:
            return {self.status: SKIP}
        return {self.status: html.escape(visit.planner_state()), self.clock: gr.Timer(active=False)}

    def _desk(self, visit: Visit) -> Updates:
        file = visit.picture_file()
        return {
            self.pointer: visit.panel(),
            self.gallery: visit.gallery(),
            self.picture: gr.DownloadButton(value=file, interactive=file is not None),
        }

    def _words(self, visit: Visit) -> Updates:
        """Return everything that is written on the page, in the visitor's language."""
        labels = visit.labels
        catalog = render_help(visit.agent.skills, labels)["content"][0]
        return {
            self.about: _about(labels),
            self.language: gr.Radio(value=visit.language, label=labels["language"]),
            self.chat: gr.Chatbot(**_chat_words(labels, visit.language)),
            self.message: gr.MultimodalTextbox(interactive=True, **_message_words(labels)),
            self.stop: gr.Button(labels["stop"]),
            self.new_chat: gr.Button(labels["new_chat"]),
            self.trace: gr.DownloadButton(labels["download_trace"]),
            self.status: html.escape(visit.planner_state()),
            self.title: f"### {labels['pointing']}",
            self.pointer: gr.HTML(value=visit.panel(), aria=labels["pointing"]),
            self.mode: gr.Radio(_modes(labels), label=labels["mode"]),
            self.clear: gr.Button(labels["clear_marks"]),
            self.gallery: gr.Gallery(label=labels["gallery"]),
            self.picture: gr.DownloadButton(labels["download_picture"]),
            self.accordion: gr.Accordion(labels["skills"]),
            self.skills: catalog,
        }


def build_app(make_agent: Callable[[], Agent]) -> gr.Blocks:
    """Return the page.

    Args:
        make_agent: Makes an agent for each chat; the planner may be one for all.
    """
    blocks: gr.Blocks = Page(make_agent).blocks
    return blocks


def _about(labels: Labels) -> str:
    return f"# LLaVA-Plus\n{labels['about']}"


def _modes(labels: Labels) -> list[tuple[str, str]]:
    return [(labels["point"], "point"), (labels["box"], "box")]


def _chat_words(labels: Labels, language: str = "English") -> dict[str, Any]:
    examples = [
        {
            "text": example.text,
            "display_text": example.shown(language),
            "icon": example.path,
            "files": [example.path],
        }
        for example in EXAMPLES
    ]
    return {"label": labels["chat"], "placeholder": labels["examples"], "examples": examples}


def _message_words(labels: Labels) -> dict[str, Any]:
    return {"label": labels["message"], "placeholder": labels["message_hint"]}


def _say(problem: object) -> None:
    """Show a sentence in a corner of the page; nothing in it is taken for HTML."""
    gr.Warning(html.escape(str(problem)), title="LLaVA-Plus")


def _mode(mode: str) -> Any:
    return gr.HTML(mode=mode)


def _stop(visit: Visit) -> None:
    visit.stop()


def _leave(visit: Visit | None) -> None:
    if visit is not None:
        visit.close()


def _fetch_nothing() -> None:
    """Keep gradio from downloading an address that a visitor gives in place of an upload."""

    async def refuse(url: str, *_: Any, **__: Any) -> str:
        raise gr.Error(f"Addresses are not fetched: {html.escape(url[:80])}")

    processing_utils.async_ssrf_protected_download = refuse
