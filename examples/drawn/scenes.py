"""Small scenes of plain shapes, painted as `data_gen` paints, with what they show."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from llava_plus.data_gen.sources.grounds import ground
from llava_plus.data_gen.sources.painting import thing
from llava_plus.data_gen.sources.stage import FINE, MARGIN, Floats, Stage, picture_of
from llava_plus.skills import Image
from llava_plus.skills.regions import Box
from llava_plus.skills.rle import decode

SIDE = 128  # pixels
MOST = 4  # things in a scene
COLORS = ("red", "green", "blue", "yellow")
KINDS = ("triangle", "circle", "square", "star")
NAMES = tuple(f"{color} {kind}" for color, kind in product(COLORS, KINDS))
PARTS = 16  # of a patch
_SIZES = (0.2, 0.42)  # of the side
_TRIES = 20


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A picture and what is in it.

    Args:
        image: The picture, `SIDE` pixels each way.
        names: Of its things, each one of `NAMES`.
        boxes: Around what can be seen of each, in 0..1.
        masks: (thing, row, column), the pixels that show it.
    """

    image: Image
    names: tuple[str, ...]
    boxes: tuple[Box, ...]
    masks: NDArray[np.bool_]


def scenes(count: int, *, seed: int) -> Iterator[Scene]:
    """Draw scenes; the n-th of a seed is always the same."""
    return (scene(index, seed=seed) for index in range(count))


def scene(index: int, *, seed: int) -> Scene:
    """Draw the n-th scene of a seed: one to four shapes on a wall, a table, cloth, tiles, grass."""
    rng = random.Random(f"shapes:{seed}:{index}")
    edge = round(SIDE * MARGIN) * FINE
    whole = SIDE * FINE + 2 * edge
    stage = Stage(width=SIDE, height=SIDE, canvas=ground(rng, whole, whole))
    taken: list[tuple[float, float, float]] = []  # of each thing its middle and radius
    for _ in range(rng.randint(1, MOST)):
        _laid(stage, rng, edge, taken)
    crop = np.array([[1, 0, -edge], [0, 1, -edge], [0, 0, 1]], np.float64)
    pixels, truth = stage.taken(crop)
    masks = [decode(one.mask) for one in truth.things if one.mask is not None]
    return Scene(
        image=_developed(pixels, rng),
        names=tuple(f"{one.color} {one.label}" for one in truth.things),
        boxes=tuple(one.box for one in truth.things),
        masks=np.stack(masks),
    )


def parts_shown(masks: NDArray[np.bool_], patch: int) -> NDArray[np.float32]:
    """Return for each patch which of its 16 parts, four by four, show a thing by half or more.

    Args:
        masks: (thing, row, column), as of a scene.
        patch: Pixels along a patch.

    Returns:
        (row, column, part) of 0 and 1.
    """
    across = SIDE // patch
    split = masks.any(0).reshape(across, 4, patch // 4, across, 4, patch // 4).mean((2, 5))
    return (split.transpose(0, 2, 1, 3).reshape(across, across, PARTS) >= 0.5).astype(np.float32)


def _laid(
    stage: Stage, rng: random.Random, edge: int, taken: list[tuple[float, float, float]]
) -> None:
    """Lay a shape where it hides little of the others, if there is such a place."""
    size = round(SIDE * FINE * rng.uniform(*_SIZES))
    layer = thing(rng, rng.choice(KINDS), rng.choice(COLORS), size)
    turn = math.radians(rng.uniform(-25, 25))
    sine, cosine = math.sin(turn), math.cos(turn)
    for _ in range(_TRIES):
        x, y = (rng.uniform(edge + size * 0.4, edge + SIDE * FINE - size * 0.4) for _ in range(2))
        if any(math.dist((x, y), (a, b)) < 0.8 * (size / 2 + half) for a, b, half in taken):
            continue
        matrix = np.array([[cosine, -sine, x], [sine, cosine, y], [0, 0, 1]])
        middle = np.array([[1, 0, -size / 2], [0, 1, -size / 2], [0, 0, 1]])
        if stage.place(layer, matrix @ middle, least_inside=0.8):
            taken.append((x, y, size / 2))
            return


def _developed(pixels: Floats, rng: random.Random) -> Image:
    """Add light that falls off and noise; neither moves anything."""
    side = np.linspace(-0.5, 0.5, SIDE)
    across, down = rng.uniform(-0.3, 0.3), rng.uniform(-0.3, 0.3)
    light = 1 + across * side[None, :] + down * side[:, None]
    noise = np.random.default_rng(rng.getrandbits(32))
    grain = noise.normal(0, rng.uniform(0, 0.04), pixels.shape)
    return picture_of((pixels * light[..., None] + grain).astype(np.float32))
