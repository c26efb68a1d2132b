"""The prompts: files of text with places for what changes, in each language."""

from functools import cache
from pathlib import Path
from string import Template

from .config import Language

FOLDER = Path(__file__).parent / "prompts"
MANNERS = {
    "English": (
        "Be polite.", "Be very short, as if in a hurry.", "Chat a little and tell why.",
        "Ask a question.", "Give an order.", "Write all in small letters with a typing mistake.",
        "Write as an expert would.", "Write as a child would.",
    ),
    "Chinese": (
        "语气客气。", "非常简短,像是很着急。", "闲聊几句,说说原因。", "用提问的方式。",
        "用命令的方式。", "口语化,随意一些。", "像专业人士那样写。", "像孩子那样写。",
    ),
}  # fmt: skip


def prompt(name: str, language: Language, **places: str) -> str:
    """Return a prompt with its places filled in.

    Args:
        name: Of its file.
        language: Of the prompt, and of what it asks for.
        places: What to put where.
    """
    return _template(name, language).substitute(places).strip()


@cache
def _template(name: str, language: Language) -> Template:
    return Template((FOLDER / language.lower() / f"{name}.txt").read_text(encoding="utf-8"))
