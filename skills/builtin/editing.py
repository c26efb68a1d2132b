"""The plain edits: crop, rotate, adjust; and what is known of a picture."""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from llava_plus.errors import SkillError
from llava_plus.skills import Image, Region, Table, region_mask, skill
from llava_plus.skills.images import MAX_SIDE
from llava_plus.skills.values import Cell

from .areas import Pixels, area, bounds, edited, mixed, parts_of

_Change = Annotated[float, Field(ge=-1, le=1)]
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@skill(examples=("crop to the left face", "zoom in on the text"))
def crop(
    image: Image, region: Region, *, margin: Annotated[float, Field(ge=0, le=1)] = 0.0
) -> Image:
    """Cut the picture to the box around a region.

    Args:
        image: The picture to cut.
        region: What to keep; of several parts the box around all of them.
        margin: How much more to keep on each side, as a share of the box: 0.1 is 10 %.
    """
    window = bounds(parts_of("crop", region), image)
    window = window.grown(margin * window.width, margin * window.height, image)
    return edited(image, image.pixels[window.cut])


@skill(examples=("turn it left", "mirror the picture"))
def rotate(
    image: Image, *, degrees: float = 0, flip: Literal["horizontal", "vertical"] | None = None
) -> Image:
    """Turn the picture clockwise, or mirror it.

    Quarter turns and mirroring lose nothing. At any other angle the picture grows so that
    nothing is cut off, with white corners, or transparent ones where it has transparency.

    Args:
        image: The picture to turn.
        degrees: How far to turn it clockwise: 90 is right, -90 left, 180 upside down.
        flip: "horizontal" swaps left and right, "vertical" top and bottom, after turning.
    """
    if not math.isfinite(degrees):
        raise SkillError(f"rotate: degrees must be a number such as 90, got {degrees}.")
    degrees %= 360
    if not degrees and flip is None:
        raise SkillError("rotate: nothing to do. Give degrees such as 90, or flip='horizontal'.")
    quarters = -round(degrees / 90)
    old = image.pixels
    pixels = _turned(old, degrees) if degrees % 90 else np.rot90(old, quarters)
    if flip is not None:
        pixels = np.flip(pixels, axis=1 if flip == "horizontal" else 0)
    return edited(image, np.ascontiguousarray(pixels))


@skill(examples=("make it a bit brighter", "black and white except the flower"))
def adjust(
    image: Image,
    *,
    brightness: _Change = 0,
    contrast: _Change = 0,
    saturation: _Change = 0,
    sharpness: _Change = 0,
    grayscale: bool = False,
    region: Region | None = None,
    outside: bool = False,
) -> Image:
    """Change brightness, contrast, colour or sharpness of the picture or a region of it.

    All changes go from -1 to 1; 0 leaves as it is, 0.15 is slight, 0.3 clear, 0.6 strong.

    Args:
        image: The picture to edit.
        brightness: Above 0 lightens without burning out, below 0 darkens.
        contrast: Above 0 spreads light and dark, below 0 flattens.
        saturation: Above 0 strengthens colours, below 0 fades them; -1 is grey.
        sharpness: Above 0 sharpens, below 0 softens.
        grayscale: True makes it black and white.
        region: Where to change; the whole picture where left out.
        outside: True changes everything except the region.
    """
    target = area("adjust", region, outside)
    if not (brightness or contrast or saturation or sharpness or grayscale):
        raise SkillError(
            "adjust: nothing to change. Give brightness, contrast, saturation or sharpness "
            "from -1 to 1, such as brightness=0.3, or grayscale=True."
        )
    mask = region_mask(target, image.width, image.height) != outside
    if not mask.any():
        raise SkillError("adjust: outside=True with a region of the whole picture leaves nothing.")
    pixels = image.pixels[..., :3]
    if sharpness:
        pixels = _sharpened(pixels, sharpness)
    if brightness:
        pixels = _lightness_table(brightness)[pixels]
    if contrast or saturation or grayscale:
        pixels = _recolored(pixels, mask, contrast, -1.0 if grayscale else saturation)
    return edited(image, mixed(image.pixels, pixels, mask))


