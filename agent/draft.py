"""The step that is being written: raw text in, thought and answer out as they become readable."""

from collections.abc import Callable

from llava_plus.skills import Artifacts

from .citations import Citations, expand
from .dialects import StreamReader
from .events import AnswerDelta, Event, ThoughtDelta
from .planner import Decision


class Draft:
    """What a planner wrote so far in one step; nothing of it is lost if it breaks off."""

    def __init__(self, write: Callable[[Event], None], artifacts: Artifacts, error: str) -> None:
        self.raw = ""
        self.thought = ""
        self.answer = ""  # as written
        self.error = error
        self._artifacts = artifacts
        self._write = write
        self._reader = StreamReader()
        self._citations = Citations(artifacts, error)

    def feed(self, text: str) -> None:
        """Take more raw text."""
        self.raw += text
        for field, more in self._reader.feed(text):
            if field == "thought":
                self.thought += more
                self._write(ThoughtDelta(text=more))
            else:
                self.answer += more
                self._show(self._citations.feed(more))

    def decide(self, decision: Decision) -> None:
        """Say what the planner decided without having written it before.

        Words before calls are the thought, but looked like an answer as long as no call had come.
        """
        said = bool(decision.calls) and self.answer == decision.thought
        if not said and (more := _rest(decision.thought, self.thought)):
            self._write(ThoughtDelta(text=more))
        self.thought = decision.thought

    def close(self, answer: str) -> tuple[str, tuple[str, ...]]:
        """Say the rest of the answer; return it as the person reads it, with what it cites."""
        text, cited = expand(answer, self._artifacts, self.error)
        self._show(_rest(text, self._citations.text))
        return text, cited

    def _show(self, text: str) -> None:
        if text:
            self._write(AnswerDelta(text=text))


def _rest(whole: str, said: str) -> str:
    """Return what is still to say; what was said otherwise cannot be taken back."""
    return whole[len(said) :] if whole.startswith(said) else ""
