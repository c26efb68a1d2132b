"""What the newer edits share: colours by name, ink laid over a picture, edits kept to a region."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import ImageColor

from llava_plus.errors import SkillError
from llava_plus.skills import Image, Region, region_mask

from .areas import Pixels, area, edited, mixed

Color = tuple[int, int, int]
Ink = NDArray[np.uint8]  # (height, width): 0 leaves the picture as it is, 255 covers it


def color_of(skill: str, words: str) -> Color:
    """Return the colour that a name or a code such as "#ff8800" stands for."""
    try:
        red, green, blue = ImageColor.getrgb(words.replace(" ", "").lower())[:3]
    except ValueError as error:
        raise SkillError(
            f"{skill}: no colour {words[:40]!r} is known. "
            "Give an English name such as 'light blue', or a code such as '#ff8800'."
        ) from error
    return red, green, blue


def opposite(color: Color) -> Color:
    """Return black or white, whichever stands out from a colour more."""
    red, green, blue = color
    return (0, 0, 0) if 0.299 * red + 0.587 * green + 0.114 * blue > 110 else (255, 255, 255)


def inked(pixels: Pixels, ink: Ink, color: Color) -> Pixels:
    """Return the pixels with a colour laid over them; what was transparent shows the ink too."""
    import cv2

    left, top, width, height = cv2.boundingRect(ink)
    if not width:
        return pixels
    cut = np.s_[top : top + height, left : left + width]
    share = (ink[cut] / np.float32(255)).astype(np.float32)
    colors = np.broadcast_to(np.array(color, np.uint8), (*share.shape, 3))
    result = pixels.copy()
    part = pixels[cut]
    if pixels.shape[2] == 3:
        result[cut] = mixed(part, colors, share)
        return result
    under = part[..., 3].astype(np.float32) / 255 * (1 - share)
    over = share + under  # (height, width): what covers after the ink has dried
    weight = (share / np.maximum(over, 1e-6)).astype(np.float32)
    result[cut] = mixed(part, colors, weight)
    result[..., 3][cut] = np.rint(over * 255).astype(np.uint8)
    return result


def kept_to(
    skill: str, image: Image, new: NDArray[np.uint8], region: Region | None, outside: bool
) -> Image:
    """Return the picture with new colours (height, width, 3) where an edit is wanted."""
    mask = region_mask(area(skill, region, outside), image.width, image.height) != outside
    if not mask.any():
        raise SkillError(
            f"{skill}: outside=True with a region of the whole picture leaves nothing."
        )
    return edited(image, mixed(image.pixels, new, mask))


def share_of(skill: str, name: str, value: float) -> float:
    """Return a strength of 0 to 1, or say that it is none."""
    if not math.isfinite(value) or not 0 <= value <= 1:
        raise SkillError(f"{skill}: {name} goes from 0 to 1, got {value}. 0.5 is a good start.")
    return value


def fitted(width: float, height: float, most_wide: float, most_high: float) -> tuple[int, int]:
    """Return the largest size of these proportions that fits, at least one pixel each way."""
    scale = min(most_wide / width, most_high / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def scaled(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Return the pixels at another size (width, height); what is transparent lends no colour."""
    from PIL import Image as Pillow

    how = Pillow.Resampling.LANCZOS
    return np.asarray(Pillow.fromarray(pixels).resize(size, how, reducing_gap=2.0))
