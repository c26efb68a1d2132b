"""What is written on the page, as gradio's components take it."""

from typing import Any

from .examples import EXAMPLES
from .labels import Labels


def about(labels: Labels) -> str:
    return f"# LLaVA-Plus\n{labels['about']}"


def modes(labels: Labels) -> list[tuple[str, str]]:
    return [(labels["point"], "point"), (labels["box"], "box")]


def chat_words(labels: Labels, language: str = "English") -> dict[str, Any]:
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


def message_words(labels: Labels) -> dict[str, Any]:
    return {"label": labels["message"], "placeholder": labels["message_hint"]}
