"""Scenes that are drawn here, so that everything in them is known exactly."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from llava_plus.errors import SetupError
from llava_plus.skills import Image

from .figures import chart
from .geometry import Matrix, rectangle
from .grounds import ground
from .item import Item, Report, Shelf, Truth
from .painting import COLORS, thing, tray
from .panels import code_label, letter, receipt, sign
from .shapes import KINDS, UPRIGHT
from .stage import FINE, MARGIN, Floats, Layer, Stage, picture_of

SIZES = ((640, 480), (480, 640), (640, 640), (800, 600))
_TRIES = 12  # places looked for before a thing is left out
# What a scene is about, how often, and how wide that is, as a share of the shorter side.
_SUBJECTS: tuple[tuple[str, float, tuple[float, float]], ...] = (
    ("things", 0.28, (0, 0)),
    ("sign", 0.2, (0.6, 0.95)),
    ("letter", 0.12, (0.75, 0.95)),
    ("receipt", 0.1, (0.55, 0.75)),
    ("chart", 0.15, (0.7, 0.95)),
    ("label", 0.15, (0.38, 0.62)),
)
_PANELS: dict[str, Callable[[random.Random, int], Layer]] = {
    "sign": sign,
    "letter": letter,
    "receipt": receipt,
    "chart": chart,
    "label": code_label,
}


@dataclass(frozen=True, kw_only=True)
class DrawnScenes:
    """A source of drawn scenes; the n-th of a seed is the same on every run.

    Args:
        count: How many.
    """

    count: int

    def __post_init__(self) -> None:
        if self.count < 0:
            raise SetupError(f"scenes: count must be 0 or more, got {self.count}.")

    def items(self, report: Report, *, seed: int | None = None) -> Iterator[Item]:
        """Yield the scenes of a seed, 0 where none is given; there is nothing to report."""
        yield from self.open(report, seed=seed).items()

    def open(self, report: Report, *, seed: int | None = None) -> Shelf[int]:
        """Number the scenes; each is drawn when it is taken."""
        return Shelf(range(self.count), lambda index: scene(index, seed=seed or 0))


def scene(index: int, *, seed: int = 0) -> Item:
    """Draw the n-th scene of a seed."""
    rng = random.Random(f"scene:{seed}:{index}")
    width, height = rng.choice(SIZES)
    edges = (round(width * MARGIN), round(height * MARGIN))
    whole = ((width + 2 * edges[0]) * FINE, (height + 2 * edges[1]) * FINE)
    stage = Stage(width=width, height=height, canvas=ground(rng, *whole))
    _fill(stage, rng)
    pixels, truth = stage.taken(_camera(rng, stage, edges))
    return Item(
        id=f"scene_{seed}_{index:06d}",
        picture=_developed(pixels, rng, truth),
        width=width,
        height=height,
        origin="drawn by llava_plus.data_gen.sources",
        licence="CC0-1.0",
        truth=truth,
    )


def _fill(stage: Stage, rng: random.Random) -> None:
    """Lay down what the scene is about, and a few things more."""
    names = [name for name, _, _ in _SUBJECTS]
    subject = rng.choices(names, [share for _, share, _ in _SUBJECTS])[0]
    if subject != "things":
        _panel(stage, rng, subject)
    elif rng.random() < 0.3:
        _loaded_tray(stage, rng)
    if rng.random() < 0.25:
        _panel(stage, rng, rng.choice(("sign", "label")), small=0.75)
    many = rng.randint(4, 12) if subject == "things" else rng.randint(1, 5)
    _scatter(stage, rng, many, (0.14, 0.34) if subject == "things" else (0.12, 0.24))


def _panel(stage: Stage, rng: random.Random, name: str, small: float = 1.0) -> None:
    low, high = next(widths for subject, _, widths in _SUBJECTS if subject == name)
    shorter = min(stage.width, stage.height)
    for attempt in range(_TRIES):
        share = rng.uniform(low, high) * small * 0.97**attempt
        layer = _PANELS[name](rng, round(shorter * share) * FINE)
        tall = layer.size[1] / (shorter * FINE)
        if tall > 0.95:
            layer = _PANELS[name](rng, round(shorter * share * 0.95 / tall) * FINE)
        if stage.place(layer, _laid(rng, stage, layer, 8, 0.06), least_inside=0.97):
            return


def _loaded_tray(stage: Stage, rng: random.Random) -> None:
    side = min(stage.width, stage.height) * FINE
    layer = tray(rng, rng.choice(list(COLORS)), round(side * 0.62), round(side * 0.46))
    matrix = _laid(rng, stage, layer, 6, 0.03)
    if not stage.place(layer, matrix, least_inside=0.95):
        return
    count = rng.randint(2, 4)
    for place in range(count):
        size = round(layer.size[0] / (count + 1.6))
        one = thing(rng, rng.choice(list(KINDS)), _other_color(rng, layer.color), size)
        x = layer.size[0] * (0.1 + 0.8 * (place + 0.5) / count)
        stage.place(one, matrix @ _turned(one, rng.uniform(-10, 10), x, layer.size[1] / 2))


def _scatter(stage: Stage, rng: random.Random, many: int, sizes: tuple[float, float]) -> None:
    """Lay down things, often several of one kind, so that counting has a point."""
    kinds = rng.sample(list(KINDS), max(1, many // 3 + 1))
    shorter = min(stage.width, stage.height) * FINE
    for _ in range(many):
        label = rng.choice(kinds)
        size = round(shorter * rng.uniform(*sizes))
        layer = thing(rng, label, rng.choice(list(COLORS)), size)
        tilt = 12 if label in UPRIGHT else 180
        for _ in range(_TRIES):
            if stage.place(layer, _laid(rng, stage, layer, tilt, 0.02), least_inside=0.7):
                break


def _other_color(rng: random.Random, color: str) -> str:
    return rng.choice([name for name in COLORS if name != color])


def _laid(rng: random.Random, stage: Stage, layer: Layer, tilt: float, depth: float) -> Matrix:
    """Return a place for a layer: anywhere in the picture, turned and a little in perspective.

    Args:
        rng: Draws the place.
        stage: Where to.
        layer: What.
        tilt: Degrees at most.
        depth: How far a corner may be moved, as a share of the layer's sides.
    """
    height, width = stage.owner.shape
    edge = MARGIN / (1 + 2 * MARGIN)
    half = (layer.size[0] / 2, layer.size[1] / 2)
    low = (width * edge + 0.8 * half[0], height * edge + 0.8 * half[1])
    x = rng.uniform(min(low[0], width / 2), max(width - low[0], width / 2))
    y = rng.uniform(min(low[1], height / 2), max(height - low[1], height / 2))
    return _turned(layer, rng.triangular(-tilt, tilt, 0), x, y) @ _bent(rng, layer.size, depth)


def _turned(layer: Layer, degrees: float, x: float, y: float) -> Matrix:
    """Return the turn about the layer's middle that brings it to a place."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    turn = np.array([[cosine, -sine, x], [sine, cosine, y], [0, 0, 1]])
    middle = np.array([[1, 0, -layer.size[0] / 2], [0, 1, -layer.size[1] / 2], [0, 0, 1]])
    matrix: Matrix = turn @ middle
    return matrix


