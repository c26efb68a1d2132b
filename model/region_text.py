"""Boxes in words, as each system writes them, and from one system's way to another's.

A text is a list of pieces: plain words, and `Grounded` phrases with their boxes. Boxes are
(x0, y0, x1, y1) in 0..1 of the picture, from its top left. Two systems count on another picture
than the one given: LLaVA-1.5 on the square that its borders make (`onto_square`), and MiniGPT-v2,
Qwen-VL and CogVLM on the squeezed one, which in 0..1 is the same.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

Box = tuple[float, float, float, float]

_KOSMOS_CELLS = 32  # cells along either side of a picture
_NUMBER = r"\s*(?:\d*\.)?\d+\s*"
_FOUR = ",".join([_NUMBER] * 4)


@dataclass(frozen=True, kw_only=True)
class Grounded:
    """A phrase and where the picture shows it; the phrase is empty where nothing marks it."""

    phrase: str = ""
    boxes: tuple[Box, ...]


Piece = str | Grounded


@dataclass(frozen=True, kw_only=True)
class RegionSyntax:
    """How a system writes boxes.

    Args:
        name: What `SYNTAXES` calls it.
        phrase: How a phrase is marked, with ``{}`` for its words.
        boxes: How the boxes of one phrase are put together, with ``{}`` for them.
        join: What stands between them.
        pattern: Finds a grounded phrase; groups ``phrase`` (or none) and ``boxes``.
        write: A box in words.
        read: All boxes of the words that ``boxes`` matched.
    """

    name: str
    phrase: str
    boxes: str
    join: str
    pattern: re.Pattern[str]
    write: Callable[[Box], str]
    read: Callable[[str], list[Box]]


def write_regions(pieces: Sequence[Piece], syntax: str) -> str:
    """A text in a system's words."""
    way, text = _syntax(syntax), ""
    for piece in pieces:
        if isinstance(piece, str):
            text += piece
            continue
        if piece.phrase:
            text += way.phrase.format(piece.phrase)
        text += way.boxes.format(way.join.join(way.write(_checked(box)) for box in piece.boxes))
    return text


def read_regions(text: str, syntax: str) -> list[Piece]:
    """The pieces of a text in a system's words; what is no box of that system stays words."""
    way, pieces, end = _syntax(syntax), list[Piece](), 0
    for found in way.pattern.finditer(text):
        boxes = tuple(way.read(found["boxes"]))
        if not boxes:
            continue
        if words := text[end : found.start()]:
            pieces.append(words)
        phrase = found.groupdict().get("phrase") or ""
        pieces.append(Grounded(phrase=phrase.strip(), boxes=boxes))
        end = found.end()
    return [*pieces, text[end:]] if text[end:] else pieces


def convert_regions(text: str, source: str, target: str) -> str:
    """A text of one system in another's words; boxes move by less than a step of either's grid."""
    return write_regions(read_regions(text, source), target)


def onto_square(box: Box, size: tuple[int, int], *, back: bool = False) -> Box:
    """A box of a picture (height, width) on the square that borders make of it, or back."""
    side = max(size)
    edges = []
    for at, value in enumerate(box):
        length = size[1] if at % 2 == 0 else size[0]
        border = (side - length) / 2
        edges.append((value * side - border) / length if back else (value * length + border) / side)
    left, top, right, bottom = edges
    return left, top, right, bottom


def _checked(box: Box) -> Box:
    left, top, right, bottom = box
    if not (0 <= left <= right <= 1 and 0 <= top <= bottom <= 1):
        raise ValueError(f"A box must be x0 <= x1 and y0 <= y1 in 0..1, got {box}.")
    return box


def _syntax(name: str) -> RegionSyntax:
    if name not in SYNTAXES:
        raise ValueError(f"No region syntax {name!r}. Known: {', '.join(sorted(SYNTAXES))}.")
    return SYNTAXES[name]


def _bins(box: Box, bins: int, most: int) -> list[int]:
    """Numbers of the bins that a box's edges lie in."""
    return [min(int(value * bins + 1e-6), most) for value in box]


def _in_bins(form: str, bins: int, most: int, box: Box) -> str:
    return form.format(*_bins(box, bins, most))


def _in_decimals(form: str, box: Box) -> str:
    return form.format(*box)


def _read_numbers(number: str, scale: float, text: str) -> list[Box]:
    """Boxes of numbers in a row, in units of which ``scale`` make one; none if any is no box."""
    values = [float(one) / scale for one in re.findall(number, text)]
    boxes = [(a, b, c, d) for a, b, c, d in zip(*[iter(values)] * 4, strict=False)]
    good = len(values) % 4 == 0 and all(
        0 <= a <= c <= 1 and 0 <= b <= d <= 1 for a, b, c, d in boxes
    )
    return boxes if good else []


