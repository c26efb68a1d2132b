"""Pictures that look drawn, painted or aged: stylize."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from llava_plus.errors import SkillError
from llava_plus.skills import Image, Region, skill

from .cutting import shrunk
from .inking import kept_to, share_of

_Colors = NDArray[np.uint8]  # (height, width, 3)
_Style = Literal[
    "sketch", "color_sketch", "cartoon", "oil", "sepia", "vignette", "poster", "negative",
]  # fmt: skip

_SIDE = 1280  # pixels of the longer side at which paint is laid; it has no finer strokes


@skill(examples=("make it look like a pencil sketch", "turn it into a cartoon", "sepia, please"))
def stylize(
    image: Image,
    style: _Style,
    *,
    strength: Annotated[float, Field(ge=0, le=1)] = 1.0,
    region: Region | None = None,
    outside: bool = False,
) -> Image:
    """Give the picture or a region of it an artistic look, such as a pencil sketch or a cartoon.

    Args:
        image: The picture to change.
        style: "sketch" is pencil in grey, "color_sketch" coloured pencil, "cartoon" flat colours
            with dark outlines, "oil" a painting in dabs, "sepia" an old brown photograph,
            "vignette" darkens the corners, "poster" has eight colours, "negative" swaps light
            and dark.
        strength: 0 leaves the picture as it is, 1 is the whole effect.
        region: Where to change; the whole picture where left out.
        outside: True changes everything except the region.
    """
    import cv2

    strength = share_of("stylize", "strength", strength)
    if style not in _STYLES:
        raise SkillError(f"stylize: no style {style!r}. There are: {', '.join(get_args(_Style))}.")
    colors = np.ascontiguousarray(image.rgb())
    new = _STYLES[style](colors)
    blend = np.asarray(cv2.addWeighted(new, strength, colors, 1 - strength, 0), np.uint8)
    return kept_to("stylize", image, blend, region, outside)


def _sketch(colors: _Colors) -> _Colors:
    """Divide the greys by a blurred copy of themselves: edges stay as strokes of a pencil."""
    import cv2

    grey = np.asarray(cv2.cvtColor(colors, cv2.COLOR_RGB2GRAY), np.uint8)
    soft = _soft(grey, 0.008)
    lines = cv2.divide(grey, np.maximum(soft, 1), scale=255).astype(np.float32) / 255
    shade = 0.75 + 0.25 * np.minimum(soft.astype(np.float32) / 140, 1)
    pencil = np.clip(lines**1.8 * shade * 255, 0, 255).astype(np.uint8)
    return np.repeat(pencil[..., None], 3, axis=2)


def _color_sketch(colors: _Colors) -> _Colors:
    import cv2

    lab = cv2.cvtColor(_smooth(colors, 0.6), cv2.COLOR_RGB2LAB)
    lab[..., 0] = _sketch(colors)[..., 0]
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), np.uint8)


def _cartoon(colors: _Colors) -> _Colors:
    """Smooth and part the colours, and put the dark lines of the full-sized picture on them."""
    import cv2

    flat = cv2.cvtColor(_smooth(colors, 0.45), cv2.COLOR_RGB2HSV)
    steps = np.arange(256)
    flat[..., 2] = np.clip(np.rint(steps / 28) * 28, 0, 255).astype(np.uint8)[flat[..., 2]]
    flat[..., 1] = np.clip(steps * 1.25, 0, 255).astype(np.uint8)[flat[..., 1]]
    grey = np.asarray(cv2.cvtColor(colors, cv2.COLOR_RGB2GRAY), np.uint8)
    fine, wide = (_soft(grey, share).astype(np.float32) for share in (0.0018, 0.006))
    dark = np.clip((wide - fine - 5) / 8, 0, 1)  # (height, width): 1 on a line
    ink = cv2.cvtColor(flat, cv2.COLOR_HSV2RGB).astype(np.float32) * (1 - 0.9 * dark[..., None])
    return np.asarray(ink, np.uint8)


def _oil(colors: _Colors) -> _Colors:
    """Let the commonest value around win, which makes dabs of paint, then sharpen their rims."""
    import cv2
    from PIL import Image as Pillow
    from PIL import ImageFilter

    small = shrunk(colors, 800)
    lab = cv2.cvtColor(cv2.bilateralFilter(small, 7, 30, 5), cv2.COLOR_RGB2LAB)
    size = max(3, round(max(small.shape[:2]) / 110) | 1)
    lab = np.asarray(Pillow.fromarray(lab // 6 * 6).filter(ImageFilter.ModeFilter(size)))
    dabs = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB)
    soft = cv2.GaussianBlur(dabs, (0, 0), 2)
    return _as_large(np.asarray(cv2.addWeighted(dabs, 1.5, soft, -0.5, 0), np.uint8), colors)


def _sepia(colors: _Colors) -> _Colors:
    import cv2

    grey = cv2.cvtColor(colors, cv2.COLOR_RGB2GRAY)
    level = np.arange(256) / 255
    brown = np.stack([level**0.78, level**0.98 * 0.93, level**1.2 * 0.8], axis=1)
    return np.asarray(np.rint(brown * 255).astype(np.uint8)[grey])


def _vignette(colors: _Colors) -> _Colors:
    height, width = colors.shape[:2]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] if height > 1 else np.zeros((1, 1))
    x = np.linspace(-1, 1, width, dtype=np.float32)[None] if width > 1 else np.zeros((1, 1))
    far = np.clip((np.sqrt((x * x + y * y) / 2) - 0.4) / 0.6, 0, 1)
    light = (1 - 0.8 * far * far * (3 - 2 * far)).astype(np.float32)
    return np.asarray(colors * light[..., None], np.uint8)


def _poster(colors: _Colors) -> _Colors:
    from PIL import Image as Pillow

    few = Pillow.fromarray(shrunk(colors, 320)).quantize(8, kmeans=2)
    flat = Pillow.fromarray(_smooth(colors, 0.4))
    return np.asarray(flat.quantize(palette=few, dither=Pillow.Dither.NONE).convert("RGB"))


def _negative(colors: _Colors) -> _Colors:
    return 255 - colors


_STYLES: Mapping[str, Callable[[_Colors], _Colors]] = {
    "sketch": _sketch,
    "color_sketch": _color_sketch,
    "cartoon": _cartoon,
    "oil": _oil,
    "sepia": _sepia,
    "vignette": _vignette,
    "poster": _poster,
    "negative": _negative,
}


def _soft(grey: NDArray[np.uint8], share: float) -> NDArray[np.uint8]:
    """Blur by a share of the longer side."""
    import cv2

    return np.asarray(cv2.GaussianBlur(grey, (0, 0), max(0.5, share * max(grey.shape))), np.uint8)


def _smooth(colors: _Colors, reach: float) -> _Colors:
    """Smooth areas between edges, worked out at a bounded size."""
    import cv2

    small = shrunk(colors, _SIDE)
    flat = cv2.edgePreservingFilter(small, None, cv2.RECURS_FILTER, 60, reach)
    return _as_large(np.asarray(flat, np.uint8), colors)


def _as_large(small: _Colors, colors: _Colors) -> _Colors:
    import cv2

    height, width = colors.shape[:2]
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
