r"""Show two pictures as one, split in the middle: two pictures and options with ranges go in.

llava-plus run stylize style=sketch --image ui/examples/coffee.jpg -o sketch.png
llava-plus run before_after at=0.4 --image ui/examples/coffee.jpg --image sketch.png \
    --skills examples/before_after.py -o out.png
"""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from llava_plus.errors import SkillError
from llava_plus.skills import Image, skill


@skill(examples=["show before and after in one picture"])
def before_after(
    image: Image,
    other: Image,
    *,
    at: Annotated[float, Field(ge=0, le=1)] = 0.5,
    direction: Literal["across", "down"] = "across",
    line: Annotated[int, Field(ge=0, le=50)] = 3,
) -> Image:
    """Join two versions of a picture: one part shows the first, the rest the second.

    Args:
        image: The picture before, on the left or on top.
        other: The picture after, of the same shape; it is brought to the size of the first.
        at: Where the line is, from 0 to 1.
        direction: Whether one goes from the first to the second across the picture or down.
        line: Pixels of the white line between them; 0 draws none.
    """
    if abs(np.log(image.width / image.height * other.height / other.width)) > 0.02:
        raise SkillError(
            f"before_after: the pictures have different shapes, {image.describe()} and "
            f"{other.describe()}. Crop or resize one of them first."
        )
    after = np.asarray(Image(other.rgb()).to_pil().resize((image.width, image.height)))
    joined = image.rgb().copy()  # (height, width, 3)
    along = joined if direction == "down" else joined.swapaxes(0, 1)  # views of the same pixels
    after = after if direction == "down" else after.swapaxes(0, 1)
    edge = round(at * len(along))
    along[edge:] = after[edge:]
    along[max(0, edge - line // 2) : edge + (line + 1) // 2] = 255
    return Image(joined)
