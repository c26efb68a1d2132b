"""Other sizes and the other way round: resize and flip."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from llava_plus.errors import SkillError
from llava_plus.skills import Image, skill
from llava_plus.skills.images import MAX_PIXELS, MAX_SIDE

from .areas import edited
from .inking import fitted, scaled

_Side = Annotated[int, Field(ge=1, le=MAX_SIDE)]


@skill(examples=("mirror the picture", "turn it into its mirror image", "flip it upside down"))
def flip(image: Image, *, direction: Literal["horizontal", "vertical"] = "horizontal") -> Image:
    """Mirror the picture: swap left and right, or top and bottom. Nothing is lost.

    Args:
        image: The picture to mirror.
        direction: "horizontal" swaps left and right, "vertical" top and bottom.
    """
    axis = 1 if direction == "horizontal" else 0
    return edited(image, np.ascontiguousarray(np.flip(image.pixels, axis=axis)))


@skill(examples=("make it 800 pixels wide", "half the size", "scale it to fit 1920x1080"))
def resize(
    image: Image,
    *,
    width: _Side | None = None,
    height: _Side | None = None,
    longest: _Side | None = None,
    scale: Annotated[float, Field(gt=0, le=100)] | None = None,
    stretch: bool = False,
) -> Image:
    """Make the picture larger or smaller; its proportions stay unless stretch is asked for.

    Width and height together mean the largest size that fits into both.

    Args:
        image: The picture to scale.
        width: How wide it becomes, in pixels.
        height: How high it becomes, in pixels.
        longest: How long its longer side becomes, in pixels.
        scale: How many times as large: 0.5 is half, 2 twice as wide and high.
        stretch: True takes width and height as they are, even if things look squeezed.
    """
    size = _wanted(image, width, height, longest, scale, stretch)
    wide, high = size
    if max(size) > MAX_SIDE or wide * high > MAX_PIXELS:
        raise SkillError(
            f"resize: {wide}x{high} is too large, at most {MAX_SIDE} pixels a side and "
            f"{MAX_PIXELS // 1_000_000} megapixels are made. Ask for a smaller size."
        )
    return edited(image, scaled(image.pixels, size))


def _wanted(
    image: Image,
    width: int | None,
    height: int | None,
    longest: int | None,
    scale: float | None,
    stretch: bool,
) -> tuple[int, int]:
    """Return width and height as asked for, or say what is missing or too much."""
    kinds = (width is not None or height is not None, longest is not None, scale is not None)
    if sum(kinds) != 1:
        raise SkillError(
            "resize: give one size: width or height or both, or longest, or scale, "
            "such as width=800 or scale=0.5."
        )
    for name, side in (("width", width), ("height", height), ("longest", longest)):
        if side is not None and side < 1:
            raise SkillError(f"resize: {name} is in pixels, at least 1, got {side}.")
    if stretch:
        if width is None or height is None:
            raise SkillError("resize: stretch=True needs both width and height.")
        return width, height
    if scale is not None:
        if not math.isfinite(scale) or scale <= 0:
            raise SkillError(f"resize: scale is above 0, such as 0.5 for half, got {scale}.")
        return max(1, round(image.width * scale)), max(1, round(image.height * scale))
    if longest is not None:
        return fitted(image.width, image.height, longest, longest)
    return fitted(image.width, image.height, width or math.inf, height or math.inf)
