"""Finding pictures in the person's own folder, which is named where the program starts."""

from typing import Annotated

from pydantic import Field

from llava_plus.skills import Image, Table, skill
from llava_plus.skills.absent import needs_model


@skill(
    examples=("find my photos of dogs on a beach", "which of my pictures look like this"),
    cache=False,
)
def search_images(
    text: str = "",
    *,
    image: Image | None = None,
    most: Annotated[int, Field(ge=1, le=50)] = 10,
) -> Table:
    """Search the person's own folder of pictures by words or by a picture, the best first.

    Gives a table of pictures with file names and likeness; open_found opens one of them, show_found
    shows them all. It ranks all pictures; whether any fits, a look at them tells.

    Args:
        text: What the pictures show, such as "a dog on a beach".
        image: A picture to which they are like, instead of text.
        most: How many to give.
    """
    raise needs_model("search_images")


@skill(examples=("open the second one that you found",), cache=False)
def open_found(found: Table, *, nth: Annotated[int, Field(ge=1, le=50)] = 1) -> Image:
    """Open one of the pictures that search_images found.

    Args:
        found: The table that search_images gave.
        nth: Which row of it, counted from 1.
    """
    raise needs_model("open_found")


@skill(examples=("show me what you found",), cache=False)
def show_found(found: Table) -> Image:
    """Show the pictures that search_images found on one sheet, small and numbered by row.

    Args:
        found: The table that search_images gave.
    """
    raise needs_model("show_found")
