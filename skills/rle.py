"""COCO's compressed run-length codes, byte for byte as pycocotools writes them.

Written out here because pycocotools 2.0.11 raises numpy's deprecation warning on every decode.
"""

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

RLE = Mapping[str, Any]  # {"size": [height, width], "counts": str}


def checked_rle(rle: RLE) -> RLE:
    """Return a code of plain types, or say why it is none."""
    counts, (height, width) = rle["counts"], map(int, rle["size"])
    text = counts.decode("ascii") if isinstance(counts, bytes) else str(counts)
    plain = {"size": [height, width], "counts": text}
    if height < 1 or width < 1 or sum(_runs(text)) != height * width:
        raise ValueError(f"a mask's runs must add up to {height} x {width} pixels")
    return plain


def encode(mask: NDArray[np.bool_]) -> RLE:
    """Code a (height, width) mask: lengths of runs down the columns, first one that is unset."""
    flat = np.asarray(mask, bool).ravel(order="F")
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate(([0] if not flat[0] else [0, 0], edges, [flat.size]))).tolist()
    steps = [run - runs[i - 2] if i > 2 else run for i, run in enumerate(runs)]
    return {"size": list(mask.shape), "counts": "".join(map(_letters, steps))}


def decode(rle: RLE) -> NDArray[np.bool_]:
    """Return the (height, width) mask."""
    height, width = rle["size"]
    runs = _runs(rle["counts"])
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape((height, width), order="F")


def share(rle: RLE) -> float:
    """Return what part of the picture is covered, 0..1."""
    return sum(_runs(rle["counts"])[1::2]) / math.prod(rle["size"])


def bounds(rle: RLE) -> tuple[float, float, float, float]:
    """Return the box around what is covered, in 0..1; zeros where nothing is."""
    height, width = rle["size"]
    mask = decode(rle)
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not rows.size:
        return 0.0, 0.0, 0.0, 0.0
    left, right = columns[0] / width, (columns[-1] + 1) / width
    return float(left), float(rows[0] / height), float(right), float((rows[-1] + 1) / height)


def _letters(number: int) -> str:
    """Write one number in letters of five bits each, the sixth says that more follow."""
    letters = ""
    while True:
        low, number = number & 0x1F, number >> 5
        more = number != (-1 if low & 0x10 else 0)
        letters += chr(48 + (low | 0x20 if more else low))
        if not more:
            return letters


@lru_cache(64)
def _runs(counts: str) -> tuple[int, ...]:
    """Read the lengths; from the fourth on each is written as the change from two before."""
    runs: list[int] = []
    number = shift = 0
    for letter in counts:
        low = ord(letter) - 48
        if not 0 <= low < 64:
            raise ValueError(f"{letter!r} is not a letter of a run-length code")
        number |= (low & 0x1F) << shift
        shift += 5
        if low & 0x20:
            continue
        if low & 0x10:
            number -= 1 << shift
        runs.append(number + (runs[-2] if len(runs) > 2 else 0))
        if runs[-1] < 0:
            raise ValueError("a run-length code holds a negative length")
        number = shift = 0
    return tuple(runs)
