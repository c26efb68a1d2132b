"""Skills for evaluating plans: the real signatures, in a world where everything can be found.

What a planner decides must not hang on which detector is installed or on what a picture happens to
show, so here every look finds three things, every sign can be read and every edit works.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from llava_plus.skills import (
    Boxes,
    Image,
    Masks,
    Region,
    SkillRegistry,
    Table,
    TextLines,
    default_registry,
)
from llava_plus.skills.builtin.planned import PLANNED

PLACES = ((0.05, 0.2, 0.25, 0.5), (0.35, 0.3, 0.6, 0.8), (0.7, 0.25, 0.95, 0.6))


def world_registry() -> SkillRegistry:
    """The signatures that our planner learns, with results that are always the same."""
    made: dict[str, Callable[..., Any]] = {
        "detect": _detect,
        "select": _select,
        "ocr": _ocr,
        "read_codes": _codes,
        "segment": _segment,
        "image_info": _info,
    }
    return SkillRegistry(
        replace(spec, function=made.get(spec.name, _Edit()), backend="world")
        for spec in default_registry().subset(*PLANNED)
    )


def world_image(seed: int) -> Image:
    """A small picture of color and noise."""
    rng = np.random.default_rng(seed)
    ground = np.linspace(rng.integers(0, 255, 3), rng.integers(0, 255, 3), 48)[:, None]
    noise = rng.normal(0, 6, (48, 64, 3))
    return Image.from_array(np.clip(ground + noise, 0, 255).astype(np.uint8))


class _Edit:
    """An edit that changes every pixel, differently each time."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, *, image: Image, **_: Any) -> Image:
        self.count += 1
        return Image.from_array(
            (image.rgb().astype(int) * 7 // 8 + self.count % 32).astype(np.uint8)
        )


def _detect(*, image: Image, label: str) -> Boxes:
    del image
    return Boxes(PLACES, labels=(label,) * 3, query=label)


def _select(*, region: Region, **_: Any) -> Region:
    return region.take([0])


def _ocr(*, image: Image, **_: Any) -> TextLines:
    del image
    rows = [((0.1, y), (0.6, y), (0.6, y + 0.1), (0.1, y + 0.1)) for y in (0.1, 0.4, 0.7)]
    return TextLines(("OPEN DAILY", "TOTAL 12.40", "Thank you"), polygons=tuple(rows))


def _codes(*, image: Image, **_: Any) -> TextLines:
    del image
    corners = ((0.3, 0.3), (0.6, 0.3), (0.6, 0.6), (0.3, 0.6))
    return TextLines(("https://example.org",), polygons=(corners,), labels=("QRCode",))


def _segment(*, image: Image, prompt: Any) -> Masks:
    mask = np.zeros((max(1, len(prompt)), image.height, image.width), bool)
    mask[:, : image.height // 2, : image.width // 2] = True
    return Masks.from_array(mask)


def _info(*, image: Image) -> Table:
    return Table(("field", "value"), (("width", image.width), ("height", image.height)))
