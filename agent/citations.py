"""Handles in an answer: a planner writes "found {boxes_1}", the person reads "found 3 faces"."""

import re

from llava_plus.skills import Artifacts, Image

CITE = re.compile(r"\{(error|[a-z]+_[0-9]+)\}")
UNFINISHED = re.compile(r"\{[a-z]*(_[0-9]*)?$")
LONGEST = 24  # what is longer is no citation; do not hold it back


class Citations:
    """Expands one answer, whole or in pieces; remembers which handles it cited."""

    def __init__(self, artifacts: Artifacts, error: str = "") -> None:
        self.artifacts = artifacts
        self.error = error
        self.cited: tuple[str, ...] = ()
        self.text = ""  # all that was given out so far
        self._held = ""

    def feed(self, delta: str) -> str:
        """Return what can be shown now; a citation that has only begun is held back."""
        text = self._held + delta
        begun = UNFINISHED.search(text, max(0, len(text) - LONGEST))
        cut = begun.start() if begun else len(text)
        self._held = text[cut:]
        return self._give(text[:cut])

    def finish(self) -> str:
        """Return what was held back."""
        text, self._held = self._held, ""
        return self._give(text)

    def _give(self, text: str) -> str:
        shown = CITE.sub(self._words, text)
        self.text += shown
        return shown

    def _words(self, match: re.Match[str]) -> str:
        handle = match[1]
        if handle == "error":
            return self.error or match[0]
        if handle not in self.artifacts:
            return match[0]
        if handle not in self.cited:
            self.cited += (handle,)
        value = self.artifacts[handle].value
        return handle if isinstance(value, Image) else value.cite()


def expand(template: str, artifacts: Artifacts, error: str = "") -> tuple[str, tuple[str, ...]]:
    """Return the answer as the person reads it, and the handles that it cites."""
    citations = Citations(artifacts, error)
    text = citations.feed(template) + citations.finish()
    return text, citations.cited
