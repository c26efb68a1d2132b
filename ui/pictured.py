"""The column of the page in which pictures lie: the panel for pointing, the gallery, a download."""

from typing import Any

import gradio as gr

from .labels import Labels
from .notices import Updates, tried
from .pointer import pointer
from .state import Visit
from .words import modes


class Pictured:
    """Shows the pictures of the chat, and takes clicks and boxes on the chosen one.

    Args:
        labels: The page's words.
    """

    def __init__(self, labels: Labels) -> None:
        self.title = gr.Markdown(f"### {labels['pointing']}")
        self.pointer = pointer(labels)
        with gr.Row(elem_classes="buttons"):
            self.mode = gr.Radio(modes(labels), value="point", label=labels["mode"])
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

    @property
    def parts(self) -> list[Any]:
        """What changes with the chat."""
        return [self.pointer, self.gallery, self.picture]

    @property
    def named(self) -> list[Any]:
        """What has words of its own."""
        return [self.title, self.pointer, self.mode, self.clear, self.gallery, self.picture]

    def updates(self, visit: Visit) -> Updates:
        """Show what lies on the visitor's desk."""
        file = visit.picture_file()
        return {
            self.pointer: visit.panel(),
            self.gallery: visit.gallery(),
            self.picture: gr.DownloadButton(value=file, interactive=file is not None),
        }

    def words(self, visit: Visit) -> Updates:
        """Return what is written here."""
        labels = visit.labels
        return {
            self.title: f"### {labels['pointing']}",
            self.pointer: gr.HTML(value=visit.panel(), aria=labels["pointing"]),
            self.mode: gr.Radio(modes(labels), label=labels["mode"]),
            self.clear: gr.Button(labels["clear_marks"]),
            self.gallery: gr.Gallery(label=labels["gallery"]),
            self.picture: gr.DownloadButton(labels["download_picture"]),
        }

    def wire(self, visit: gr.State, **quiet: Any) -> None:
        """Connect the parts.

        Args:
            visit: Holds the `Visit`.
            quiet: How events are to be handled.
        """
        self.pointer.mark(self._mark, visit, self.parts, **quiet)
        self.clear.click(self._clear, visit, self.parts, **quiet)
        self.gallery.select(self._choose, visit, self.parts, **quiet)
        self.mode.change(lambda mode: gr.HTML(mode=mode), self.mode, self.pointer, **quiet)

    def _mark(self, visit: Visit, event: gr.EventData) -> Updates:
        tried(visit.desk.mark, event._data.get("at"))
        return self.updates(visit)

    def _clear(self, visit: Visit) -> Updates:
        visit.desk.marks = ()
        return self.updates(visit)

    def _choose(self, visit: Visit, chosen: gr.SelectData) -> Updates:
        visit.desk.choose(chosen.index)
        return self.updates(visit)
