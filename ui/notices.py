"""Sentences in a corner of the page."""

import html
from collections.abc import Callable
from typing import Any

import gradio as gr

from llava_plus.errors import SetupError

Updates = dict[Any, Any]  # what a handler of the page returns: new values by component


def say(problem: object) -> None:
    """Show a sentence; nothing in it is taken for HTML."""
    gr.Warning(html.escape(str(problem)), title="LLaVA-Plus")


def tried(work: Callable[..., object], *arguments: object) -> bool:
    """Do it, or say why that cannot be done."""
    try:
        work(*arguments)
    except SetupError as error:
        say(error)
        return False
    return True
