"""Names of colours, and how much of a picture has each."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Each name with shades that everybody would call so; the first is often CSS's colour of that name.
_SHADES = {
    "black": "000000 141414 1c1a1a",
    "dark gray": "3a3a3a 505050",
    "gray": "6e6e6e 808080 969696",
    "light gray": "b4b4b4 d3d3d3",
    "white": "ffffff f5f5f5",
    "red": "ff0000 dc143c e03a2a",
    "dark red": "8b0000 a82018 5a0a0a",
    "salmon": "fa8072 f0907c",
    "orange": "ffa500 ff7f00 e2703a d05a30",
    "peach": "ffdab9 ffcba4 e8b796",
    "brown": "8b4513 6b4423 a0522d 80604a",
    "dark brown": "3b2314 4a3020 2a1a10",
    "tan": "d2b48c c4a078 b08d6a",
    "beige": "f5f5dc e8dcc0",
    "gold": "ffd700 d4af37 daa520",
    "yellow": "ffff00 ffeb3b f7e25a",
    "olive": "808000 6b6b2a 55552a",
    "lime": "bfff00 a4d82a",
    "green": "008000 00ff00 2e9b3c 4c9a4c",
    "dark green": "006400 0a3a14 24402a",
    "light green": "90ee90 a8d8a0",
    "teal": "008080 1f6f70",
    "turquoise": "40e0d0 00ffff 30b8b0",
    "light blue": "add8e6 a8c8f0",
    "sky blue": "87ceeb 6caee0",
    "blue": "0000ff 1f5fd0 3a78c0",
    "gray blue": "708090 5a7a9a",
    "dark blue": "000080 191970 10103a 14284a 24405c",
    "purple": "800080 7d3fb0 a040d0",
    "dark purple": "4b0082 301040",
    "lavender": "e6e6fa c8b4e6",
    "magenta": "ff00ff d020a0",
    "pink": "ffc0cb ff8fb0 ff69b4",
    "dark pink": "c05080 b0486c",
}
_BAND = 1_000_000  # pixels counted at once
_BITS = 5  # of each channel: shades are told apart to 8 levels


class Named(NamedTuple):
    """A colour: its name, its commonest shade as (red, green, blue), and its share in 0..1."""

    name: str
    rgb: tuple[int, int, int]
    share: float


def main_colors(rgb: NDArray[np.uint8]) -> list[Named]:
    """Return the names of the colours of some pixels, most frequent first.

    Every pixel is counted, under the name whose shade is nearest in CIELAB (the distance of
    CIE 1976); pixels that differ in their last three bits only count as one shade.

    Args:
        rgb: (pixel, 3), at least one.
    """
    counts, sums = _shades(rgb)
    there = np.flatnonzero(counts)
    colors = np.rint(sums[there] / counts[there, None]).astype(np.uint8)  # (shade, 3)
    nearest = _nearest(colors)
    found = []
    for name in np.unique(nearest).tolist():
        weights = np.where(nearest == name, counts[there], 0)
        red, green, blue = (int(level) for level in colors[weights.argmax()])
        found.append(Named(name, (red, green, blue), float(weights.sum() / len(rgb))))
    return sorted(found, key=lambda color: -color.share)


def hex_of(rgb: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*rgb)


def _shades(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return for each of 32 x 32 x 32 shades its pixels (shade,) and their sums (shade, 3)."""
    size = 1 << 3 * _BITS
    counts, sums = np.zeros(size, np.int64), np.zeros((size, 3))
    for start in range(0, len(rgb), _BAND):
        band = rgb[start : start + _BAND]
        red, green, blue = (band[:, channel].astype(np.int64) >> 8 - _BITS for channel in range(3))
        shade = (red << 2 * _BITS) | (green << _BITS) | blue
        counts += np.bincount(shade, minlength=size)
        for channel in range(3):
            sums[:, channel] += np.bincount(shade, band[:, channel], size)
    return counts, sums


def _nearest(colors: NDArray[np.uint8]) -> NDArray[np.str_]:
    """Return for each of (color, 3) the name whose shade looks most alike."""
    names, shades = _known()
    places = _lab(colors)  # (color, 3)
    best = np.argmin(((places[:, None] - shades) ** 2).sum(axis=2), axis=1)
    return np.asarray(names[best], np.str_)


@cache
def _known() -> tuple[NDArray[np.str_], NDArray[np.float32]]:
    pairs = [(name, shade) for name, shades in _SHADES.items() for shade in shades.split()]
    levels = np.array([list(bytes.fromhex(shade)) for _, shade in pairs], np.uint8)
    return np.array([name for name, _ in pairs]), _lab(levels)


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return (color, 3): lightness 0..100, a and b about -100..100."""
    import cv2

    levels = rgb[None].astype(np.float32) / 255
    return np.asarray(cv2.cvtColor(levels, cv2.COLOR_RGB2LAB)[0], np.float32)
