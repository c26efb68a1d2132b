"""One output while it is written."""

from collections.abc import Callable

from llava_plus.model import LMMProcessor

from .engine import Stats
from .guide import Guide


class Output:
    """Tokens so far, kept in step with the grammar; text is given out when its letters are whole.

    Args:
        processor: Turns tokens into text.
        guide: The grammar's state, where there is one.
        emit: Gets the text in pieces.
        stats: Where tokens are counted.
    """

    def __init__(
        self,
        processor: LMMProcessor,
        guide: Guide | None,
        emit: Callable[[str], None],
        stats: Stats,
    ) -> None:
        self.ids: list[int] = []
        self.guide = guide
        self._processor = processor
        self._emit = emit
        self._stats = stats
        self._pieces: list[str] = []
        self._given = 0  # tokens

    @property
    def done(self) -> bool:
        """Whether the grammar lets nothing follow."""
        return self.guide is not None and self.guide.done

    def begin(self) -> list[int]:
        """The tokens that every output begins with."""
        return self._add(self._forced())

    def take(self, token: int) -> list[int]:
        """Write a token that the model chose; return it with those that must follow."""
        self._stats.decoded += 1
        if self.guide:
            self.guide.accept([token])
        return self._add([token, *self._forced()])

    def end(self) -> str:
        """The whole text."""
        if rest := self._processor.decode(self.ids[self._given :]):
            self._give(rest)
        return "".join(self._pieces)

    def _forced(self) -> list[int]:
        tokens = self.guide.forced() if self.guide else []
        self._stats.forced += len(tokens)
        return tokens

    def _add(self, tokens: list[int]) -> list[int]:
        self.ids += tokens
        text = self._processor.decode(self.ids[self._given :])
        if text and not text.endswith("\N{REPLACEMENT CHARACTER}"):
            self._give(text)
        return tokens

    def _give(self, text: str) -> None:
        self._given = len(self.ids)
        self._pieces.append(text)
        self._emit(text)
