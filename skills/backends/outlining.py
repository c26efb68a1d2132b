"""Outlining by any model that looks at a picture once and then answers boxes and points."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, Masks, Points, Region
from llava_plus.skills.builtin.areas import parts_of

from .finds import check_picture
from .masking import Floats, Looker, Seen
from .sam_alike import outlined_alike
from .sam_parts import DENSITY, every_part, nested, ranked

REMEMBERED = 8  # pictures whose embeddings are kept, 4 MB each
AT_ONCE = 32  # boxes


class Outliner:
    """Outlines what is pointed at; what it saw of a picture, it remembers.

    Args:
        looker: The model.
    """

    def __init__(self, looker: Looker) -> None:
        self._looker = looker
        self._seen: OrderedDict[str, Seen] = OrderedDict()  # the longest unused first
        self.looks = 0  # how often the large part of the model has run

    def __call__(self, image: Image, prompt: Boxes | Points) -> Masks:
        """Outline things in a picture.

        Args:
            image: The picture.
            prompt: Boxes, each around one thing, or points on one thing and beside it.

        Returns:
            A mask for each box, or one for the points; scores say how good the model takes it for.
        """
        check_picture("segment", image)
        if isinstance(prompt, Points):
            logits, scores = self._pointed("segment", image, prompt)
            masks, sure = best_masks(logits, scores)
            return Masks.from_array(self.outlines(image, masks), scores=tuple(sure))
        boxes = parts_of("segment", prompt)
        assert isinstance(boxes, Boxes)
        places = np.array(boxes.xyxy)  # (box, 4)
        found: list[NDArray[np.bool_]] = []
        sure = []
        for start in range(0, len(places), AT_ONCE):
            logits, scores = self.decoded(image, boxes=places[start : start + AT_ONCE])
            masks, best = best_masks(logits, scores)
            found += [self.outlines(image, mask[None])[0] for mask in masks]
            sure += best
        return Masks.from_array(
            np.stack(found), labels=boxes.labels, scores=tuple(sure), query=boxes.query
        )

    def choices(self, image: Image, points: Points) -> Masks:
        """Return the three masks that a model has for the points, the best one first."""
        check_picture("segment_choices", image)
        logits, scores = self._pointed("segment_choices", image, points)
        return ranked(self.outlines(image, logits[0]), scores[0].tolist())

    def levels(self, image: Image, points: Points) -> Masks:
        """Return masks within each other around the points, the smallest first."""
        check_picture("segment_levels", image)
        three, sure = self._pointed("segment_levels", image, points)
        one, alone = self._pointed("segment_levels", image, points, multimask=False)
        masks = np.concatenate([self.outlines(image, part[0]) for part in (three, one)])
        return nested(masks, [*sure[0].tolist(), *alone[0].tolist()])

    def everything(self, image: Image, *, density: int = DENSITY) -> Masks:
        """Return the masks of all that a grid of points finds, the largest first."""
        check_picture("segment_everything", image)
        return every_part(self, image, density=density)

    def alike(self, image: Image, reference: Image, region: Region) -> Masks:
        """Outline in one picture what is most like a region of another one."""
        for picture in (image, reference):
            check_picture("segment_alike", picture)
        return outlined_alike(self, image, reference, region)

    def look(self, image: Image) -> Seen:
        """Return what the large part of the model makes of a picture, computed once."""
        if image.digest not in self._seen:
            self._seen[image.digest] = self._looker.look(image)
            self.looks += 1
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        self._seen.move_to_end(image.digest)
        return self._seen[image.digest]

    def decoded(
        self,
        image: Image,
        *,
        points: Floats | None = None,
        labels: NDArray[np.int64] | None = None,
        boxes: Floats | None = None,
        multimask: bool = True,
        **more: Any,
    ) -> tuple[Any, Any]:
        """Return what the small part of the model makes of prompts.

        Args:
            image: The picture.
            points: (prompt, point, 2) of x and y in 0..1.
            labels: (prompt, point), 1 on the thing, 0 beside it.
            boxes: (prompt, 4) in 0..1.
            multimask: Whether it gives three masks or one.
            more: What else its ``forward`` takes.

        Returns:
            logits: (prompt, choice, row, column), small and of the square; above 0 is the thing.
            scores: (prompt, choice), about 0..1.
        """
        import torch

        seen = self.look(image)
        height, width = seen.scaled
        if points is not None:
            points = points * [width, height]
        if boxes is not None:
            boxes = boxes * [width, height, width, height]
        with torch.inference_mode():
            return self._looker.decoded(
                seen, points=points, labels=labels, boxes=boxes, multimask=multimask, **more
            )

    def enlarged(self, image: Image, logits: Any, *, full: bool = True) -> Any:
        """Bring (n, row, column) of the square to (n, height, width) of the picture.

        Args:
            image: The picture.
            logits: As `decoded` gives them.
            full: Whether in the picture's own size, or in that which the model sees.
        """
        import torch

        seen = self.look(image)
        with torch.inference_mode():
            return self._looker.enlarged(seen, logits, seen.size if full else seen.scaled)

    def outlines(self, image: Image, logits: Any) -> NDArray[np.bool_]:
        """Return (n, height, width) of what (n, row, column) take for the thing."""
        found: NDArray[np.bool_] = (self.enlarged(image, logits) > 0).cpu().numpy()
        return found

    def _pointed(
        self, skill: str, image: Image, points: Points, *, multimask: bool = True
    ) -> tuple[Any, Any]:
        if not any(points.positive):
            raise SkillError(f"{skill}: needs a point on the thing. Click on what is meant.")
        places = np.array([points.xy])  # (1, point, 2)
        labels = np.array([points.positive], np.int64)
        return self.decoded(image, points=places, labels=labels, multimask=multimask)


def best_masks(masks: Any, scores: Any) -> tuple[Any, list[float]]:
    """Choose for each prompt the mask that a model takes for the best.

    Args:
        masks: (prompt, choice, height, width)
        scores: (prompt, choice), about 0..1.

    Returns:
        masks: (prompt, height, width)
        scores: Of each, in 0..1.
    """
    best = scores.argmax(dim=1)
    rows = range(len(best))
    chosen = scores[rows, best].clamp(0, 1).tolist()
    return masks[rows, best], [round(float(score), 3) for score in chosen]
