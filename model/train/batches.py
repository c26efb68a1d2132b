"""Rows of a plan as tensors: padded ones, or packed ones in which no conversation sees another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from .encoding import ConversationEncoder, Encoded, Encoder
from .plan import Plan
from .recipe import Source
from .sources import DataSet

_STEP = 8  # widths are multiples of this, so that fewer shapes occur


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One conversation of a row, and what its losses are multiplied by."""

    encoded: Encoded
    weight: float = 1.0


class Rows(Dataset[list[Piece]]):
    """The rows of a plan, encoded when they are asked for."""

    def __init__(
        self, plan: Plan, sets: Sequence[DataSet], sources: Sequence[Source], encoder: Encoder
    ) -> None:
        self.plan = plan
        self.sets = sets
        self.weights = [source.weight for source in sources]
        self.encoder = encoder
        self._starts = np.cumsum([0, *map(len, sets)])

    def __len__(self) -> int:
        return len(self.plan.rows)

    def __getitem__(self, number: int) -> list[Piece]:
        return [self.piece(one) for one in self.plan.rows[number]]

    def where(self, number: int) -> str:
        """What to call a row in an error."""
        places = [self._home(one) for one in self.plan.rows[number]]
        return "; ".join(self.sets[home].where(local) for home, local in places)

    def _home(self, number: int) -> tuple[int, int]:
        home = int(np.searchsorted(self._starts, number, side="right")) - 1
        return home, number - int(self._starts[home])

    def piece(self, number: int) -> Piece:
        """One conversation, by its number over all data sets."""
        home, local = self._home(number)
        data = self.sets[home]
        encoded = self.encoder(data.read(local), data.where(local), with_pixels=True)
        return Piece(encoded=encoded, weight=self.weights[home])


@dataclass(frozen=True)
class Collator:
    """Makes a batch of rows for `LMM.forward`.

    A batch without pictures and videos gets a black picture that nothing reads and nothing is
    learned from, one without states such a state: with them, every process runs every part, and
    all have gradients of the same parameters.

    Args:
        encoder: Makes that picture and that state.
        pad: The token that fills up.
        packing: Whether conversations of a row follow each other in it; else rows hold one each.
        reads: Whether the model reads pictures.
        states: Whether it reads states.
    """

    encoder: ConversationEncoder
    pad: int
    packing: bool
    reads: bool
    states: bool = False

    def __call__(self, rows: Sequence[Sequence[Piece]]) -> dict[str, Any]:
        filled = [list(row) for row in rows]
        given = [piece.encoded for row in filled for piece in row]
        picture = self.reads and not any(one.sizes or one.frames for one in given)
        state = self.states and all(one.states is None for one in given)
        if picture or state:
            blank = Piece(encoded=self.encoder.blank(picture=picture, state=state))
            filled = [filled[0] + [blank], *filled[1:]] if self.packing else [*filled, [blank]]
        batch = self._packed(filled) if self.packing else self._padded(filled)
        pieces = [piece.encoded for row in filled for piece in row]
        return batch | _shown(pieces) | _weights(filled, batch) | _counts(given)

    def _padded(self, rows: Sequence[Sequence[Piece]]) -> dict[str, Any]:
        width = _width(rows)
        ids = np.full((len(rows), width), self.pad, np.int64)
        labels = np.full((len(rows), width), -100, np.int64)
        mask = np.zeros((len(rows), width), np.int64)
        for number, row in enumerate(rows):
            (piece,) = row
            length = len(piece.encoded.ids)
            ids[number, :length] = piece.encoded.ids
            labels[number, 1:length] = piece.encoded.labels[1:]
            mask[number, :length] = 1
        return _tensors(input_ids=ids, labels=labels, attention_mask=mask)

    def _packed(self, rows: Sequence[Sequence[Piece]]) -> dict[str, Any]:
        """Positions begin again at each conversation; that alone keeps them apart."""
        width = _width(rows)
        ids = np.full((len(rows), width), self.pad, np.int64)
        labels = np.full((len(rows), width), -100, np.int64)
        positions = np.zeros((len(rows), width), np.int64)
        for number, row in enumerate(rows):
            at = 0
            for piece in row:
                end = at + len(piece.encoded.ids)
                ids[number, at:end] = piece.encoded.ids
                labels[number, at + 1 : end] = piece.encoded.labels[1:]
                positions[number, at:end] = np.arange(end - at)
                at = end
            positions[number, at:] = np.arange(width - at)
        return _tensors(input_ids=ids, labels=labels, position_ids=positions)


@dataclass(frozen=True)
class CaptionCollator:
    """Pairs of a picture and a caption, for BLIP-2's first stage."""

    pad: int

    def __call__(self, rows: Sequence[Sequence[Piece]]) -> dict[str, Any]:
        pieces = [piece.encoded for row in rows for piece in row]
        width = max(len(one.ids) for one in pieces)
        ids = np.full((len(pieces), width), self.pad, np.int64)
        mask = np.zeros((len(pieces), width), np.int64)
        for number, one in enumerate(pieces):
            ids[number, : len(one.ids)], mask[number, : len(one.ids)] = one.ids, 1
        pixels = torch.from_numpy(np.concatenate([one.pixels[0] for one in pieces]))
        return {"pixel_values": pixels, **_tensors(text_ids=ids, text_mask=mask), **_counts(pieces)}


def _shown(pieces: Sequence[Encoded]) -> dict[str, Any]:
    """Pictures, videos and states of a batch, in order."""
    found = _pictures([one for one in pieces if one.sizes])
    if videos := [torch.from_numpy(video) for one in pieces for video in one.videos]:
        found["pixel_values_videos"] = videos
    if states := [one.states for one in pieces if one.states is not None]:
        found["state_values"] = torch.from_numpy(np.concatenate(states))
    return found


def _pictures(shown: Sequence[Encoded]) -> dict[str, Any]:
    if not shown:
        return {}
    sides = range(len(shown[0].pixels))
    pixels = [
        torch.from_numpy(np.concatenate([one.pixels[side] for one in shown])) for side in sides
    ]
    return {
        "pixel_values": pixels[0] if len(pixels) == 1 else pixels,
        "image_sizes": torch.tensor([size for one in shown for size in one.sizes]),
        "batch_num_images": torch.tensor([len(one.sizes) for one in shown]),
    }


def _weights(rows: Sequence[Sequence[Piece]], batch: dict[str, Any]) -> dict[str, Tensor]:
    """What the loss of each position is multiplied by, where that is not 1 everywhere."""
    if all(piece.weight == 1 for row in rows for piece in row):
        return {}
    weights = torch.ones(batch["labels"].shape)
    for number, row in enumerate(rows):
        at = 0
        for piece in row:
            end = at + len(piece.encoded.ids)
            weights[number, at:end] = piece.weight
            at = end
    return {"loss_weights": weights}


def _counts(pieces: Sequence[Encoded]) -> dict[str, int]:
    """How many tokens a batch has without padding, and how many conversations."""
    return {"tokens": sum(len(one.ids) for one in pieces), "conversations": len(pieces)}


def _width(rows: Sequence[Sequence[Piece]]) -> int:
    longest = max(sum(len(piece.encoded.ids) for piece in row) for row in rows)
    return -(-longest // _STEP) * _STEP


def _tensors(**arrays: NDArray[np.int64]) -> dict[str, Any]:
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
