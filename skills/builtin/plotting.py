"""Turning a table into a chart."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Literal

from llava_plus.errors import SkillError
from llava_plus.skills import Image, Table, skill
from llava_plus.skills.drawing import Color
from llava_plus.skills.values import Cell

from .charts import Series, draw_bars, draw_dots, draw_line, draw_slices

Kind = Literal["bar", "line", "pie", "scatter"]

_DRAWN = {"bar": draw_bars, "line": draw_line, "pie": draw_slices, "scatter": draw_dots}
_MOST = {"bar": 40, "line": 10_000, "pie": 1000, "scatter": 10_000}  # rows
_LARGEST, _SMALLEST = 1e15, 1e-15
_HEX = re.compile(r"#[0-9a-fA-F]{6}")


@skill(examples=("draw a bar chart of the colors", "plot width against height"))
def plot(
    table: Table,
    *,
    kind: Kind = "bar",
    x: str | None = None,
    y: str | None = None,
    title: str = "",
) -> Image:
    """Draw a table as a bar, line, pie or scatter chart of 960x600 pixels.

    Rows without a number in the chosen column are left out, and the chart says how many. Where a
    column holds hex colours, as that of colors does, bars, slices and dots have them. Latin
    letters are drawn, others become "?". Bars: at most 40 rows; pies: shares of the sum of
    the rows, the seven largest and the rest as "other".

    Args:
        table: The numbers to draw.
        kind: bar and pie compare things, line shows a course, scatter two columns of numbers.
        x: The column for names or for the horizontal axis; the first where left out.
        y: The column of numbers; the first that has numbers where left out.
        title: What stands above; the names of the columns where left out.
    """
    if not len(table):
        raise SkillError("plot: the table is empty. Make one that has rows, such as by measure.")
    up = _numbers_column(table, x, y)
    across = _across_column(table, kind, x, up)
    kept = [row for row in table.rows if _number(row[up]) is not None]
    places: tuple[float, ...] = ()
    if across is not None and kind in ("line", "scatter") and _is_numeric(kept, across):
        kept = [row for row in kept if _number(row[across]) is not None]
        places = tuple(_number(row[across]) or 0.0 for row in kept)
    series = _series(table, kept, across, up, places, title)
    _check(kind, series)
    return Image(_DRAWN[kind](series))


def _series(
    table: Table,
    rows: Sequence[tuple[Cell, ...]],
    across: int | None,
    up: int,
    places: tuple[float, ...],
    title: str,
) -> Series:
    names = [str(i) if across is None else _word(row[across]) for i, row in enumerate(rows, 1)]
    x_name = "row" if across is None else table.columns[across]
    y_name = table.columns[up]
    left_out = len(table) - len(rows)
    return Series(
        title=title.strip() or f"{y_name} by {x_name}",
        x_name=x_name,
        y_name=y_name,
        names=tuple(names),
        x=places,
        y=tuple(_number(row[up]) or 0.0 for row in rows),
        colors=_own_colors(rows),
        note=f"{left_out} of {len(table)} rows without a number left out" if left_out else "",
    )


def _check(kind: Kind, series: Series) -> None:
    """Say what stands in the way of a chart of this kind."""
    if not series.y:
        raise SkillError(
            f"plot: no row has numbers in {series.y_name!r} for a {kind} chart. "
            "Choose another column with y, or another kind."
        )
    if len(series.y) > _MOST[kind]:
        raise SkillError(
            f"plot: a {kind} chart takes at most {_MOST[kind]} rows, got {len(series.y)}. "
            "Use kind='line', or a table with fewer rows."
        )
    if kind == "scatter" and not series.x:
        raise SkillError(
            f"plot: a scatter chart needs two columns of numbers, {series.x_name!r} has mostly "
            "others. Choose another column with x."
        )
    if kind == "pie" and (min(series.y) < 0 or sum(series.y) <= 0):
        raise SkillError(
            f"plot: a pie needs numbers from 0 up that are not all 0, {series.y_name!r} has "
            f"{min(series.y):g} to {max(series.y):g}. Use kind='bar'."
        )


def _numbers_column(table: Table, x: str | None, y: str | None) -> int:
    """Return the column named, or the first that has numbers and is not for the names."""
    if y is not None:
        return _column(table, y, "y")
    used = 0 if x is None else _column(table, x, "x")
    having = [
        i for i in range(len(table.columns)) if any(_number(r[i]) is not None for r in table.rows)
    ]
    if not having:
        raise SkillError(
            f"plot: the table has no numbers, only {', '.join(table.columns)}. "
            "Draw one that has some, such as that of measure or colors."
        )
    return next((index for index in having if index != used), having[0])


def _across_column(table: Table, kind: Kind, x: str | None, up: int) -> int | None:
    """Return the column named, or the first that is not drawn upwards; None for row numbers."""
    if x is not None:
        return _column(table, x, "x")
    others = [index for index in range(len(table.columns)) if index != up]
    if kind == "scatter":
        others = [index for index in others if _has_numbers(table, index)]
        if not others:
            raise SkillError(
                f"plot: a scatter chart needs two columns of numbers, the table has only "
                f"{table.columns[up]!r}. Use kind='bar' or 'line'."
            )
    return others[0] if others else None


def _column(table: Table, name: str, parameter: str) -> int:
    """Find a column by its name, or by the beginning of it."""
    wanted = name.strip().casefold()
    names = [column.casefold() for column in table.columns]
    near = [index for index, column in enumerate(names) if wanted and column.startswith(wanted)]
    if wanted in names:
        return names.index(wanted)
    if near:
        return near[0]
    raise SkillError(
        f"plot: {parameter} names no column {name!r}. There are: {', '.join(table.columns)}."
    )


def _has_numbers(table: Table, index: int) -> bool:
    return any(_number(row[index]) is not None for row in table.rows)


def _is_numeric(rows: Sequence[tuple[Cell, ...]], index: int) -> bool:
    """Whether at least half of the cells are numbers."""
    numbers = [row for row in rows if _number(row[index]) is not None]
    return len(numbers) > 0 and 2 * len(numbers) >= len(rows)


def _number(cell: Cell) -> float | None:
    """Return what can be drawn: no truth, no text, nothing infinite or beyond all measure."""
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return None
    if not abs(cell) <= _LARGEST:  # also what is no number
        return None
    return float(cell) if abs(cell) >= _SMALLEST else 0.0


def _word(cell: Cell) -> str:
    if isinstance(cell, float) and math.isfinite(cell):
        return f"{cell:.6g}"
    return "unknown" if cell is None else str(cell)


def _own_colors(rows: Sequence[tuple[Cell, ...]]) -> tuple[Color, ...]:
    """Return the colours that a column holds, if one does."""
    for column in zip(*rows, strict=True):
        if all(isinstance(cell, str) and _HEX.fullmatch(cell) for cell in column):
            return tuple(
                (int(c[1:3], 16), int(c[3:5], 16), int(c[5:], 16)) for c in map(str, column)
            )
    return ()
