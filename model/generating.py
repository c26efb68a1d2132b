"""How `generate` goes on with what a prompt shows: once read, and again for every beam."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor
from transformers import GenerationMixin
from transformers.cache_utils import Cache

from .layout import Layout
from .previous import reorder

_SHOWN = (
    "pixel_values", "image_sizes", "batch_num_images", "image_features", "pixel_values_videos",
    "state_values",
)  # fmt: skip


class ShownGenerationMixin(GenerationMixin):
    """Generation for models that read pictures, videos and states among their words."""

    layout: Layout | None
    image_token_id: int | None
    video_token_id: int | None
    state_token_id: int | None
    states: Any

    def prepare_inputs_for_generation(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        inputs: dict[str, Any] = super().prepare_inputs_for_generation(*args, **kwargs)  # type: ignore[misc]
        if not kwargs.get("is_first_iteration", False) and kwargs.get("use_cache", True):
            for name in ("image_features", "state_values"):
                inputs.pop(name, None)
        return inputs

    @staticmethod
    def _reorder_cache(cache: Cache, beams: torch.LongTensor) -> Cache:
        """Called by beam search, which would not know about the remembered embedding."""
        return reorder(cache, beams)

    def _expand_inputs_for_generation(
        self,
        expand_size: int = 1,
        is_encoder_decoder: bool = False,
        input_ids: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """Repeat every conversation for beams and samples, with all that it shows behind it."""
        shown = {name: kwargs.pop(name) for name in _SHOWN if kwargs.get(name) is not None}
        expand: Any = super()._expand_inputs_for_generation  # type: ignore[misc]
        ids, inputs = expand(expand_size, is_encoder_decoder, input_ids, **kwargs)
        if expand_size > 1 and input_ids is not None:
            rows = {name: self._by_row(name, shown, input_ids) for name in shown}
            for name, one in shown.items():
                towers = name == "pixel_values" and not isinstance(one, Tensor)
                shown[name] = (
                    [repeated(each, rows[name], expand_size) for each in one]
                    if towers
                    else repeated(one, rows[name], expand_size)
                )
        return ids, {**inputs, **shown}

    def _by_row(self, name: str, shown: dict[str, Any], input_ids: Tensor) -> list[int]:
        """How many entries of something that is shown belong to each conversation."""
        value, layout = shown[name], self.layout
        if name == "state_values":
            return _shares(input_ids, self.state_token_id, [self.states.tokens] * len(value))
        assert layout is not None
        if name == "batch_num_images" and len(value) == len(input_ids):
            return [1] * len(input_ids)
        if name == "batch_num_images":  # rows without pictures were left out
            pictures = self._pictures_by_row("image_sizes", shown, input_ids, layout)
            return [int(count > 0) for count in pictures]
        if name == "pixel_values_videos":
            counts = [layout.count_video_tokens(len(video)) for video in value]
            return _shares(input_ids, self.video_token_id, counts)
        if name == "image_features" and value.dim() == 2:
            return _shares(input_ids, self.image_token_id, [1] * len(value))
        return self._pictures_by_row(name, shown, input_ids, layout)

    def _pictures_by_row(
        self, name: str, shown: dict[str, Any], input_ids: Tensor, layout: Layout
    ) -> list[int]:
        value = shown[name]
        sizes = shown.get("image_sizes")
        if sizes is None:
            counts = [layout.view_tokens if layout.splice else 1] * len(_first(value))
            return _shares(input_ids, self.image_token_id, counts)
        alone = [True] * len(sizes)
        if (numbers := shown.get("batch_num_images")) is not None and not layout.tile_several:
            alone = [int(number) == 1 for number in numbers for _ in range(int(number))]
        each = [(int(h), int(w)) for h, w in sizes]
        counts = [layout.count_tokens(s, alone=a) for s, a in zip(each, alone, strict=True)]
        rows = _shares(input_ids, self.image_token_id, counts)
        if len(_first(value)) == len(sizes):
            return rows
        views = [layout.views(s, alone=a) for s, a in zip(each, alone, strict=True)]  # in a row
        return [sum(part) for part in _split(views, rows)]


def repeated(value: Tensor | Sequence[Tensor], rows: Sequence[int], times: int) -> Any:
    """Each row's entries so many times, the rows in order.

    Args:
        value: The entries of all rows, stacked or as a list.
        rows: How many entries each row has.
        times: How often each comes.
    """
    if isinstance(value, Tensor):
        return torch.cat([part for part in torch.split(value, list(rows)) for _ in range(times)])
    return [one for part in _split(value, rows) for _ in range(times) for one in part]


def _shares(input_ids: Tensor, token: int | None, counts: Sequence[int]) -> list[int]:
    """How many of the things that take ``counts`` placeholders stand in each row."""
    holes = input_ids.eq(-1 if token is None else token).sum(-1).tolist()
    rows, at = [], 0
    for left in holes:
        first = at
        while left > 0 and at < len(counts):
            left -= counts[at]
            at += 1
        rows.append(at - first)
    if at < len(counts) or sum(holes) != sum(counts):
        raise ValueError(
            f"The prompts have {sum(holes)} placeholders, but what is shown takes {sum(counts)}."
            " Prepare both with LMMProcessor."
        )
    return rows


def _split(items: Sequence[Any], rows: Sequence[int]) -> list[Sequence[Any]]:
    ends = list(accumulate(rows))
    return [items[end - count : end] for end, count in zip(ends, rows, strict=True)]


def _first(value: Tensor | Sequence[Tensor]) -> Tensor:
    """The entries of one tower, where there are several."""
    return value if isinstance(value, Tensor) else value[0]
