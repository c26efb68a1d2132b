"""What a person points at, as values."""

from collections.abc import Callable
from typing import TypeVar

from llava_plus.errors import SetupError
from llava_plus.skills import Boxes, Points

Pointer = Points | Boxes
P = TypeVar("P", Points, Boxes)


def click(x: float, y: float) -> Points:
    """Return a place, in 0..1."""
    return _checked(lambda: Points(((x, y),)))


def dragged(x0: float, y0: float, x1: float, y1: float) -> Boxes:
    """Return a box, in 0..1 from any corner."""
    corners = (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))
    return _checked(lambda: Boxes((corners,)))


def _checked(make: Callable[[], P]) -> P:
    try:
        return make()
    except ValueError as error:
        raise SetupError(f"That is no place on a picture: {error}.") from error
