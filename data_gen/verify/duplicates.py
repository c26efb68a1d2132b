"""Whether a trace asks the same of the same pictures as an earlier one, or nearly so.

Near duplicates are found by MinHash (A. Z. Broder, "On the resemblance and containment of
documents", 1997) with locality-sensitive hashing in bands (P. Indyk and R. Motwani, "Approximate
nearest neighbors", 1998): texts whose minima agree in one whole band are compared by all minima.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from typing import Self
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from llava_plus.agent import Trace
from llava_plus.skills import Image

from .claims import folded
from .verdict import PASSED, Verdict, dropped

SHINGLE = 5  # characters
BANDS, ROWS = 16, 4  # 99.98 % of texts with 80 % in common are compared, 64 % of those with half
MINIMA = BANDS * ROWS


@dataclass(frozen=True, kw_only=True)
class Signature:
    """What is remembered of a trace: digests of its text and of its pictures, and the minima."""

    text: int
    pictures: int
    minima: NDArray[np.uint32]  # (64,)

    def to_text(self) -> str:
        """Write it in 544 letters."""
        head = self.text.to_bytes(8) + self.pictures.to_bytes(8)
        return (head + self.minima.astype("<u4").tobytes()).hex()

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` wrote."""
        data = bytes.fromhex(text)
        minima = np.frombuffer(data, "<u4", offset=16).astype(np.uint32)
        ends = int.from_bytes(data[:8]), int.from_bytes(data[8:16])
        return cls(text=ends[0], pictures=ends[1], minima=minima)


def signature(trace: Trace, *, seed: int = 0) -> Signature:
    """Return what `Unique` compares; it depends on nothing but the trace and the seed."""
    text = _asked(trace)
    pieces = {text[i : i + SHINGLE] for i in range(max(1, len(text) - SHINGLE + 1))}
    codes = np.array([crc32(piece.encode("utf-8", "replace")) for piece in pieces], np.uint64)
    # Multiply-shift hashing (M. Dietzfelbinger et al., 1997): overflow is meant.
    odd, shift = _hashes(seed)  # (64, 1), of (piece,)
    mixed = (odd * codes + shift) >> np.uint64(32)  # (64, piece)
    minima = mixed.min(axis=1).astype(np.uint32)
    return Signature(text=_digest(text), pictures=_digest("".join(_pictures(trace))), minima=minima)


@cache
def _hashes(seed: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    rng = np.random.default_rng(seed)
    odd = rng.integers(0, 1 << 62, (MINIMA, 1), dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    return odd, rng.integers(0, 1 << 63, (MINIMA, 1), dtype=np.uint64)


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
        self.near = near
        self.most = most
        self.seed = seed
        self.seen = 0
        self._slots = 1 << (2 * most - 1).bit_length()
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
        return self.admit(signature(trace, seed=self.seed))

    def admit(self, one: Signature) -> Verdict:
        """Compare a trace by what there is to remember of it."""
        slots = self._slots_of(one)
        for place in {int(self._bands[band, slot]) for band, slot in enumerate(slots)} - {-1}:
            if self._pictures[place] != one.pictures:
                continue
            if self._texts[place] == one.text:
                return dropped("another trace asks the same of the same pictures")
            share = float((self._minima[place] == one.minima).mean())
            if share >= self.near:
                return dropped(f"another trace asks nearly the same ({share:.0%} of its pieces)")
        place = self.seen % self.most
        self.seen += 1
        self._minima[place], self._texts[place] = one.minima, one.text
        self._pictures[place] = one.pictures
        self._bands[np.arange(BANDS), slots] = place
        return PASSED

    def _slots_of(self, one: Signature) -> NDArray[np.int64]:
        """Return the place of each band in its table, (16,)."""
        rows, pictures = one.minima.reshape(BANDS, ROWS), one.pictures.to_bytes(8)
        return np.array([_digest(row.tobytes() + pictures) % self._slots for row in rows], np.int64)


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
