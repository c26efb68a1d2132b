"""What injected layers know of the pictures in a call, and how it follows from the tokens."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from .layout import Layout, Size
from .sva import Windows


@dataclass(frozen=True, kw_only=True)
class Sight:
    """Each part concerns one injection and is absent for the others.

    Args:
        expert: Tokens that go through the vision weights (batch, position).
        media: The pictures of each sequence (batch, picture, token, dim).
        latest: Which of them each token reads (batch, position), -1 for none.
        places: Tokens that stand for a window of a picture (batch, position).
        windows: What those read again, in the same order.
    """

    expert: Tensor | None = None
    media: Tensor | None = None
    latest: Tensor | None = None
    places: Tensor | None = None
    windows: Windows | None = None


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What a call's pictures became.

    Args:
        rows: One embedding per placeholder in order (…, dim), or (picture, token, dim) for gates.
        windows: What their tokens can read again, in order, newlines left out.
        marks: Of each placeholder in order, whether it has a window.
    """

    rows: Tensor
    windows: Windows | None = None
    marks: Tensor | None = None


def make_sight(
    injected: Collection[str], holes: Tensor, seen: Seen | None, per_picture: int, cache: Any
) -> Sight:
    """The sight of one call.

    Args:
        injected: The injections' types.
        holes: Where placeholders stand (batch, position).
        seen: What the call's pictures became.
        per_picture: Placeholders of each picture, where all take as many.
        cache: The decoder's cache, if there is one.
    """
    expert = places = windows = media = latest = None
    if "visual_expert" in injected and holes.any():
        expert = expert_tokens(holes, per_picture)
    if "cross_gate" in injected:
        media, latest = gate_media(None if seen is None else seen.rows, holes, cache)
    if seen is not None and seen.windows is not None and seen.marks is not None:
        places, windows = torch.zeros_like(holes).masked_scatter(holes, seen.marks), seen.windows
    return Sight(expert=expert, media=media, latest=latest, places=places, windows=windows)


def expert_tokens(holes: Tensor, per_picture: int) -> Tensor:
    """Placeholders but each picture's last one, which ends it as a word does (CogVLM)."""
    place = (holes.cumsum(-1) - 1) % per_picture
    return holes & (place != per_picture - 1)


def shared_positions(holes: Tensor, per_picture: int) -> Tensor:
    """By how much each position falls behind when a picture's inner tokens share one.

    A picture is a beginning, its features and an end; its first feature moves on, the others do
    not (CogVLM).
    """
    place = (holes.cumsum(-1) - 1) % per_picture
    still = holes & (place >= 2) & (place <= per_picture - 2)
    return still.cumsum(-1)


def media_of(features: Tensor, holes: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures by sequence (batch, picture, token, dim), and which of them each token reads.

    Args:
        features: All pictures in order (picture, token, dim).
        holes: Where they stand (batch, position).
    """
    counts = holes.sum(-1).tolist()
    if sum(counts) != len(features):
        raise ValueError(
            f"The prompt has {sum(counts)} image placeholder tokens but {len(features)} image"
            " features came. Each picture needs one placeholder here."
        )
    rows = torch.nn.utils.rnn.pad_sequence(list(torch.split(features, counts)), batch_first=True)
    return rows, holes.cumsum(-1) - 1


def gate_media(
    features: Tensor | None, holes: Tensor, cache: Any
) -> tuple[Tensor | None, Tensor | None]:
    """The pictures that gates read; the first call leaves them in the cache for the others.

    Args:
        features: All pictures in order (picture, token, dim).
        holes: Where they stand (batch, position).
        cache: The decoder's cache, if there is one.
    """
    if cache is not None and cache.get_seq_length():
        return _recalled(cache, holes)
    if features is None:
        features = torch.zeros(0, 1, 1, device=holes.device)
    if not len(features) and not holes.any():
        return None, None
    media, latest = media_of(features, holes)
    if cache is not None:
        cache.media = media, holes.sum(-1)
    return media, latest


def _recalled(cache: Any, holes: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """The pictures of the first call; every new token reads the last one."""
    if holes.any():
        raise ValueError(
            "New pictures came after the first call: a decoder with gates reads all pictures of"
            " a conversation in one. Begin with an empty cache."
        )
    if not hasattr(cache, "media"):
        return None, None
    media, counts = cache.media
    return media, (counts - 1).unsqueeze(-1).expand(holes.shape)


def fall_behind(holes: Tensor, per_picture: int, cache: Any) -> Tensor:
    """`shared_positions` of this call, after what the cache says of earlier ones."""
    behind = shared_positions(holes, per_picture) + getattr(cache, "behind", 0)
    if cache is not None:
        cache.behind = behind[:, -1:]
    return behind


def rewind(cache: Any, holes: Tensor, per_picture: int) -> None:
    """Let a shortened cache remember the pictures of the tokens that it kept."""
    if hasattr(cache, "behind"):
        cache.behind = shared_positions(holes, per_picture)[:, -1:]
    if hasattr(cache, "media"):
        cache.media = cache.media[0], holes.sum(-1)


def window_rows(
    sizes: Sequence[Size], layout: Layout, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Which queries of a square are shown, and which placeholders they fill.

    Args:
        sizes: The pictures' heights and widths.
        layout: How their tokens lie: one view each, with or without borders and newlines.
        device: Where to put the answers.

    Returns:
        Indices of queries, counting through all pictures' squares, and of every placeholder
        whether it is one of them (and no newline).
    """
    side = layout.side
    squares = torch.arange(len(sizes) * side**2, device=device).view(-1, side, side)
    queries, marks = [], []
    for square, size in zip(squares, sizes, strict=True):
        top, left = layout.borders(size)
        shown = square[top : side - top, left : side - left]
        queries.append(shown.flatten())
        row = torch.ones(shown.shape[1] + layout.newline, dtype=torch.bool, device=device)
        row[shown.shape[1] :] = False
        marks.append(row.repeat(shown.shape[0]))
    return torch.cat(queries), torch.cat(marks)
