"""What a model that outlines must give, so that all ways of asking it are written once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from llava_plus.skills import Image

Size = tuple[int, int]  # height, width
Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the large part of the model makes of a picture.

    Args:
        embedding: (1, channel, row, column), of the picture and of the rows or columns that make
            it square; or whatever else the model asks with.
        size: Of the picture.
        scaled: Of the picture as the model sees it, without what makes it square.
        square: Side of the square.
    """

    embedding: Any
    size: Size
    scaled: Size
    square: int


class Looker(Protocol):
    """A model in two parts: a large one for the picture, a small one for what is asked of it."""

    def look(self, image: Image) -> Seen:
        """Return what the large part makes of a picture."""

    def decoded(
        self,
        seen: Seen,
        *,
        points: Floats | None = None,
        labels: NDArray[np.int64] | None = None,
        boxes: Floats | None = None,
        multimask: bool = True,
        **more: Any,
    ) -> tuple[Any, Any]:
        """Return what the small part makes of prompts.

        Args:
            seen: What `look` returned.
            points: (prompt, point, 2) of x and y in pixels of what the model sees.
            labels: (prompt, point), 1 on the thing, 0 beside it.
            boxes: (prompt, 4) of left, top, right, bottom in such pixels.
            multimask: Whether it gives three masks or one.
            more: What else its ``forward`` takes.

        Returns:
            logits: (prompt, choice, row, column), small and of the square; above 0 is the thing.
            scores: (prompt, choice), how good the model takes each to be, about 0..1.
        """

    def enlarged(self, seen: Seen, logits: Any, size: Size) -> Any:
        """Bring (n, row, column) of the square to (n, height, width) of the picture."""
