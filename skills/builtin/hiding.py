"""Making things unrecognisable or making them go away: blur, pixelate, erase."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from llava_plus.errors import SkillError
from llava_plus.skills import Image, Region, region_mask, skill

from .areas import Pixels, Window, area, bounds, each_part, edited, feathered, mixed, parts_of
from .inpainting import filled

_MOST = 0.6  # of the picture: with more of it gone there is nothing to fill the hole from


@skill(examples=("blur all the faces", "blur the background"))
def blur(
    image: Image,
    *,
    region: Region | None = None,
    strength: Annotated[float, Field(ge=0, le=1)] = 0.5,
    outside: bool = False,
) -> Image:
    """Blur the picture or a region of it, for instance to make faces unrecognisable.

    The blur of a region grows with the size of each part, so that at strength 0.5 a face is
    unrecognisable whether it is 30 or 3000 pixels large.

    Args:
        image: The picture to edit.
        region: What to blur; the whole picture where left out.
        strength: 0 changes nothing, 0.5 hides a face, 1 leaves a smear.
        outside: True blurs everything except the region.
    """
    target = area("blur", region, outside)
    if region is None or outside:
        soft = _blurred(image.pixels, 0.04 * strength * min(image.width, image.height))
        if region is None:
            return edited(image, mixed(image.pixels, soft, _all(image)))
        return _kept(image, soft, target)
    result = image.pixels
    for window, mask in each_part(target, image):
        reach = 0.04 * window.size
        around = window.grown(reach, reach, image)
        sigma = 0.25 * strength * window.size
        source = around.grown(2 * sigma, 2 * sigma, image)
        soft = _blurred(image.pixels[source.cut], sigma)[_within(around, source).cut]
        weight = feathered(_padded(mask, window, around), reach if strength else 0)
        result = _pasted(result, around, mixed(result[around.cut], soft, weight))
    return edited(image, result)


@skill(examples=("censor the text", "pixelate the faces"))
def pixelate(
    image: Image,
    *,
    region: Region | None = None,
    strength: Annotated[float, Field(ge=0, le=1)] = 0.5,
    outside: bool = False,
) -> Image:
    """Cover the picture or a region of it with a mosaic of coarse squares, to censor it.

    Args:
        image: The picture to edit.
        region: What to cover; the whole picture where left out.
        strength: 0 changes nothing, 0.5 leaves about six squares across each part, 1 two.
        outside: True covers everything except the region.
    """
    target = area("pixelate", region, outside)
    if not strength:
        return edited(image, image.pixels)
    if region is None or outside:
        across = 96 * (12 / 96) ** strength
        coarse = _mosaic(image.pixels, min(image.width, image.height) / across)
        if region is None:
            return edited(image, mixed(image.pixels, coarse, _all(image)))
        return _kept(image, coarse, target)
    result = image.pixels
    for window, mask in each_part(target, image):
        across = 16 * (2.25 / 16) ** strength
        coarse = _mosaic(image.pixels[window.cut], window.size / across)
        result = _pasted(result, window, mixed(result[window.cut], coarse, mask))
    return edited(image, result)


@skill(examples=("remove the thing in the box",), time_limit=60, isolation="worker")
def erase(image: Image, region: Region) -> Image:
    """Remove what is in a region and fill the hole from what surrounds it.

    Small things on plain or regularly textured ground vanish; large holes show.

    Args:
        image: The picture to edit.
        region: What to remove; its edge is taken along.
    """
    region = parts_of("erase", region)
    mask = region_mask(region, image.width, image.height)
    share = float(mask.mean())
    if share > _MOST:
        raise SkillError(
            f"erase: the region covers {share:.0%} of the picture, at most {_MOST:.0%} can be "
            "filled from the rest. Give a smaller region, or crop to what should stay."
        )
    return edited(image, filled(image.pixels, mask, bounds(region, image)))


def _blurred(pixels: Pixels, sigma: float) -> NDArray[np.uint8]:
    """Blur (height, width, 3 or 4) to (height, width, 3); what is transparent lends no colour."""
    import cv2

    height, width = pixels.shape[:2]
    if sigma < 0.1:
        return pixels[..., :3].copy()
    colors = pixels[..., :3].astype(np.float32)
    scale = min(1.0, 4 / sigma)  # a wide blur of a small copy looks the same and takes no time
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    alpha = pixels[..., 3:] if pixels.shape[2] == 4 else np.full((height, width, 1), 255)
    weight = alpha.astype(np.float32) / 255 + np.float32(1e-3)
    packed = np.concatenate([colors * weight, weight], axis=2)  # (height, width, 4)
    small = cv2.resize(packed, size, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma * scale, borderType=cv2.BORDER_REPLICATE)
    wide = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))
    soft = wide[..., :3] / np.maximum(wide[..., 3:], 1e-4)
    return np.asarray(np.clip(np.rint(soft), 0, 255), np.uint8)


def _mosaic(pixels: Pixels, side: float) -> NDArray[np.uint8]:
    """Return (height, width, 3) squares of at least two pixels, each in its mean colour."""
    import cv2

    height, width = pixels.shape[:2]
    side = max(2.0, side)
    size = (max(1, round(width / side)), max(1, round(height / side)))
    small = cv2.resize(np.ascontiguousarray(pixels[..., :3]), size, interpolation=cv2.INTER_AREA)
    coarse = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(coarse, np.uint8)


def _kept(image: Image, new: NDArray[np.uint8], region: Region) -> Image:
    """Return the new picture with the region as it was, its edge softened outwards."""
    mask = region_mask(region, image.width, image.height)
    reach = 0.01 * min(image.width, image.height)
    return edited(image, mixed(image.pixels, new, 1 - feathered(mask, reach)))


def _all(image: Image) -> NDArray[np.bool_]:
    return np.ones((image.height, image.width), bool)


def _within(inner: Window, outer: Window) -> Window:
    left, top = inner.left - outer.left, inner.top - outer.top
    return Window(left, top, left + inner.width, top + inner.height)


def _padded(mask: NDArray[np.bool_], window: Window, around: Window) -> NDArray[np.bool_]:
    padded = np.zeros((around.height, around.width), bool)
    padded[_within(window, around).cut] = mask
    return padded


def _pasted(pixels: Pixels, window: Window, patch: Pixels) -> Pixels:
    result = pixels if pixels.flags.writeable else pixels.copy()
    result[window.cut] = patch
    return result
