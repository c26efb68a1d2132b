"""Cutting a thing out of its picture, or putting another background behind it."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps
from pydantic import Field

from llava_plus.errors import SkillError
from llava_plus.skills import Boxes, Image, Points, Region, region_mask, skill

from .areas import Mask, edited, parts_of
from .hiding import blur
from .inking import color_of, share_of
from .outlining import segment
from .subjects import subject

_Alpha = NDArray[np.float32]  # (height, width): how much of the thing each pixel shows


@skill(
    examples=("remove the background", "cut out the person", "make the background transparent"),
    time_limit=60,
)
def remove_background(image: Image, *, region: Region | Points | None = None) -> Image:
    """Cut a thing out of the picture: all else becomes transparent, with a soft edge.

    Works where the thing stands out in colour. Without a region it answers only where one thing
    stands out clearly, and otherwise asks for a box.

    Args:
        image: The picture to cut from.
        region: What to keep: a box around it, a point on it, or its exact mask; where left out
            the one thing that stands out.
    """
    alpha = _softened(_thing("remove_background", image, region))
    return edited(image, _with_alpha(image, alpha))


@skill(examples=("put her on a blue background", "blur everything behind the cup"), time_limit=60)
def replace_background(
    image: Image,
    *,
    color: str | None = None,
    blurred: Annotated[float, Field(ge=0, le=1)] | None = None,
    picture: Image | None = None,
    region: Region | Points | None = None,
) -> Image:
    """Put a colour, a blur or another picture behind the thing that the picture shows.

    Give one of color, blurred or picture. A picture that is cut out already keeps its outline.

    Args:
        image: The picture whose background changes.
        color: The new background, such as "white" or "#88ccff".
        blurred: How much the background is blurred: 0.3 is slight, 1 leaves only colours.
        picture: The new background; it is cut to the shape of the first picture.
        region: What stays in front: a box around it, a point on it, or its exact mask; where left
            out the one thing that stands out.
    """
    given = [value for value in (color, blurred, picture) if value is not None]
    if len(given) != 1:
        raise SkillError(
            "replace_background: give one background: color, such as 'white', or blurred, such "
            "as 0.5, or a picture."
        )
    behind = _behind(image, color, blurred, picture)
    if region is None and image.pixels.shape[2] == 4:
        alpha = (image.pixels[..., 3] / np.float32(255)).astype(np.float32)
    else:
        alpha = _softened(_thing("replace_background", image, region))
    share = alpha[..., None]
    mixed = image.pixels[..., :3] * share + behind * (1 - share)
    return edited(image, np.rint(mixed).astype(np.uint8))


def _thing(skill: str, image: Image, region: Region | Points | None) -> Mask:
    """Return what stays of the picture."""
    if region is None:
        found = subject(image.rgb())
        if found is None:
            raise SkillError(
                f"{skill}: cannot tell which thing is meant. Give region: a box around it, such "
                "as one that was detected, a point on it, or its mask."
            )
        return found
    if not isinstance(region, Points):
        region = parts_of(skill, region)
    if isinstance(region, Points | Boxes):
        region = segment(image, region)
    return region_mask(region, image.width, image.height)


def _softened(mask: Mask) -> _Alpha:
    """Let the edge fade over about a five-hundredth of the picture, inwards more than outwards."""
    import cv2

    sigma = max(0.6, 0.001 * max(mask.shape))
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(np.clip(1.25 * soft - 0.25, 0, 1), np.float32)


def _with_alpha(image: Image, alpha: _Alpha) -> NDArray[np.uint8]:
    """Return (height, width, 4); what was transparent before stays so."""
    if image.pixels.shape[2] == 4:
        alpha = (alpha * (image.pixels[..., 3] / 255)).astype(np.float32)
    return np.dstack([image.pixels[..., :3], np.rint(alpha * 255).astype(np.uint8)])


def _behind(
    image: Image, color: str | None, blurred: float | None, picture: Image | None
) -> NDArray[np.uint8]:
    """Return the new background, (height, width, 3)."""
    if color is not None:
        flat = color_of("replace_background", color)
        return np.full((image.height, image.width, 3), flat, np.uint8)
    if picture is not None:
        fitting = ImageOps.fit(Image(picture.rgb()).to_pil(), (image.width, image.height))
        return np.asarray(fitting)
    assert blurred is not None
    strength = share_of("replace_background", "blurred", blurred)
    return blur(image, strength=strength).rgb()
