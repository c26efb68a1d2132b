"""Skills as somebody might write them: for requests from signatures alone."""

from typing import Annotated, Literal

from annotated_types import Ge, Le
from pydantic import BaseModel, Field

from llava_plus.skills import (
    Boxes,
    Image,
    Masks,
    Number,
    Points,
    Table,
    Tags,
    Text,
    TextLines,
    skill,
)

_enum = Literal["mild", "hot", "extra hot"]


class Frame(BaseModel):
    """How a frame looks."""

    width: Annotated[int, Field(ge=1, le=40)]
    color: str = "black"


@skill
def bounded(image: Image, *, amount: Annotated[float, Field(gt=0, lt=2)], level: int = 3) -> Image:
    """Warm the picture up by some amount."""
    return image


@skill
def spiced(image: Image, spice: _enum, times: Annotated[int, Ge(2), Le(5)] = 2) -> Tags:
    """Say which spices fit a picture."""
    return Tags((spice,) * times)


@skill
def listed(image: Image, names: list[str], sizes: tuple[int, float] | None = None) -> Table:
    """List names beside a picture, with their lengths."""
    return Table(("name", "length"), tuple((name, len(name)) for name in names))


@skill
def framed(image: Image, frame: Frame, *, twice: bool = False) -> Image:
    """Put a frame around the picture."""
    return image


@skill
def nested(image: Image, rows: list[list[Annotated[int, Field(ge=0, le=9)]]]) -> Number:
    """Add up rows of digits."""
    return Number(sum(map(sum, rows)))


@skill
def blended(first: Image, second: Image, third: Image | None = None) -> Image:
    """Blend two or three pictures into one."""
    return first


@skill
def talkative(topic: str, *, words: Annotated[int, Field(multiple_of=5, ge=5, le=50)] = 10) -> Text:
    """Say something about a topic, without any picture."""
    return Text(f"{topic} " * words)


@skill
def counted_lines(lines: TextLines) -> Number:
    """Count the letters of lines of text."""
    return Number(sum(map(len, lines.texts)))


@skill
def hollow(masks: Masks) -> Masks:
    """Keep the edges of masks."""
    return masks


@skill
def near(image: Image, places: Points) -> Boxes:
    """Find what lies near a place."""
    return Boxes(((0.1, 0.1, 0.3, 0.4),), labels=("near",), query="near thing")


@skill
def summed(table: Table, number: Number | None = None) -> Number:
    """Add up a table."""
    return Number(len(table))


@skill
def any_of(value: Tags | Text | Number) -> Text:
    """Write anything as words."""
    return Text(value.describe())
