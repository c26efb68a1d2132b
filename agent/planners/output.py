"""One output while it is written."""

from collections.abc import Callable, Container, Sequence

from torch import Tensor

from llava_plus.agent.planner import PlannerError

from .engine import Stats
from .guide import Guide
from .memory import Key
from .sampler import Sampler


class Output:
    """Tokens so far, kept in step with the grammar; text is given out when its letters are whole.

    Args:
        decode: Turns tokens into text; what it makes of a few may depend on the ones before.
        guide: The grammar's state, where there is one.
        emit: Gets the text in pieces.
        stats: Where tokens are counted.
    """

    def __init__(
        self,
        decode: Callable[[list[int]], str],
        guide: Guide | None,
        emit: Callable[[str], None],
        stats: Stats,
    ) -> None:
        self.ids: list[int] = []
        self.guide = guide
        self._decode = decode
        self._emit = emit
        self._stats = stats
        self._pieces: list[str] = []
        self._anchor = 0  # tokens; decoding begins here, so that the next ones have some before
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
        if rest := self._rest():
            self._give(rest)
        return "".join(self._pieces)

    def write(
        self,
        read: Callable[[Sequence[Key]], Tensor],
        prompt: Sequence[Key],
        sampler: Sampler,
        *,
        ends: Container[int],
        most: int,
    ) -> None:
        """Write until the grammar or the model is done.

        Args:
            read: Reads tokens into the cache; the logits after the last one (vocabulary).
            prompt: What is still to be read before.
            sampler: Chooses tokens.
            ends: The tokens with which the model ends.
            most: How many tokens are too many.
        """
        logits = read([*prompt, *self.begin()])
        while not self.done:
            if len(self.ids) >= most:
                raise PlannerError(f"The output did not end within {most} tokens.")
            token = sampler.choose(logits, self.guide)
            if token in ends:
                return
            new = self.take(token)
            if not self.done:
                logits = read(new)

    def _forced(self) -> list[int]:
        tokens = self.guide.forced() if self.guide else []
        self._stats.forced += len(tokens)
        return tokens

    def _add(self, tokens: list[int]) -> list[int]:
        self.ids += tokens
        text = self._rest()
        if text and not text.endswith("\N{REPLACEMENT CHARACTER}"):
            self._give(text)
        return tokens

    def _rest(self) -> str:
        before = self._decode(self.ids[self._anchor : self._given])
        return self._decode(self.ids[self._anchor :])[len(before) :]

    def _give(self, text: str) -> None:
        self._anchor, self._given = self._given, len(self.ids)
        self._pieces.append(text)
        self._emit(text)
