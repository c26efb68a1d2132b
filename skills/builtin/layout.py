"""The order in which things on a page are read."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Sides = NDArray[np.float64]  # (box, 4): left, top, right, bottom


def reading_order(boxes: Sides) -> list[int]:
    """Sort lines top to bottom and left to right; columns of running text one after the other."""
    order: list[int] = []
    left = rows(boxes, range(len(boxes)))
    while left:
        for count in range(len(left), 1, -1):  # as many rows as stand in the same columns
            columns = _columns(boxes, [index for row in left[:count] for index in row])
            if len(columns) > 1:
                order += [i for column in columns for row in rows(boxes, column) for i in row]
                break
        else:
            count = 1
            order += left[0]
        left = left[count:]
    return order


def rows(boxes: Sides, chosen: Iterable[int]) -> list[list[int]]:
    """Group what stands side by side, and sort the groups downwards."""
    found: list[list[int]] = []
    for index in sorted(chosen, key=lambda index: float(boxes[index, 1] + boxes[index, 3])):
        middle = (boxes[index, 1] + boxes[index, 3]) / 2
        if found and boxes[found[-1][0], 1] <= middle <= boxes[found[-1][0], 3]:
            found[-1].append(index)
        else:
            found.append([index])
    return [sorted(row, key=lambda index: float(boxes[index, 0])) for row in found]


def _columns(boxes: Sides, chosen: list[int]) -> list[list[int]]:
    """Part lines where a gutter runs through all of them, if each part is running text."""
    columns: list[list[int]] = []
    reach = -np.inf
    for index in sorted(chosen, key=lambda index: float(boxes[index, 0])):
        if boxes[index, 0] > reach:
            columns.append([])
        columns[-1].append(index)
        reach = max(reach, boxes[index, 2])
    return columns if all(_runs_on(boxes[column]) for column in columns) else [chosen]


def _runs_on(boxes: Sides) -> bool:
    """Tell a column of text from one of words or prices: two lines or more, and long ones."""
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    return len(boxes) > 1 and float(np.median(width / np.maximum(height, 1))) >= 4
