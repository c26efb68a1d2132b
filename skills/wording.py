"""How values are put into words: lists that end in time, numbers of things, shortened text."""

from collections import Counter
from collections.abc import Sequence

from .nouns import plural, singular

WORDS = 180  # with the sentence around it, what a planner reads of one value stays under 200 words
LETTERS = 1200  # the same for writing without spaces


def shorten(text: str, words: int = WORDS, letters: int = LETTERS) -> str:
    """Return the text, cut at a word with an ellipsis where it is too long to read."""
    cut = text[:letters]
    pieces = cut.split(maxsplit=words)
    if len(pieces) > words:
        cut = cut[: len(cut) - len(pieces[-1])]
    return text if cut == text else cut.rstrip() + " …"


def listed(
    items: Sequence[str], words: int = WORDS, letters: int = LETTERS, joint: str = ", "
) -> str:
    """Join items with commas; what goes beyond the budget is only counted."""
    kept: list[str] = []
    for item in items:
        words -= max(len(item.split()), 1)
        letters -= len(item)
        if (words < 0 or letters < 0) and kept:
            return f"{joint.join(kept)} … and {len(items) - len(kept)} more"
        kept.append(shorten(item))
    return joint.join(kept)


def counted(number: int, noun: str) -> str:
    """Say how many: "3 faces", "1 face", "no face"."""
    noun = singular(noun.strip())
    if noun == "text" and number:
        noun = "piece of text" if number == 1 else "pieces of text"
        return f"{number} {noun}"
    if number == 0:
        return f"no {noun}"
    return f"1 {noun}" if number == 1 else f"{number} {plural(noun)}"


def tally(labels: Sequence[str], noun: str) -> str:
    """Count things by their labels, most frequent first; ``noun`` stands for an empty label."""
    counts = Counter(label or noun for label in labels)
    return listed([counted(number, name) for name, number in counts.most_common()])
