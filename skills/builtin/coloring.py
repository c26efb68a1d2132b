"""Telling the main colours of a picture or a part of it."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from llava_plus.errors import SkillError
from llava_plus.skills import Image, Region, Table, region_mask, skill

from .areas import parts_of
from .palette import hex_of, main_colors

_SEEN = 128  # of 255: what is more transparent than this has no colour of its own
_LEAST = 0.005  # of the pixels: less is not worth a row, unless it is all there is


@skill(examples=("which colors are in the picture", "what color is the sign"))
def colors(
    image: Image, *, region: Region | None = None, count: Annotated[int, Field(ge=1, le=20)] = 5
) -> Table:
    """List the main colours of the picture or a region: name, hex code and percentage.

    All pixels are counted, at full size, each under the nearest of 34 plain names (distance in
    CIELAB); hex is the commonest shade of that name. Percentages are of the pixels looked at, and
    colours under half a percent are left out, so they may add up to less than 100. What is
    transparent is not counted. It is the light in the picture that is named, so a white wall in
    the evening may be blue.

    Args:
        image: The picture to look at.
        region: Where to look; everywhere where left out.
        count: How many colours to list at most.
    """
    found = main_colors(_pixels(image, region))
    kept = [color for color in found if color.share >= _LEAST] or found
    rows = [(c.name, hex_of(c.rgb), float(f"{100 * c.share:.3g}")) for c in kept[:count]]
    return Table(("color", "hex", "percent"), tuple(rows))


def _pixels(image: Image, region: Region | None) -> NDArray[np.uint8]:
    """Return (pixel, 3): what lies in the region and can be seen."""
    there = np.ones((image.height, image.width), bool)
    if region is not None:
        there = region_mask(parts_of("colors", region), image.width, image.height)
    if image.pixels.shape[2] == 4:
        there = there & (image.pixels[..., 3] >= _SEEN)
    if not there.any():
        raise SkillError(
            "colors: all that lies there is transparent, so it has no colour. "
            "Give another region, or leave it out."
        )
    return image.pixels[..., :3].reshape(-1, 3) if there.all() else image.pixels[there][:, :3]
