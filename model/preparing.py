"""What towers read of pictures and frames: views of their size, with channels as they know them."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llava_plus.messages import ImagePart

from .layout import Layout
from .pictures import squared, views_of

Pixels = NDArray[np.float32]
_KEPT = 256  # pictures whose pixels stay ready


@dataclass(frozen=True, kw_only=True)
class Side:
    """How a tower wants its pictures: side in pixels, channels' mean and deviation in 0..1."""

    pixels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def normalized(self, squares: NDArray[np.uint8]) -> Pixels:
        """Squares (image, side, side, 3) as the tower reads them: (image, 3, side, side)."""
        values = squares.astype(np.float32) / 255
        mean, std = (np.array(one, np.float32) for one in (self.mean, self.std))
        return np.ascontiguousarray(((values - mean) / std).transpose(0, 3, 1, 2))

    def to_dict(self) -> dict[str, Any]:
        """The side as JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, said: dict[str, Any]) -> "Side":
        """Read what `to_dict` wrote."""
        return cls(pixels=said["pixels"], mean=tuple(said["mean"]), std=tuple(said["std"]))


class Preparer:
    """Makes views of pictures and frames.

    Args:
        layout: How a picture is shown; its ``tile`` is the first side's.
        sides: What the towers want; one where all want the same.
    """

    def __init__(self, layout: Layout, sides: Sequence[Side]) -> None:
        self.sides = tuple(sides)
        # Where towers want different sizes, the grid of tokens is the connector's.
        self.layouts = [replace(layout, tile=side.pixels) for side in sides[1:]]
        self.layouts.insert(0, layout)
        self._ready: OrderedDict[str, Pixels] = OrderedDict()
        self._lock = Lock()

    def views(self, image: ImagePart, *, alone: bool) -> list[Pixels]:
        """A picture's views (view, 3, side, side), for each side."""
        if image.digest and len(self.sides) == 1 and self.layouts[0].mode == "squeeze":
            return [self.square(image)[None]]
        pairs = zip(self.layouts, self.sides, strict=True)
        return [
            side.normalized(views_of(image.pixels, layout, side.mean, alone=alone))
            for layout, side in pairs
        ]

    def frames(self, frames: NDArray[np.uint8]) -> Pixels:
        """Frames (frame, height, width, 3), each squeezed to a square (frame, 3, side, side)."""
        side = self.sides[0]
        return side.normalized(np.stack([squared(one, side.pixels) for one in frames]))

    def square(self, image: ImagePart) -> Pixels:
        """A picture squeezed to a square (3, side, side), made once per content."""
        key = digest(image)
        with self._lock:
            if key in self._ready:
                self._ready.move_to_end(key)
                return self._ready[key]
        side = self.sides[0]
        ready: Pixels = side.normalized(squared(image.pixels, side.pixels)[None])[0]
        with self._lock:
            self._ready[key] = ready
            if len(self._ready) > _KEPT:
                self._ready.popitem(last=False)
        return ready


def digest(image: ImagePart) -> str:
    """The picture's own digest, or one of its pixels."""
    if image.digest:
        return image.digest
    return sha256(repr(image.pixels.shape).encode() + image.pixels.tobytes()).hexdigest()