def _bent(rng: random.Random, size: tuple[int, int], depth: float) -> Matrix:
    """Return a perspective in which each corner is moved by at most a share of the sides."""
    import cv2

    start = rectangle(0, 0, *size)
    shifts = np.array([[rng.uniform(-depth, depth) for _ in range(2)] for _ in range(4)])
    ends = start + shifts * size
    matrix = cv2.getPerspectiveTransform(start.astype(np.float32), ends.astype(np.float32))
    return np.asarray(matrix, np.float64)


def _camera(rng: random.Random, stage: Stage, edges: tuple[int, int]) -> Matrix:
    """Return how the canvas is seen: without its margin, often from a little aside."""
    left, top = edges[0] * FINE, edges[1] * FINE
    crop = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], np.float64)
    if rng.random() < 0.35:
        return crop
    size = (stage.width * FINE, stage.height * FINE)
    matrix: Matrix = _bent(rng, size, 0.045) @ crop
    return matrix


def _developed(pixels: Floats, rng: random.Random, truth: Truth) -> Image:
    """Add light, lens and sensor: none of them moves anything."""
    import cv2

    height, width = pixels.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    across = (x / width - 0.5) * rng.uniform(-0.3, 0.3) + (y / height - 0.5) * rng.uniform(
        -0.3, 0.3
    )
    pixels = pixels * ((1 + across) * rng.uniform(0.72, 1.06))[..., None]
    most = 0.8 if truth.lines or truth.codes else 1.4
    blur = rng.choice((0.0, rng.uniform(0.3, most)))
    if blur:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), blur), np.float32)
    noise = np.random.default_rng(rng.getrandbits(32))
    strength = rng.choice((0.004, 0.012, rng.uniform(0, 0.035)))
    return picture_of(pixels + noise.normal(0, strength, pixels.shape).astype(np.float32))
