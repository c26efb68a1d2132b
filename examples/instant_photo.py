r"""Frame a picture like an instant photograph: a picture goes in, a picture comes out.

llava-plus run instant_photo --image ui/examples/coffee.jpg \
    --skills examples/instant_photo.py -o out.png
"""

from typing import Annotated

import numpy as np
from pydantic import Field

from llava_plus.skills import Image, skill

PAPER = (248, 246, 240)  # RGB of the card


@skill(examples=["put it in a polaroid frame"])
def instant_photo(
    image: Image, *, border: Annotated[float, Field(ge=0.01, le=0.5)] = 0.07
) -> Image:
    """Put the picture on a white card with a wide lower edge, like an instant photograph.

    Args:
        image: The picture.
        border: Width of the edges, as a share of the shorter side; the lower one has four times it.
    """
    edge = max(1, round(border * min(image.width, image.height)))
    card = np.full((image.height + 5 * edge, image.width + 2 * edge, 3), PAPER, np.uint8)
    card[edge : edge + image.height, edge : edge + image.width] = image.rgb()
    return Image(card)
