"""Whether a trace asks the same of the same pictures as an earlier one, or nearly so.

Near duplicates are found by MinHash (A. Z. Broder, "On the resemblance and containment of
documents", 1997) with locality-sensitive hashing in bands (P. Indyk and R. Motwani, "Approximate
nearest neighbors", 1998): texts whose minima agree in one whole band are compared by all minima.
"""

import hashlib
import json

import numpy as np
from numpy.typing import NDArray

from llava_plus.agent import Trace
from llava_plus.skills import Image

from .claims import folded
from .verdict import PASSED, Verdict, dropped

SHINGLE = 5  # characters
BANDS, ROWS = 16, 4  # 99.98 % of texts with 80 % in common are compared, 64 % of those with half
MINIMA = BANDS * ROWS


class Unique:
    """Requests and calls differ from those of every trace before, as far as it remembers.

    Only traces on the same pictures are compared: the same request about another picture has
    another answer. Memory is the same after a hundred thousand traces as after one: of the
    ``most`` traces that passed last a signature of 256 bytes, and a table for each band.

    Args:
        near: Share of shingles in common from which two are the same, 0..1; estimated from 64
            minima, with a standard error of up to 0.06.
        most: How many traces are remembered; older ones are forgotten.
        seed: Of the hash functions.
    """

    name = "unique"

    def __init__(self, *, near: float = 0.8, most: int = 131_072, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.near = near
        self.most = most
        self.seen = 0
        self._slots = 1 << (2 * most - 1).bit_length()
        self._odd = rng.integers(0, 1 << 62, (MINIMA, 1), dtype=np.uint64) * 2 + 1
        self._shift = rng.integers(0, 1 << 63, (MINIMA, 1), dtype=np.uint64)
        self._minima = np.zeros((most, MINIMA), np.uint32)
        self._texts = np.zeros(most, np.uint64)  # a digest of each, to tell equal from near
        self._pictures = np.zeros(most, np.uint64)
        self._bands = np.full((BANDS, self._slots), -1, np.int32)  # last trace with these minima

    @property
    def held(self) -> int:
        """The bytes of all that is remembered; they do not grow."""
        arrays = (self._minima, self._texts, self._pictures, self._bands)
        return sum(array.nbytes for array in arrays)

    def check(self, trace: Trace) -> Verdict:
        """Compare with what was remembered; remember what passes."""
        text, pictures = _asked(trace), _digest("".join(_pictures(trace)))
        minima, slots = self._signature(text, pictures)
        for place in {int(self._bands[band, slot]) for band, slot in enumerate(slots)} - {-1}:
            if self._pictures[place] != pictures:
                continue
            if self._texts[place] == _digest(text):
                return dropped("another trace asks the same of the same pictures")
            if (share := float((self._minima[place] == minima).mean())) >= self.near:
                return dropped(f"another trace asks nearly the same ({share:.0%} of its pieces)")
        place = self.seen % self.most
        self.seen += 1
        self._minima[place], self._texts[place] = minima, _digest(text)
        self._pictures[place] = pictures
        self._bands[np.arange(BANDS), slots] = place
        return PASSED

    def _signature(self, text: str, pictures: int) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """Return the minima (64,) and the slot of each band (16,)."""
        pieces = {text[i : i + SHINGLE] for i in range(max(1, len(text) - SHINGLE + 1))}
        codes = np.array([_digest(piece) for piece in pieces], np.uint64)  # (piece,)
        # Multiply-shift hashing (M. Dietzfelbinger et al., 1997): overflow is meant.
        mixed = (self._odd * codes + self._shift) >> np.uint64(32)  # (64, piece)
        minima = mixed.min(axis=1).astype(np.uint32)
        rows = minima.reshape(BANDS, ROWS)
        slots = [_digest(row.tobytes() + pictures.to_bytes(8)) % self._slots for row in rows]
        return minima, np.array(slots, np.int64)


def _asked(trace: Trace) -> str:
    """Return what is compared: requests and calls."""
    lines = []
    for turn in trace.turns:
        lines.append(folded(turn.message))
        for step in turn.steps:
            lines += [
                f"{call.skill} {json.dumps(call.args, sort_keys=True)}" for call in step.actions
            ]
    return "\n".join(lines)


def _pictures(trace: Trace) -> list[str]:
    """Return the digests of the pictures that the person gave."""
    values = [trace.artifacts[handle].value for turn in trace.turns for handle in turn.images]
    return [value.digest for value in values if isinstance(value, Image)]


def _digest(text: str | bytes) -> int:
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "big")
