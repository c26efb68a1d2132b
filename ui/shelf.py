"""The list of kept chats on the page: open, rename, export, delete."""

import html
from collections.abc import Callable
from datetime import datetime
from typing import Any

import gradio as gr

from llava_plus.errors import SetupError

from .labels import Labels
from .lobby import Listed
from .notices import Updates, tried
from .render import plain
from .state import Visit

DOWNLOAD = "() => { document.querySelector('#archive').click(); }"
LONGEST_TITLE = 60


class Shelf:
    """The list, and what can be done with what is chosen in it; empty where nothing is kept.

    Args:
        labels: The page's words.
        kept: Whether sessions are kept at all.
    """

    def __init__(self, labels: Labels, *, kept: bool) -> None:
        with gr.Accordion(labels["chats"], open=False, visible=kept, elem_id="shelf") as self.box:
            self.none = gr.Markdown(plain(labels["chats_none"]))
            self.list = gr.Radio([], show_label=False, container=False, elem_id="chats")
            with gr.Row(elem_classes="buttons"):
                self.open = gr.Button(
                    labels["chat_open"], size="sm", variant="primary", min_width=80
                )
                self.export = gr.Button(labels["chat_export"], size="sm", min_width=80)
                self.delete = gr.Button(labels["chat_delete"], size="sm", min_width=80)
            with gr.Row(elem_classes="buttons"):
                self.title = gr.Textbox(label=labels["chat_title"], max_length=200, scale=3)
                self.rename = gr.Button(labels["chat_rename"], size="sm", scale=1)
            with gr.Group(visible=False, elem_id="sure") as self.sure:
                self.question = gr.Markdown(latex_delimiters=[], padding=True)
                with gr.Row(elem_classes="buttons"):
                    self.delete_now = gr.Button(labels["chat_delete_now"], variant="stop")
                    self.keep = gr.Button(labels["chat_keep"])
            self.archive = gr.DownloadButton("zip", elem_id="archive")  # page.css hides it

    @property
    def parts(self) -> list[Any]:
        """What changes with the chats."""
        return [self.none, self.list, self.title, self.sure, self.question]

    @property
    def named(self) -> list[Any]:
        """What has words of its own."""
        buttons = [self.open, self.export, self.delete, self.rename, self.delete_now, self.keep]
        return [self.box, self.none, self.title, *buttons]

    def updates(self, visit: Visit) -> Updates:
        """Read the list anew; nothing is chosen and nothing asked any more."""
        choices = _read(visit)
        return {
            self.none: gr.Markdown(visible=not choices),
            self.list: gr.Radio(choices, value=None),
            self.title: "",
            self.sure: gr.Group(visible=False),
            self.question: "",
        }

    def refreshed(self, visit: Visit) -> Updates:
        """Read the list anew where it is looked at; what is chosen in it stays chosen."""
        if visit.listing is None:
            return {self.none: gr.skip()}
        choices = _read(visit)
        return {
            self.none: gr.Markdown(visible=not choices),
            self.list: gr.Radio(choices),
        }

    def words(self, labels: Labels) -> Updates:
        """Return what is written here."""
        return {
            self.box: gr.Accordion(label=labels["chats"]),
            self.none: plain(labels["chats_none"]),
            self.open: gr.Button(labels["chat_open"]),
            self.export: gr.Button(labels["chat_export"]),
            self.delete: gr.Button(labels["chat_delete"]),
            self.title: gr.Textbox(label=labels["chat_title"]),
            self.rename: gr.Button(labels["chat_rename"]),
            self.delete_now: gr.Button(labels["chat_delete_now"]),
            self.keep: gr.Button(labels["chat_keep"]),
        }

    def wire(
        self, visit: gr.State, sending: list[Any], after: Callable[[Visit], Updates], **quiet: Any
    ) -> Any:
        """Connect the buttons; return what happens when a chat is opened.

        Args:
            visit: Holds the `Visit`.
            sending: All that changes while a request runs.
            after: Returns how that stands.
            quiet: How events are to be handled.
        """

        def move(visit: Visit, id: str | None) -> Updates:
            tried(visit.open, id or "")
            return {**after(visit), **self.updates(visit)}

        def delete(visit: Visit, id: str | None) -> Updates:
            if tried(visit.lobby.delete, visit.owner, id or "") and id == visit.session.id:
                visit.new_chat()
            return {**after(visit), **self.updates(visit)}

        chosen, all_parts = [visit, self.list], [*sending, *self.parts]
        self.box.expand(self.updates, visit, self.parts, **quiet)
        self.box.collapse(_shut, visit, None, **quiet)
        exported = self.export.click(_export, chosen, self.archive, **quiet)
        exported.success(None, None, None, js=DOWNLOAD, **quiet)
        self.rename.click(self.renamed, [*chosen, self.title], self.parts, **quiet)
        self.delete.click(self.ask, chosen, [self.sure, self.question], **quiet)
        self.delete_now.click(delete, chosen, all_parts, **quiet)
        self.keep.click(self.updates, visit, self.parts, **quiet)
        return self.open.click(move, chosen, all_parts, **quiet)

    def renamed(self, visit: Visit, id: str | None, title: str) -> Updates:
        """Give a chat another title."""
        tried(visit.lobby.rename, visit.owner, id or "", title)
        return self.updates(visit)

    def ask(self, visit: Visit, id: str | None) -> Updates:
        """Ask whether a chat shall really go."""
        tried(visit.lobby.check, visit.owner, id or "")
        listed = visit.lobby.listed(visit.owner)
        titles = [_title(one, visit.labels) for one in listed if one.info.id == id]
        words = visit.labels["chat_delete_sure"].format(title="".join(titles))
        return {self.sure: gr.Group(visible=bool(titles)), self.question: plain(words)}


def _read(visit: Visit) -> list[tuple[str, str]]:
    """Return the lines of the list with their ids, and note of what state they are."""
    visit.listing = visit.lobby.state(visit.owner)
    return [(_line(one, visit), one.info.id) for one in visit.lobby.listed(visit.owner)]


def _shut(visit: Visit) -> None:
    visit.listing = None


def _export(visit: Visit, id: str | None) -> str:
    """Write a zip file, which the browser fetches next."""
    try:
        return str(visit.lobby.export(visit.owner, id or "", visit.files.folder))
    except SetupError as error:
        sentence = html.escape(str(error))
        raise gr.Error(sentence, title="LLaVA-Plus", print_exception=False) from error


def _title(one: Listed, labels: Labels) -> str:
    title = one.info.title[:LONGEST_TITLE]
    return labels["chat_damaged"] if one.info.problem else title or labels["chat_untitled"]


def _line(one: Listed, visit: Visit) -> str:
    """Return a chat's title, when it changed, its requests, and what is special about it."""
    info, labels = one.info, visit.labels
    parts = [_title(one, labels)]
    if info.changed:
        parts.append(datetime.fromtimestamp(info.changed).strftime("%Y-%m-%d %H:%M"))
        parts.append(labels["chat_requests"].format(count=info.turns))
    if one.running:
        parts.append(labels["chat_running"])
    elif info.interrupted:
        parts.append(labels["chat_broken_off"])
    if info.id == visit.session.id:
        parts.append(labels["chat_here"])
    return " · ".join(parts)
