"""Painting outlines in named colours with textures, as layers to lay on a stage."""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .shapes import KINDS, Outline
from .stage import Floats, Layer

Color = tuple[float, float, float]  # red, green, blue in 0..1

COLORS: Mapping[str, Color] = {
    "red": (0.83, 0.12, 0.13), "orange": (0.96, 0.5, 0.07), "yellow": (0.98, 0.83, 0.13),
    "green": (0.17, 0.58, 0.24), "blue": (0.13, 0.35, 0.78), "purple": (0.48, 0.2, 0.62),
    "pink": (0.95, 0.5, 0.68), "brown": (0.45, 0.27, 0.13), "black": (0.11, 0.11, 0.12),
    "white": (0.95, 0.95, 0.94), "grey": (0.53, 0.54, 0.55), "turquoise": (0.1, 0.68, 0.68),
}  # fmt: skip
TEXTURES = ("plain", "plain", "plain", "striped", "dotted", "checked")
_FIXED: Mapping[str, Color] = {
    "white": (0.97, 0.97, 0.95), "black": (0.1, 0.1, 0.11), "grey": (0.62, 0.63, 0.65),
    "brown": (0.42, 0.27, 0.15), "green": (0.22, 0.55, 0.22), "yellow": (0.98, 0.82, 0.25),
    "glass": (0.72, 0.86, 0.93), "cream": (0.95, 0.9, 0.78), "roof": (0.47, 0.2, 0.16),
}  # fmt: skip
_STEPS = 16  # parts of a pixel that corners are placed on


def thing(rng: random.Random, label: str, color: str, size: int) -> Layer:
    """Paint a thing of a kind in a colour.

    Args:
        rng: Draws shade and texture.
        label: One of ``KINDS``.
        color: One of ``COLORS``.
        size: Fine pixels of a side.
    """
    base = np.array(COLORS[color]) + rng.uniform(-0.03, 0.03)
    texture = rng.choice(TEXTURES)
    pixels = np.zeros((size, size, 4), np.float32)
    main = _shaded(_textured(rng, base, texture, size))
    ink = base * 0.45
    for role, outline in KINDS[label]:
        alpha = _filled(outline, size)
        if role == "hole":
            pixels *= 1 - alpha[..., None]
            continue
        fill = main if role == "main" else _shaded(_plain(_color(role, base), size))
        _cover(pixels, fill, alpha)
        _cover(pixels, _plain(ink, size), _edge(outline, size) * 0.8 * alpha)
    attributes = () if texture == "plain" else (texture,)
    return Layer(pixels=pixels, label=label, color=color, attributes=attributes)


def tray(rng: random.Random, color: str, width: int, height: int) -> Layer:
    """Paint a rounded tray for other things to lie on."""
    size = max(width, height)
    outline = np.array(_rounded(width / size, height / size))
    base = np.array(COLORS[color])
    pixels = np.zeros((size, size, 4), np.float32)
    _cover(pixels, _shaded(_plain(base * 0.75, size)), _filled(outline, size))
    middle = outline.mean(axis=0)
    inner = middle + (outline - middle) * 0.93
    _cover(pixels, _shaded(_plain(base + rng.uniform(-0.03, 0.03), size)), _filled(inner, size))
    return Layer(pixels=pixels[:height, :width].copy(), label="tray", color=color)


def _rounded(right: float, bottom: float) -> Outline:
    from .shapes import box

    return box(0.01, 0.01, right - 0.01, bottom - 0.01, 0.08)


def _color(role: str, base: NDArray[np.float64]) -> NDArray[np.float64]:
    if role == "deep":
        return base * 0.7
    if role == "light":
        return base + (1 - base) * 0.55
    return np.array(_FIXED[role])


def _plain(color: NDArray[np.float64], size: int) -> Floats:
    filled = np.broadcast_to(np.clip(color, 0, 1).astype(np.float32), (size, size, 3))
    return np.asarray(filled, np.float32)


def _textured(rng: random.Random, base: NDArray[np.float64], texture: str, size: int) -> Floats:
    """Return (size, size, 3): the colour, with a pattern that leaves most of it."""
    y, x = np.mgrid[:size, :size] / size
    period = rng.uniform(0.13, 0.2)
    if texture == "striped":
        along = x if rng.random() < 0.5 else (x + y) / 1.4
        pattern = (along % period) < 0.35 * period
    elif texture == "dotted":
        pattern = np.hypot(x % period - period / 2, y % period - period / 2) < 0.28 * period
    elif texture == "checked":
        pattern = (np.floor(x / period) + np.floor(y / period)) % 2 == 0
    else:
        return _plain(base, size)
    bright = float(base.mean()) > 0.6
    other = base * 0.72 if bright else base + (1 - base) * 0.42
    filled = np.where(pattern[..., None], other, base)
    return np.clip(filled, 0, 1).astype(np.float32)


def _shaded(fill: Floats) -> Floats:
    """Light from the upper left."""
    size = fill.shape[0]
    y, x = np.mgrid[:size, :size] / size
    light = (1.1 - 0.2 * (0.4 * x + 0.6 * y)).astype(np.float32)
    return np.asarray(np.clip(fill * light[..., None], 0, 1), np.float32)


def _cover(pixels: Floats, fill: Floats, alpha: Floats) -> None:
    """Lay a fill over pixels that are colour times alpha."""
    share = alpha[..., None]
    pixels *= 1 - share
    pixels[..., :3] += fill * share
    pixels[..., 3:] += share


def _filled(outline: Outline, size: int) -> Floats:
    import cv2

    mask = np.zeros((size, size), np.uint8)
    points = np.rint((outline * (size - 5) + 2) * _STEPS).astype(np.int32)
    cv2.fillPoly(mask, [points], 255, cv2.LINE_AA, 4)
    return np.asarray(mask.astype(np.float32) / 255, np.float32)


def _edge(outline: Outline, size: int) -> Floats:
    import cv2

    mask = np.zeros((size, size), np.uint8)
    points = np.rint((outline * (size - 5) + 2) * _STEPS).astype(np.int32)
    cv2.polylines(mask, [points], True, 255, max(2, size // 60), cv2.LINE_AA, 4)
    return np.asarray(mask.astype(np.float32) / 255, np.float32)
