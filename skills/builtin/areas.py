"""Where an edit goes: regions checked, cut out with what surrounds them, and put back softly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, Masks, Region, region_boxes, region_mask

Mask = NDArray[np.bool_]  # (height, width)
Pixels = NDArray[np.uint8]  # (height, width, 3 or 4)


@dataclass(frozen=True)
class Window:
    """A rectangle of whole pixels inside a picture, at least one pixel large."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def size(self) -> float:
        """How large it is as one length, so that a face and a line of text can be compared."""
        return float((self.width * self.height) ** 0.5)

    @property
    def cut(self) -> tuple[slice, slice]:
        """What takes the window out of an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def grown(self, by_x: float, by_y: float, image: Image) -> Window:
        """Return the window with so many pixels more on each side, as far as the picture goes."""
        return Window(
            max(0, int(self.left - by_x)),
            max(0, int(self.top - by_y)),
            min(image.width, int(np.ceil(self.right + by_x))),
            min(image.height, int(np.ceil(self.bottom + by_y))),
        )


def parts_of(skill: str, region: Region) -> Region:
    """Return the parts of a region that cover something, or say that there are none."""
    if not len(region):
        missing = f"no {region.query} was found" if region.query else "it holds nothing"
        raise SkillError(
            f"{skill}: the region is empty, {missing}. "
            "Detect something else, or give a box such as [0.25, 0.25, 0.75, 0.75]."
        )
    boxes = region_boxes(region).xyxy
    kept = [i for i, (x0, y0, x1, y1) in enumerate(boxes) if x1 > x0 and y1 > y0]
    if not kept:
        raise SkillError(
            f"{skill}: the region covers nothing of the picture. "
            "Boxes are [left, top, right, bottom] from 0 to 1, right > left and bottom > top."
        )
    return region.take(kept)


def whole() -> Boxes:
    """Return the region that is all of the picture."""
    return Boxes(((0.0, 0.0, 1.0, 1.0),))


def area(skill: str, region: Region | None, outside: bool) -> Region:
    """Return the region that an edit is about: the one given, else the whole picture."""
    if region is None and outside:
        raise SkillError(
            f"{skill}: outside=True needs a region to leave as it is. Detect it first."
        )
    return whole() if region is None else parts_of(skill, region)


def each_part(region: Region, image: Image) -> Iterator[tuple[Window, Mask]]:
    """Yield for each part the window around it, and what of the window belongs to it."""
    for index in range(len(region)):
        part = region.take([index])
        window = bounds(part, image)
        if isinstance(part, Boxes):
            yield window, np.ones((window.height, window.width), bool)
        else:
            yield window, region_mask(part, image.width, image.height)[window.cut]


def bounds(region: Region, image: Image) -> Window:
    """Return the pixels that a region touches, as one window around all its parts."""
    boxes = np.array(region_boxes(region).xyxy)  # (part, 4)
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = boxes[:, 2:].max(axis=0)
    if isinstance(region, Masks):  # exact already; only rounding is taken away
        left, top, right, bottom = left + 1e-6, top + 1e-6, right - 1e-6, bottom - 1e-6
    x0 = min(int(left * image.width), image.width - 1)
    y0 = min(int(top * image.height), image.height - 1)
    x1 = min(max(int(np.ceil(right * image.width)), x0 + 1), image.width)
    y1 = min(max(int(np.ceil(bottom * image.height)), y0 + 1), image.height)
    return Window(x0, y0, x1, y1)


def edited(image: Image, pixels: Pixels) -> Image:
    """Return the picture with new pixels; camera and date stay, the format was the file's."""
    kept = {name: image.meta[name] for name in ("camera", "taken") if name in image.meta}
    return Image(pixels, meta=kept)


def mixed(old: Pixels, new: NDArray[np.uint8], weight: NDArray[np.float32] | Mask) -> Pixels:
    """Return old colours with the new ones where the weight says so; alpha stays.

    Args:
        old: (height, width, 3 or 4).
        new: (height, width, 3).
        weight: (height, width), 0 keeps the old and 1 takes the new.
    """
    result = old.copy()
    if weight.dtype == np.bool_:
        result[..., :3][weight] = new[weight]
        return result
    share = weight[..., None]
    blend = old[..., :3] * (1 - share) + new * share
    result[..., :3] = np.rint(blend).astype(np.uint8)
    return result


def feathered(mask: Mask, reach: float) -> NDArray[np.float32]:
    """Return 1 on the mask, falling to 0 over so many pixels outside it, never inside."""
    import cv2

    if reach < 1 or mask.all():
        return mask.astype(np.float32)
    far = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)
    return np.asarray(np.clip(1 - far / (reach + 1), 0, 1), np.float32)
