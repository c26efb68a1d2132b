"""Making pictures, and changing them as words say."""

from typing import Annotated, Literal

from pydantic import Field

from llava_plus.skills import Image, Masks, Region, skill
from llava_plus.skills.absent import needs_model

Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]
SLOW = 1800.0  # seconds; without an accelerator a picture takes minutes


@skill(time_limit=SLOW, examples=("draw a lighthouse at night", "make me a picture of a red fox"))
def generate(
    prompt: str,
    *,
    avoid: str = "",
    shape: Literal["square", "wide", "tall"] = "square",
    seed: Seed = 0,
) -> Image:
    """Make a new picture from words.

    Args:
        prompt: What the picture shows, and in what style.
        avoid: What must not be on it.
        shape: How wide it is against its height.
        seed: Another number gives another picture of the same words.
    """
    raise needs_model("generate")


@skill(time_limit=SLOW, examples=("make it winter", "turn the cat into a dog"))
def edit(
    image: Image,
    instruction: str,
    *,
    faithfulness: Annotated[float, Field(ge=1, le=5)] = 1.5,
    seed: Seed = 0,
) -> Image:
    """Change a whole picture as an instruction says.

    Args:
        image: The picture to change.
        instruction: What to do, such as "make it look like autumn".
        faithfulness: How much it stays like the picture; more changes less.
        seed: Another number gives another result.
    """
    raise needs_model("edit")


@skill(time_limit=SLOW, examples=("replace the car with a bicycle", "put a hat there"))
def inpaint(image: Image, region: Region, prompt: str, *, seed: Seed = 0) -> Image:
    """Paint something new over a region of a picture; the rest stays as it is.

    Args:
        image: The picture to change.
        region: Where to paint.
        prompt: What is to be there.
        seed: Another number gives another result.
    """
    raise needs_model("inpaint")


@skill(time_limit=SLOW, examples=("a similar scene under the sea", "the same street in the future"))
def redraw(layout: Masks, prompt: str, *, seed: Seed = 0) -> Image:
    """Make a new picture whose parts lie where those of a divided picture lie.

    Args:
        layout: Labelled parts of a whole picture, as semantic segmentation gives them.
        prompt: What the new picture shows.
        seed: Another number gives another picture.
    """
    raise needs_model("redraw")
