r"""Find what has a color: a picture goes in, masks come out, which crop, blur and others take.

llava-plus run find_color color=orange --image ui/examples/astronaut.jpg \
    --skills examples/find_color.py -o out.png
llava-plus chat ui/examples/astronaut.jpg --skills examples/find_color.py \
    -m "/find_color img_1 color=orange" -m "/crop img_1 region=masks_1"
"""

from typing import Annotated, Literal

import cv2
import numpy as np
from pydantic import Field

from llava_plus.skills import Image, Masks, skill

HUES = {  # degrees on the circle of colors, from and up to
    "red": (345, 7),
    "orange": (8, 44),
    "yellow": (45, 69),
    "green": (70, 164),
    "blue": (165, 259),
    "purple": (260, 344),
}


@skill(examples=["crop to the orange suit", "blur everything red"])
def find_color(
    image: Image,
    color: Literal["red", "orange", "yellow", "green", "blue", "purple"],
    *,
    least: Annotated[float, Field(ge=0, le=100)] = 1,
) -> Masks:
    """Find the connected parts of a picture that have a color: the twenty largest, in order.

    Pale, gray and very dark places have no color.

    Args:
        image: The picture to look at.
        color: Which color.
        least: Percent of the picture below which a part is left out.
    """
    hue, saturation, value = np.moveaxis(cv2.cvtColor(image.rgb(), cv2.COLOR_RGB2HSV), 2, 0)
    degrees = hue.astype(int) * 2  # OpenCV counts in steps of two
    low, high = HUES[color]
    within = (degrees >= low) & (degrees <= high) if low < high else ~between(degrees, high, low)
    colored = within & (saturation > 130) & (value > 60)  # (height, width)
    tidy = cv2.morphologyEx(colored.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    count, places, facts, _ = cv2.connectedComponentsWithStats(tidy)
    sizes = facts[:, cv2.CC_STAT_AREA]
    fewest = max(1, least / 100 * image.width * image.height)
    parts = [n for n in range(1, count) if sizes[n] >= fewest]  # 0 is all the rest
    parts = sorted(parts, key=lambda n: -sizes[n])[:20]
    masks = places == np.array(parts, int)[:, None, None]  # (part, height, width)
    return Masks.from_array(masks, labels=(color,) * len(parts), query=f"{color} part")


def between(degrees: np.ndarray, low: int, high: int) -> np.ndarray:
    """Tell where an angle lies strictly between two others."""
    return (degrees > low) & (degrees < high)
