"""Decoding under a grammar: which tokens may come next, and which must."""

from collections.abc import Sequence

import numpy as np
from llguidance import LLMatcher, LLTokenizer
from numpy.typing import NDArray

from llava_plus.agent.planner import PlannerError


class Guide:
    """Follows one output through a grammar."""

    def __init__(self, tokenizer: LLTokenizer, grammar: str) -> None:
        self._matcher = LLMatcher(tokenizer, grammar)
        self._check()
        self._bits = np.zeros((tokenizer.vocab_size + 31) // 32, np.int32)
        self._size = tokenizer.vocab_size

    @property
    def done(self) -> bool:
        """Whether the output is complete and nothing can follow."""
        return self._matcher.is_stopped()

    def mask(self) -> NDArray[np.bool_]:
        """Which tokens may come next (token)."""
        self._matcher.unsafe_compute_mask_ptr(self._bits.ctypes.data, self._bits.nbytes)
        self._check()
        bits = np.unpackbits(self._bits.view(np.uint8), count=self._size, bitorder="little")
        return bits.view(np.bool_)

    def forced(self) -> list[int]:
        """The tokens that must come next, if there are any; they count as written."""
        tokens = self._matcher.compute_ff_tokens()
        self.accept(tokens)
        return tokens

    def accept(self, tokens: Sequence[int]) -> None:
        """Take tokens as written."""
        if tokens:
            self._matcher.consume_tokens(list(tokens))
            self._check()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise PlannerError(f"The grammar of calls broke: {self._matcher.get_error()}")
