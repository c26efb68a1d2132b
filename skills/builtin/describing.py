"""Saying in words what was measured of a picture, and nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from llava_plus.skills import Image, Region, Text, skill
from llava_plus.skills.wording import counted, listed

from . import lettering, scanning
from .areas import area, bounds
from .cutting import shrunk
from .faces import find_faces
from .likeness import blurriness
from .palette import main_colors

Pixels = NDArray[np.uint8]  # (height, width, 3)

_SIDE = 1024  # pixels at which everything but the size is measured
_LEAST = 0.05  # of the pixels, for a colour to be named
_NAMED = 4  # colours
_READ = 60  # words of what is written
_LIGHTNESS = (
    (20, "very dark"),
    (40, "dark"),
    (60, "of medium brightness"),
    (80, "bright"),
    (math.inf, "very bright"),
)
_SPREAD = ((5, "very low"), (12, "low"), (25, "medium"), (math.inf, "high"))
_BLUR = ((0.45, "sharp"), (0.6, "a little soft"), (math.inf, "blurred"))
_END = (
    "This is all that was measured: what the picture shows beyond it is not known here, "
    "since no model that recognises things or scenes was asked."
)


@skill(
    examples=("describe the picture", "what do you know about this picture"),
    time_limit=60,
)
def describe(image: Image, *, region: Region | None = None) -> Text:
    """Say what can be measured of a picture: size, light, sharpness, colours, faces, text, codes.

    It does not recognise things or scenes and says so; it counts faces and codes and reads text,
    and never guesses what is shown. Everything but the size is measured on a copy of at most 1024
    pixels, where small print, small codes and faces under 20 pixels are missed; ocr, detect and
    read_codes look closer.

    Args:
        image: The picture to describe.
        region: What part to describe, the upright box around it; all of it where left out.
    """
    window = bounds(area("describe", region, outside=False), image)
    rgb = shrunk(np.ascontiguousarray(image.rgb()[window.cut]), _SIDE)  # (height, width, 3)
    said = [_size(image)]
    if region is not None:
        said.append(f"Of it a part of {window.width}x{window.height} pixels was looked at.")
    said += [_light(rgb), _sharpness(rgb), _colors(rgb), _things(rgb), _writing(rgb), _END]
    return Text(" ".join(said))


def _size(image: Image) -> str:
    shape = "square" if image.width == image.height else "portrait"
    shape = "landscape" if image.width > image.height else shape
    return f"The picture is {image.width}x{image.height} pixels, {shape}."


def _light(rgb: Pixels) -> str:
    """Say how light it is and how much light and dark differ, in CIE lightness from 0 to 100."""
    import cv2

    levels = rgb.astype(np.float32) / 255
    lightness = np.asarray(cv2.cvtColor(levels, cv2.COLOR_RGB2LAB))[..., 0]
    mean, spread = float(lightness.mean()), float(lightness.std())
    return (
        f"It is {_word(mean, _LIGHTNESS)} (mean lightness {mean:.0f} of 100), "
        f"its contrast is {_word(spread, _SPREAD)} (lightness spreads by {spread:.0f})."
    )


def _sharpness(rgb: Pixels) -> str:
    import cv2

    blur = blurriness(np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8))
    if blur is None:
        return "It is one plain surface, so its sharpness cannot be told."
    return f"Its edges are {_word(blur, _BLUR)} (blur {blur:.2f} of 1)."


def _colors(rgb: Pixels) -> str:
    found = main_colors(rgb.reshape(-1, 3))
    kept = [color for color in found if color.share >= _LEAST] or found
    words = [f"{color.name} {100 * color.share:.0f} %" for color in kept[:_NAMED]]
    return f"Main colors: {', '.join(words)}."


def _things(rgb: Pixels) -> str:
    faces, codes = len(find_faces(rgb)[0]), len(scanning.outlines(rgb))
    return f"Found in it: {counted(faces, 'face')}, {counted(codes, 'code')}."


def _writing(rgb: Pixels) -> str:
    """Say what can be read; a lone letter is mostly a pattern that looks like one."""
    texts = [line.text for line in lettering.read(rgb)]
    quoted = [f'"{text}"' for text in texts if sum(letter.isalnum() for letter in text) > 1]
    if not quoted:
        return "No text was read in it."
    return f"Text read in it, perhaps with mistakes: {listed(quoted, words=_READ)}."


def _word(amount: float, words: Sequence[tuple[float, str]]) -> str:
    """Return the word of the first limit that is not reached."""
    return next(word for limit, word in words if amount < limit)
