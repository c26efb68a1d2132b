"""The panel on which a person points at pictures."""

from pathlib import Path

import gradio as gr

from .desk import empty_panel
from .labels import Labels

ASSETS = Path(__file__).parent / "assets"


def pointer(labels: Labels) -> gr.HTML:
    """Return the panel, empty; its event ``mark`` brings a click or a dragged box."""

    def asset(name: str) -> str:
        return (ASSETS / name).read_text(encoding="utf-8")

    return gr.HTML(
        empty_panel(labels),
        html_template=asset("pointer.html"),
        css_template=asset("pointer.css"),
        js_on_load=asset("pointer.js"),
        elem_id="pointer",
        mode="point",
        aria=labels["pointing"],
    )
