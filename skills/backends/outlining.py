"""Outlining by any model that looks at a picture once and then answers boxes and points."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, Masks, Points
from llava_plus.skills.builtin.areas import parts_of

from .finds import check_picture
from .sam import AT_ONCE, REMEMBERED, best_masks

Floats = NDArray[np.float32]


class Looker(Protocol):
    """A model in two parts: a large one for the picture, a small one for what is asked of it."""

    def look(self, image: Image) -> Any:
        """Return what the large part makes of a picture."""

    def outline(
        self,
        seen: Any,
        *,
        boxes: Floats | None = None,
        points: Floats | None = None,
        on: Any = None,
    ) -> tuple[Any, Any]:
        """Return several masks for each box, or for the points together.

        Args:
            seen: What `look` returned.
            boxes: (box, 4) of left, top, right, bottom in pixels of the picture.
            points: (point, 2) in pixels of the picture.
            on: (point,) 1 for a point on the thing, 0 for one beside it.

        Returns:
            masks: Boolean, (prompt, choice, height, width) of the picture, a tensor.
            scores: (prompt, choice), how good the model takes each to be, a tensor.
        """


class Outliner:
    """Outlines the thing in each box, or under points; what it saw of a picture, it remembers.

    Args:
        looker: The model.
    """

    def __init__(self, looker: Looker) -> None:
        self._looker = looker
        self._seen: OrderedDict[str, Any] = OrderedDict()  # the longest unused first
        self.looks = 0  # how often the large part of the model has run

    def __call__(self, image: Image, prompt: Boxes | Points) -> Masks:
        """Outline things in a picture.

        Args:
            image: The picture.
            prompt: Boxes, each around one thing, or points on one thing and beside it.

        Returns:
            A mask for each box, or one for the points; scores say how good it takes each to be.
        """
        check_picture("segment", image)
        size = np.array([image.width, image.height], np.float32)
        if isinstance(prompt, Points):
            if not any(prompt.positive):
                raise SkillError("segment: needs a point on the thing. Click on what is meant.")
            places = np.array(prompt.xy, np.float32) * size
            masks, scores = self._best(image, points=places, on=np.array(prompt.positive, int))
            return Masks.from_array(np.stack(masks), scores=tuple(scores))
        boxes = parts_of("segment", prompt)
        assert isinstance(boxes, Boxes)
        masks, scores = [], []
        places = np.array(boxes.xyxy, np.float32) * np.tile(size, 2)
        for start in range(0, len(places), AT_ONCE):
            found = self._best(image, boxes=places[start : start + AT_ONCE])
            masks += found[0]
            scores += found[1]
        return Masks.from_array(
            np.stack(masks), labels=boxes.labels, scores=tuple(scores), query=boxes.query
        )

    def _best(self, image: Image, **prompt: Any) -> tuple[list[NDArray[np.bool_]], list[float]]:
        """Return the best mask (height, width) for each prompt, and its score."""
        import torch

        with torch.inference_mode():
            chosen, scores = best_masks(*self._looker.outline(self._look(image), **prompt))
        return list(chosen.cpu().numpy()), scores

    def _look(self, image: Image) -> Any:
        """Return what the large part of the model makes of a picture, computed once."""
        if image.digest not in self._seen:
            self._seen[image.digest] = self._looker.look(image)
            self.looks += 1
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        self._seen.move_to_end(image.digest)
        return self._seen[image.digest]
