"""Which token comes next."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .guide import Guide


class Sampler:
    """Takes the likeliest token, or draws one.

    Args:
        vocabulary: How many tokens there are; logits after them only fill the matrix up.
        temperature: 0 takes the likeliest token, more draws.
        seed: Of what is drawn.
        device: Where the logits are.
        barred: Tokens that are never chosen: those which stand for what is shown.
    """

    def __init__(
        self,
        vocabulary: int,
        temperature: float,
        seed: int,
        device: Any,
        *,
        barred: Sequence[int] = (),
    ) -> None:
        self._vocabulary = vocabulary
        self._barred = torch.tensor(barred, dtype=torch.long, device=device)
        self._temperature = temperature
        self._random = torch.Generator(device).manual_seed(seed)

    def choose(self, logits: Tensor, guide: Guide | None) -> int:
        """Choose among what the grammar allows.

        Args:
            logits: Of every token (vocabulary).
            guide: The grammar's state, where there is one.
        """
        scores = logits[: self._vocabulary].float().index_fill(0, self._barred, -torch.inf)
        if guide:
            allowed = torch.from_numpy(guide.mask()[: len(scores)]).to(scores.device)
            scores = scores.masked_fill(~allowed, -torch.inf)
        if not self._temperature:
            return int(scores.argmax())
        chances = torch.softmax(scores / self._temperature, dim=-1)
        return int(torch.multinomial(chances, 1, generator=self._random))
