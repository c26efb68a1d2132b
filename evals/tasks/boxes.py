"""Where an answer says that a thing is: boxes as four families of models write them."""

import re
from collections.abc import Sequence

Box = tuple[float, float, float, float]  # x0, y0, x1, y1 in 0..1

NOWHERE: Box = (0.0, 0.0, 0.0, 0.0)
ENOUGH = 0.5  # intersection over union from which a box is right
_NUMBER = r"\s*(-?\d+(?:\.\d+)?|-?\.\d+)\s*"
_QWEN = re.compile(r"\((.*?)\),\((.*?)\)")
_MINIGPT = re.compile(r"\{<(\d{1,3})><(\d{1,3})><(\d{1,3})><(\d{1,3})>\}")
_COGVLM = re.compile(r"\[\[(\d+),(\d+),(\d+),(\d+)(?:;[\d,;]*)?\]\]")
_PLAIN = re.compile(rf"\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\]")


def qwen(answer: str) -> Box:
    """The first ``(x0,y0),(x1,y1)``, written in [0, 1000) but read by 999.

    What stands between the first such brackets counts, even where it is no pair of numbers.
    """
    found = _QWEN.search(answer)
    corners = [corner.split(",") for corner in found.groups()] if found else []
    try:
        (x0, y0), (x1, y1) = [[float(number) / 999 for number in corner] for corner in corners]
    except ValueError:
        return NOWHERE
    return x0, y0, x1, y1


def minigpt(answer: str) -> Box:
    """The first ``{<x0><y0><x1><y1>}`` of 0 to 100, as MiniGPT-v2 writes it."""
    return _first(_MINIGPT, answer, 100)


def cogvlm(answer: str) -> Box:
    """The first box of the first ``[[x0,y0,x1,y1]]`` of 000 to 999, read by 1000."""
    return _first(_COGVLM, answer, 1000)


def plain(answer: str) -> Box:
    """The first ``[x0, y0, x1, y1]`` in 0..1."""
    return _first(_PLAIN, answer, 1)


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes; 0 where one has no area or is the wrong way round."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(0.0, width) * max(0.0, height)
    union = _area(a) + _area(b) - both
    return both / union if both else 0.0


def _first(pattern: re.Pattern[str], answer: str, scale: float) -> Box:
    found = pattern.search(answer)
    if not found:
        return NOWHERE
    x0, y0, x1, y1 = (float(number) / scale for number in found.groups())
    return x0, y0, x1, y1


def _area(box: Sequence[float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])