def _write_kosmos(box: Box) -> str:
    """The first and the last cell that a box covers, counted row by row."""
    left, top = (min(int(value * _KOSMOS_CELLS + 1e-6), _KOSMOS_CELLS - 1) for value in box[:2])
    right, bottom = (math.ceil(value * _KOSMOS_CELLS - 1e-6) - 1 for value in box[2:])
    first = top * _KOSMOS_CELLS + left
    last = max(bottom, top) * _KOSMOS_CELLS + max(right, left)
    return f"<patch_index_{first:04d}><patch_index_{last:04d}>"


def _read_kosmos(text: str) -> list[Box]:
    """From the middle of the first cell to that of the last; whole cells of one row or column."""
    cells = [divmod(int(one), _KOSMOS_CELLS) for one in re.findall(r"patch_index_(\d+)", text)]
    boxes = []
    for (top, left), (bottom, right) in zip(cells[::2], cells[1::2], strict=False):
        if top > bottom or left > right or bottom >= _KOSMOS_CELLS:
            return []
        inset = 0.0 if top == bottom or left == right else 0.5
        edges = (left + inset, top + inset, right + 1 - inset, bottom + 1 - inset)
        left_, top_, right_, bottom_ = (edge / _KOSMOS_CELLS for edge in edges)
        boxes.append((left_, top_, right_, bottom_))
    return boxes


def _between(start: str, end: str) -> str:
    """A marked phrase that may be left out."""
    return rf"(?:{start}(?P<phrase>[^<]*){end}\s*)?"


_PATCHES = r"(?:<patch_index_\d{4}>){2}"
_QWEN = r"<box>\(\d{1,4},\d{1,4}\),\(\d{1,4},\d{1,4}\)</box>"
_MINIGPT = r"\{(?:<\d{1,3}>){4}\}"
_COG = r"\d{3},\d{3},\d{3},\d{3}"

SYNTAXES = {
    syntax.name: syntax
    for syntax in (
        RegionSyntax(
            name="kosmos",
            phrase="<phrase>{}</phrase>",
            boxes="<object>{}</object>",
            join="</delimiter_of_multi_objects/>",
            pattern=re.compile(
                _between("<phrase>", "</phrase>")
                + rf"<object>(?P<boxes>{_PATCHES}"
                + rf"(?:</delimiter_of_multi_objects/>{_PATCHES})*)</object>"
            ),
            write=_write_kosmos,
            read=_read_kosmos,
        ),
        RegionSyntax(
            name="qwen-vl",
            phrase="<ref>{}</ref>",
            boxes="{}",
            join="",
            pattern=re.compile(_between("<ref>", "</ref>") + rf"(?P<boxes>(?:{_QWEN})+)"),
            write=partial(_in_bins, "<box>({},{}),({},{})</box>", 1000, 999),
            read=partial(_read_numbers, r"\d+", 1000),
        ),
        RegionSyntax(
            name="minigpt-v2",
            phrase="<p>{}</p> ",
            boxes="{}",
            join="<delim>",
            pattern=re.compile(
                _between("<p>", "</p>") + rf"(?P<boxes>{_MINIGPT}(?:<delim>{_MINIGPT})*)"
            ),
            write=partial(_in_bins, "{{<{}><{}><{}><{}>}}", 100, 100),
            read=partial(_read_numbers, r"\d+", 100),
        ),
        RegionSyntax(
            name="cogvlm",
            phrase="{} ",
            boxes="[[{}]]",
            join=";",
            pattern=re.compile(rf"\[\[(?P<boxes>{_COG}(?:;{_COG})*)\]\]"),
            write=partial(_in_bins, "{:03d},{:03d},{:03d},{:03d}", 1000, 999),
            read=partial(_read_numbers, r"\d+", 1000),
        ),
        RegionSyntax(
            name="llava",
            phrase="{} ",
            boxes="{}",
            join=", ",
            pattern=re.compile(rf"(?P<boxes>\[{_FOUR}\](?:,\s*\[{_FOUR}\])*)"),
            write=partial(_in_decimals, "[{:.2f}, {:.2f}, {:.2f}, {:.2f}]"),
            read=partial(_read_numbers, r"(?:\d*\.)?\d+", 1),
        ),
        RegionSyntax(
            name="shikra",
            phrase="{} ",
            boxes="[{}]",
            join=";",
            pattern=re.compile(rf"\[(?P<boxes>{_FOUR}(?:;{_FOUR})*)\]"),
            write=partial(_in_decimals, "{:.3f},{:.3f},{:.3f},{:.3f}"),
            read=partial(_read_numbers, r"(?:\d*\.)?\d+", 1),
        ),
    )
}
