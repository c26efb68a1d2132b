"""Keeping what an evaluation asks, and the pictures it asks about, out of training data."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from llava_plus.agent import Trace
from llava_plus.errors import SetupError
from llava_plus.skills import IMAGE_SUFFIXES, Image, load_image

from .verify.verdict import PASSED, Verdict, dropped

WORDS = 5  # of one n-gram
SIDE = 8  # of a difference hash, whose bits are 2 * 8 * 8
FLAT = 2.0  # standard deviation of grey levels below which a picture has no shape to compare
LIGHTER = 2  # grey levels; less may be noise in an even ground
# Chinese and Japanese are written without spaces: each character counts as a word.
TOKEN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
FIELDS = ("request", "question", "prompt", "message", "text")
BITS = np.array([number.bit_count() for number in range(256)], np.uint8)


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What must not be trained on."""

    texts: frozenset[tuple[str, ...]]  # whole requests
    ngrams: frozenset[tuple[str, ...]]
    digests: frozenset[str]
    hashes: NDArray[np.uint8]  # (picture, 16)

    @classmethod
    def read(cls, paths: Sequence[Path]) -> "Evaluation":
        """Read evaluation files.

        Args:
            paths: Lines of JSON with a request (under "request", "question", "prompt", "message"
                or "text") or with a trace, a JSON list of such, text with a request a line,
                pictures, or folders of all these.

        Raises:
            SetupError: A file is missing or cannot be understood, or there is nothing in them.
        """
        texts: set[tuple[str, ...]] = set()
        pictures: list[Image] = []
        for path in _below(paths):
            if path.suffix.lower() in IMAGE_SUFFIXES:
                pictures.append(load_image(path))
            else:
                texts |= {words for text in _requests(path) if (words := tokens(text))}
        if not texts and not pictures:
            named = ", ".join(map(str, paths))
            raise SetupError(f"There is neither a request nor a picture in {named}.")
        hashes = [code for picture in pictures if (code := difference_hash(picture)) is not None]
        return cls(
            texts=frozenset(texts),
            ngrams=frozenset(gram for words in texts for gram in _ngrams(words)),
            digests=frozenset(picture.digest for picture in pictures),
            hashes=np.array(hashes, np.uint8).reshape(-1, 2 * SIDE),
        )


class Uncontaminated:
    """No request and no given picture of a trace is one of an evaluation, or nearly so.

    A request goes when half of its 5-grams of words stand in evaluation requests, one of fewer
    words when it is the same. A picture goes when its content is the same to the byte, or its
    difference hash is near (dHash, N. Krawetz, "Kind of Like That", 2013; here over rows and
    columns, 128 bits), which finds what was scaled, compressed or brightened. Not covered:
    requests in other words; pictures that were cropped, turned or mirrored; pictures without
    any shape, of which only the content is compared.

    Args:
        evaluation: What must not be trained on.
        share: Of a request's n-grams from which it goes, 0..1.
        distance: Bits of 128 by which hashes of the same picture differ at most.
    """

    name = "decontaminate"

    def __init__(self, evaluation: Evaluation, *, share: float = 0.5, distance: int = 10) -> None:
        self.evaluation = evaluation
        self.share = share
        self.distance = distance

    def check(self, trace: Trace) -> Verdict:
        """Compare each request and each picture that the person gave."""
        for number, turn in enumerate(trace.turns, 1):
            if why := self._known(turn.message):
                return dropped(f"turn {number}: {why}")
            for handle in turn.images:
                value = trace.artifacts[handle].value
                if isinstance(value, Image) and (why := self._seen(value)):
                    return dropped(f"{handle}: {why}")
        return PASSED

    def _known(self, message: str) -> str:
        words = tokens(message)
        if words in self.evaluation.texts:
            return "the evaluation asks the same"
        grams = list(_ngrams(words))
        shared = sum(gram in self.evaluation.ngrams for gram in grams)
        if grams and shared >= self.share * len(grams):
            return f"{shared} of {len(grams)} 5-grams of the request are the evaluation's"
        return ""

    def _seen(self, image: Image) -> str:
        if image.digest in self.evaluation.digests:
            return "the evaluation has this picture"
        code = difference_hash(image)
        if code is None or not len(self.evaluation.hashes):
            return ""
        nearest = int(BITS[self.evaluation.hashes ^ code].sum(axis=1).min())
        if nearest <= self.distance:
            return f"the evaluation has a picture like it ({nearest} of 128 bits differ)"
        return ""


def tokens(text: str) -> tuple[str, ...]:
    """Return the words of a text, without case and punctuation."""
    return tuple(TOKEN.findall(text.casefold()))


def difference_hash(image: Image) -> NDArray[np.uint8] | None:
    """Return 16 bytes that say where a picture gets lighter; None for one without any shape."""
    grey = Pillow.fromarray(image.rgb()).convert("L")
    size = Pillow.Resampling.BOX
    if np.asarray(grey).std() < FLAT:
        return None
    across = np.asarray(grey.resize((SIDE + 1, SIDE), size), np.int16)  # (8, 9)
    down = np.asarray(grey.resize((SIDE, SIDE + 1), size), np.int16)  # (9, 8)
    bits = np.stack([np.diff(across, axis=1), np.diff(down, axis=0)]) > LIGHTER  # (2, 8, 8)
    return np.packbits(bits)


def _ngrams(words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    return (words[start : start + WORDS] for start in range(len(words) - WORDS + 1))


def _below(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if not path.exists():
            raise SetupError(f"There is no {path}. Name the evaluation's files or folders.")
        known = {".jsonl", ".json", ".txt", *IMAGE_SUFFIXES}
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        yield from (one for one in inside if one.is_file() and one.suffix.lower() in known)


def _requests(path: Path) -> Iterator[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"Cannot read {path}: it is not text in UTF-8.") from error
    if path.suffix.lower() == ".txt":
        yield from text.split("\n")
        return
    try:
        lines = [text] if path.suffix.lower() == ".json" else text.split("\n")
        rows = [json.loads(line) for line in lines if line.strip()]
    except (ValueError, RecursionError) as error:
        raise SetupError(f"{path} is not JSON: {error}. Mend it, or name another file.") from error
    for row in rows[0] if len(rows) == 1 and isinstance(rows[0], list) else rows:
        if not (found := list(_asked(row))):
            raise SetupError(
                f"{path}: there is no request in {str(row)[:80]!r}. Wanted one under "
                f"{', '.join(FIELDS)}, or a trace."
            )
        yield from found


def _asked(row: Any) -> Iterator[str]:
    if isinstance(row, str):
        yield row
    if not isinstance(row, dict):
        return
    yield from (row[name] for name in FIELDS if isinstance(row.get(name), str))
    for turn in row["turns"] if isinstance(row.get("turns"), list) else ():
        yield from _asked(turn)