@skill(examples=("how big is it", "what camera took this"))
def image_info(image: Image) -> Table:
    """Tell the size, shape, format, camera and date of a picture, as far as its file says.

    Args:
        image: The picture to ask about.
    """
    width, height = image.width, image.height
    shape = "square" if width == height else "landscape" if width > height else "portrait"
    rows: list[tuple[Cell, ...]] = [
        ("width", width),
        ("height", height),
        ("megapixels", float(f"{width * height / 1e6:.2g}")),
        ("orientation", shape),
        ("transparent", "yes" if image.pixels.shape[2] == 4 else "no"),
    ]
    rows += [(name, image.meta.get(name, "not stored")) for name in ("format", "camera", "taken")]
    rows += [(name, fact) for name, fact in image.meta.items() if name == "scaled"]
    return Table(("property", "value"), tuple(rows))


def _turned(pixels: Pixels, degrees: float) -> Pixels:
    """Turn by any angle on a canvas that holds all of it, no side longer than MAX_SIDE."""
    import cv2

    height, width = pixels.shape[:2]
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    wide = abs(cos) * width + abs(sin) * height
    high = abs(sin) * width + abs(cos) * height
    scale = min(1.0, MAX_SIDE / max(wide, high))
    size = (max(1, round(wide * scale)), max(1, round(high * scale)))
    turn = np.array([[cos, -sin], [sin, cos]]) * scale
    middle = np.array([width - 1, height - 1]) / 2
    shift = (np.array(size) - 1) / 2 - turn @ middle
    clear = pixels.shape[2] == 4
    matrix = np.column_stack([turn, shift])
    how = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_CUBIC
    corner = (255, 255, 255, 0) if clear else (255, 255, 255)
    return np.asarray(
        cv2.warpAffine(np.ascontiguousarray(pixels), matrix, size, flags=how, borderValue=corner),
        np.uint8,
    )


def _lightness_table(amount: float) -> NDArray[np.uint8]:
    """Return what each of 256 levels becomes: a soft shoulder upwards, a plain factor down."""
    level = np.arange(256) / 255
    new = 1 - (1 - level) ** (1 + 1.5 * amount) if amount > 0 else level * (1 + 0.85 * amount)
    return np.rint(new * 255).astype(np.uint8)


def _recolored(
    pixels: NDArray[np.uint8], mask: NDArray[np.bool_], contrast: float, saturation: float
) -> NDArray[np.uint8]:
    """Move colours away from or towards their grey, and greys from or towards their mean."""
    colors: NDArray[np.floating] = pixels.astype(np.float32)
    grey = (colors @ _LUMA)[..., None]  # (height, width, 1)
    if saturation:
        colors = grey + (colors - grey) * (1 + saturation * (1.5 if saturation > 0 else 1))
    if contrast:
        mean = float(grey[..., 0][mask].mean())
        colors = mean + (colors - mean) * (1 + contrast * (1.5 if contrast > 0 else 0.9))
    return np.asarray(np.clip(np.rint(colors), 0, 255), np.uint8)


def _sharpened(pixels: NDArray[np.uint8], amount: float) -> NDArray[np.uint8]:
    """Add the difference to a blurred copy, or blend towards it; its width grows with the size."""
    import cv2

    sigma = max(1.0, min(pixels.shape[:2]) / 600) * (1 if amount > 0 else 2)
    colors = np.ascontiguousarray(pixels).astype(np.float32)
    soft = cv2.GaussianBlur(colors, (0, 0), sigma)
    new = colors + (colors - soft) * (2 * amount if amount > 0 else amount)
    return np.asarray(np.clip(np.rint(new), 0, 255), np.uint8)
