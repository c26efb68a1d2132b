"""Reading QR codes, bar codes and their kin with zxing-cpp, harder where the first look fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_SMALL = 1500  # pixels: up to this size a copy of twice the size is read too
_TILTED = 2000  # pixels: larger pictures are scaled down to this before they are turned
_QUIET = 12  # pixels of light around codes that reach the edge of the picture

Corners = NDArray[np.float64]  # (4, 2) in pixels


class Code(NamedTuple):
    """A code: what it says, of which format it is, and where."""

    text: str
    format: str
    corners: Corners


def read(rgb: NDArray[np.uint8]) -> list[Code]:
    """Return all codes that can be read, in any direction, dark on light or light on dark.

    Args:
        rgb: (height, width, 3).
    """
    import cv2

    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    grey = np.pad(grey, _QUIET, constant_values=int(np.percentile(grey, 90)))
    found: list[Code] = []
    for view, back in _views(grey):
        for code in _scanned(view):
            corners = np.column_stack([code.corners, np.ones(4)]) @ back.T - _QUIET
            if not any(_same(code, corners, known) for known in found):
                found.append(Code(code.text, code.format, corners))
        tilts_next = view.shape != grey.shape or max(grey.shape) > _SMALL
        if found and tilts_next:
            break
    return found


def outlines(rgb: NDArray[np.uint8]) -> list[Corners]:
    """Return where codes are: those that can be read, and QR codes that only can be seen."""
    import cv2

    found = [code.corners for code in read(rgb)]
    seen, points = cv2.QRCodeDetector().detectMulti(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
    for corners in np.asarray(points, np.float64) if seen and points is not None else ():
        if not any(_overlap(corners, known) for known in found):
            found.append(corners)
    return found


def _views(grey: NDArray[np.uint8]) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float64]]]:
    """Yield the picture, then enlarged, then tilted; with the way (2, 3) back to its pixels."""
    import cv2

    yield grey, np.eye(2, 3)
    if max(grey.shape) <= _SMALL:
        twice = cv2.resize(grey, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
        yield np.asarray(twice, np.uint8), np.eye(2, 3) * 0.5
    height, width = grey.shape
    scale = min(1.0, _TILTED / max(height, width))
    for degrees in (30, 60, 45):  # bar codes are found within 15 degrees of level
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
        reach = np.abs(turn[:, :2]) @ [width, height]
        turn[:, 2] += reach / 2 - [width / 2, height / 2]
        size = (int(reach[0]) + 1, int(reach[1]) + 1)
        view = cv2.warpAffine(grey, turn, size, borderMode=cv2.BORDER_REPLICATE)
        back = np.asarray(cv2.invertAffineTransform(turn), np.float64)
        yield np.asarray(view, np.uint8), back


def _scanned(grey: NDArray[np.uint8]) -> list[Code]:
    import zxingcpp

    found = []
    for code in zxingcpp.read_barcodes(grey):
        place = code.position
        points = (place.top_left, place.top_right, place.bottom_right, place.bottom_left)
        corners = np.array([[point.x, point.y] for point in points], np.float64)
        found.append(Code(code.text, str(code.format), _thickened(corners)))
    return found


def _thickened(corners: Corners) -> Corners:
    """Give a bar code that was found along one line some height, so that it can be covered."""
    across = corners[1] - corners[0]
    length = float(np.hypot(*across))
    height = float(np.hypot(*(corners[3] - corners[0])))
    if length == 0 or height >= 0.15 * length:
        return corners
    normal = np.array([-across[1], across[0]]) / length * (0.15 * length - height) / 2
    grown: Corners = corners + np.array([-normal, -normal, normal, normal])
    return grown


def _same(code: Code, corners: Corners, known: Code) -> bool:
    alike = (code.text, code.format) == (known.text, known.format)
    return alike and _overlap(corners, known.corners)


def _overlap(one: Corners, other: Corners) -> bool:
    low = np.maximum(one.min(axis=0), other.min(axis=0))
    high = np.minimum(one.max(axis=0), other.max(axis=0))
    return bool((high > low).all())
