"""How a question is put to a model: the response-format prompts of LLaVA-1.5."""

from collections.abc import Sequence
from string import ascii_uppercase

SHORT = "Answer the question using a single word or phrase."
LETTER = "Answer with the option's letter from the given choices directly."
LETTER_CN = "请直接回答选项字母。"
UNANSWERABLE = "When the provided information is insufficient, respond with 'Unanswerable'."


def short(question: str) -> str:
    """Ask for a word or a phrase."""
    return f"{question}\n{SHORT}"


def short_or_unanswerable(question: str) -> str:
    """Ask as VizWiz is asked."""
    return f"{question}\n{UNANSWERABLE}\n{SHORT}"


def short_with_ocr(question: str, tokens: Sequence[str]) -> str:
    """Ask as TextVQA is asked, with the words that an OCR system read; without any, as `short`."""
    return short(f"{question}\nReference OCR token: {', '.join(tokens)}" if tokens else question)


def letter(question: str, options: Sequence[str], *, hint: str = "", tail: str = LETTER) -> str:
    """Ask for the letter of an option; the hint comes first."""
    rows = [f"{name}. {text}" for name, text in zip(ascii_uppercase, options, strict=False)]
    return "\n".join([*([hint] if hint else []), question, *rows, tail])


def letter_cn(question: str, options: Sequence[str], *, hint: str = "") -> str:
    """Ask in Chinese for the letter of an option."""
    return letter(question, options, hint=hint, tail=LETTER_CN)
