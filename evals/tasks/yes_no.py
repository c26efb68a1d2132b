"""Yes or no, by POPE's and MME's rules."""

from collections.abc import Sequence

from .figures import Values


def pope(answer: str) -> str:
    """POPE's "yes" or "no" in LLaVA's evaluation.

    "No", "no" or "not" among the words of the first sentence is a no; all else is a yes: also "NO",
    "no!" and an answer that says neither.
    """
    words = answer.split(".")[0].replace(",", "").split(" ")
    return "no" if {"No", "no", "not"} & set(words) else "yes"


def first_word(answer: str) -> str:
    """The first word in lower case, as Cambrian-1 reads POPE; nothing where there is none."""
    words = answer.lower().split()
    return words[0].rstrip(".:,") if words else ""


def mme(answer: str) -> str:
    """MME's "yes", "no" or "other", by the first four letters: "Not sure" is a no."""
    start = answer.lower()[:4]
    return next((word for word in ("yes", "no") if word in start), "other")


def f1(means: Values | Sequence[float]) -> float:
    """F1 of "yes" in 0..1 from the shares of hits, false yes and false no; 0 without any hit."""
    hits, false_yes, false_no = map(float, means)
    return 2 * hits / (2 * hits + false_yes + false_no) if hits else 0.0
