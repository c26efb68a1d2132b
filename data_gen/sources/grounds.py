"""Grounds that scenes lie on: walls, tables, cloth, tiles, sky over grass."""

from __future__ import annotations

import random

import numpy as np
from numpy.typing import NDArray

from .stage import Floats

_WALLS = ((0.87, 0.84, 0.77), (0.75, 0.82, 0.85), (0.83, 0.87, 0.78), (0.9, 0.8, 0.76),
          (0.72, 0.72, 0.75), (0.93, 0.92, 0.9))  # fmt: skip
_WOODS = ((0.62, 0.44, 0.28), (0.74, 0.58, 0.4), (0.45, 0.31, 0.21), (0.8, 0.7, 0.55))
_CLOTHS = ((0.55, 0.62, 0.72), (0.76, 0.62, 0.6), (0.6, 0.68, 0.58), (0.8, 0.76, 0.66))


def ground(rng: random.Random, width: int, height: int) -> Floats:
    """Return (height, width, 3) fine pixels in 0..1; painted at half the size and enlarged."""
    import cv2

    noise = np.random.default_rng(rng.getrandbits(32))
    paint = rng.choice((_wall, _wood, _wood, _cloth, _tiles, _meadow))
    pixels = paint(rng, noise, width // 2, height // 2)
    small = np.clip(pixels, 0, 1).astype(np.float32)
    return np.asarray(
        cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32
    )


def _clouds(
    noise: np.random.Generator, width: int, height: int, across: int, down: int
) -> NDArray[np.float64]:
    """Return (height, width, 1) of smooth noise about 0, with so many waves each way."""
    import cv2

    small = noise.normal(size=(max(2, down), max(2, across)))
    smooth = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, np.float64)[..., None]


def _wall(
    rng: random.Random, noise: np.random.Generator, width: int, height: int
) -> NDArray[np.float64]:
    base = np.array(rng.choice(_WALLS))
    light = np.linspace(1.06, rng.uniform(0.75, 0.95), height)[:, None, None]
    fine = _clouds(noise, width, height, width // 3, height // 3)
    return base * light + 0.03 * _clouds(noise, width, height, 5, 4) + 0.015 * fine


def _wood(
    rng: random.Random, noise: np.random.Generator, width: int, height: int
) -> NDArray[np.float64]:
    base = np.array(rng.choice(_WOODS))
    grain = _clouds(noise, width, height, 4, height // 5)
    fine = _clouds(noise, width, height, 12, height // 2)
    board = height // rng.randint(4, 6)
    rows = np.arange(height)
    shade = noise.uniform(-0.05, 0.05, height // board + 1)[rows // board][:, None, None]
    seams = np.where(rows % board < 2, 0.6, 1.0)[:, None, None]
    return (base + 0.035 * grain + 0.02 * fine + shade) * seams


def _cloth(
    rng: random.Random, noise: np.random.Generator, width: int, height: int
) -> NDArray[np.float64]:
    base = np.array(rng.choice(_CLOTHS))
    weave = 0.02 * (np.arange(width) % 4 < 2)[None, :, None]
    weave = weave + 0.02 * (np.arange(height) % 4 < 2)[:, None, None]
    period = rng.randint(45, 100)
    bands = 0.06 * (np.arange(width) % period < period * 0.3)[None, :, None]
    pixels: NDArray[np.float64] = base + weave - bands
    return pixels + 0.03 * _clouds(noise, width, height, 6, 5)


def _tiles(
    rng: random.Random, noise: np.random.Generator, width: int, height: int
) -> NDArray[np.float64]:
    base = np.array(rng.choice(_WALLS)) * 0.95
    side = rng.randint(60, 110)
    rows, columns = np.arange(height) // side, np.arange(width) // side
    shade = noise.uniform(-0.035, 0.035, (rows.max() + 1, columns.max() + 1))
    pixels = base + shade[rows][:, columns][..., None]
    joints = ((np.arange(height) % side < 3)[:, None] | (np.arange(width) % side < 3))[..., None]
    pixels = np.where(joints, base * 0.75, pixels)
    return pixels + 0.015 * _clouds(noise, width, height, width // 3, height // 3)


def _meadow(
    rng: random.Random, noise: np.random.Generator, width: int, height: int
) -> NDArray[np.float64]:
    horizon = int(height * rng.uniform(0.35, 0.6))
    sky = np.linspace(0, 1, height)[:, None, None] * (0.25, 0.15, 0.04) + (0.5, 0.7, 0.92)
    white = np.clip(_clouds(noise, width, height, 6, 9), 0, 1.6) * 0.16
    grass = np.array((0.36, 0.56, 0.24)) + np.linspace(0.1, -0.08, height)[:, None, None]
    blades = 0.05 * _clouds(noise, width, height, width // 2, height // 6)
    below = (np.arange(height) >= horizon)[:, None, None]
    return np.where(below, grass + blades, sky + white)
