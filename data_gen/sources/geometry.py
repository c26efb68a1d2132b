"""Corners on a plane, where a matrix takes them, and how much of an area is hidden."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from llava_plus.skills.regions import Box, Polygon

from .relations import Window

Corners = NDArray[np.float64]  # (4, 2): pixels of a layer
Matrix = NDArray[np.float64]  # (3, 3): takes pixels of one plane to another


def rectangle(left: float, top: float, right: float, bottom: float) -> Corners:
    """Return corners clockwise from the top left, (4, 2)."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float64)


def moved(points: Corners, matrix: Matrix) -> Corners:
    """Return where a matrix takes points, (n, 2)."""
    places = np.column_stack([points, np.ones(len(points))]) @ matrix.T
    ends: Corners = places[:, :2] / places[:, 2:]
    return ends


def hidden_share(corners: Corners, seen: NDArray[np.bool_]) -> float:
    """Return which share of a four-sided area is not seen, 0..1.

    Args:
        corners: (4, 2) in pixels, also beyond the edge.
        seen: (height, width): where the layer that carries it can be seen.
    """
    import cv2

    area = np.zeros(seen.shape, np.uint8)
    cv2.fillConvexPoly(area, np.rint(corners * 256 - 128).astype(np.int32), 1, cv2.LINE_8, 8)
    inside = area.astype(bool)
    whole = max(_polygon_area(corners), float(inside.sum()), 1.0)  # also what the edge cuts off
    return 1.0 - float((inside & seen).sum()) / whole


def _polygon_area(corners: Corners) -> float:
    x, y = corners[:, 0], corners[:, 1]
    return abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2


def by_middles(matrix: Matrix) -> Matrix:
    """Let a matrix between corners of pixels work on their middles, as OpenCV counts them."""
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1]])
    way: Matrix = np.linalg.inv(half) @ matrix @ half
    return way


def areas_of(matrix: Matrix, window: Window) -> NDArray[np.float64]:
    """Return how large each pixel of a window is after the matrix: det J = det H / w^3."""
    rows, columns = (np.arange(part.start, part.stop) + 0.5 for part in window)
    below = matrix[2, 0] * columns[None] + matrix[2, 1] * rows[:, None] + matrix[2, 2]
    areas: NDArray[np.float64] = np.linalg.det(matrix) / below**3
    return areas


def around(polygon: Polygon) -> Box:
    xs, ys = [x for x, _ in polygon], [y for _, y in polygon]
    return min(xs), min(ys), max(xs), max(ys)
