"""The parts of a region: what they are called, and how much of the picture they cover."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from llava_plus.errors import SkillError
from llava_plus.skills import Masks, Region, TextLines
from llava_plus.skills.nouns import plural, singular
from llava_plus.skills.rle import share

_ALIKE = 0.75  # of letters, for words that were read a little wrong


def shares(region: Region) -> list[float]:
    """Return the share of the picture that each part covers."""
    if isinstance(region, Masks):
        return [share(code) for code in region.rles]
    if isinstance(region, TextLines):
        return [_polygon_area(np.array(polygon)) for polygon in region.polygons]
    return [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in region.xyxy]


def _polygon_area(points: NDArray[np.float64]) -> float:
    x, y = points.T
    return abs(float(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))) / 2


def called(skill: str, region: Region, label: str) -> list[int]:
    """Return what the label names: whole words first, then parts of words, then what is close."""
    for fits in (_has_words, _has_letters, _is_close):
        chosen = _fitting(skill, region, label, fits)
        if chosen:
            return chosen
    return []


def named(skill: str, region: Region, label: str) -> list[int]:
    """Return the parts whose label or text has the words of the label, one or many of them."""
    return _fitting(skill, region, label, _has_noun)


def says(text: str, label: str) -> bool:
    """Whether the label stands in a text as whole words, one or many of what it names."""
    return _has_noun(_plain(text), _plain(label))


def _fitting(skill: str, region: Region, label: str, fits: Callable[[str, str], bool]) -> list[int]:
    wanted = _plain(label)
    if not wanted:
        raise SkillError(f"{skill}: label must be a word, got {label!r}.")
    said = [[_plain(words) for words in part] for part in names(region)]
    return [i for i, part in enumerate(said) if any(fits(words, wanted) for words in part)]


def names(region: Region) -> list[tuple[str, ...]]:
    """Return for each part its label, and what it says where it is a line."""
    labels = region.labels or ("",) * len(region)
    texts = region.texts if isinstance(region, TextLines) else ("",) * len(region)
    return [(label, text) if text else (label,) for label, text in zip(labels, texts, strict=True)]


def _plain(text: str) -> str:
    """Return the words of a text in small letters, without accents and signs."""
    bare = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(c for c in bare if not unicodedata.combining(c))
    return " ".join(re.findall(r"\w+", letters)) or letters.strip()


def _has_words(said: str, wanted: str) -> bool:
    return f" {wanted} " in f" {said} " or said == wanted.removesuffix("s") != ""


def _has_noun(said: str, wanted: str) -> bool:
    """Look for whole words, one or many; in writing without spaces for the letters."""
    if not wanted.isascii() and wanted in said:
        return True
    return any(_has_words(said, form) for form in (wanted, singular(wanted), plural(wanted)))


def _has_letters(said: str, wanted: str) -> bool:
    return wanted in said or wanted.replace(" ", "") in said.replace(" ", "")


def _is_close(said: str, wanted: str) -> bool:
    """Compare with every run of as many words, so that one misread letter does no harm."""
    words, length = said.split(), len(wanted.split())
    runs = [" ".join(words[i : i + length]) for i in range(max(1, len(words) - length + 1))]
    return any(difflib.SequenceMatcher(None, run, wanted).ratio() >= _ALIKE for run in runs)
