"""From pixels to the embeddings of pictures: towers, connector and layout in a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from .layout import Layout, Size
from .packing import pack, pack_video, split_views
from .sight import Seen, window_rows
from .sva import SVAConnector

Pixels = Tensor | Sequence[Tensor]  # one tensor for all towers (or videos), or one for each


@dataclass(frozen=True, kw_only=True)
class Reader:
    """The parts of a model that read pictures, under one roof for the length of a call."""

    towers: Sequence[nn.Module]
    connector: nn.Module
    layout: Layout
    newline: Tensor | None

    def features(self, pixel_values: Pixels) -> list[Tensor]:
        """Every tower's features (view, token, dim)."""
        same = isinstance(pixel_values, Tensor)
        inputs = [pixel_values] * len(self.towers) if same else pixel_values
        return [tower(pixels) for tower, pixels in zip(self.towers, inputs, strict=True)]

    def encode(self, pixel_values: Pixels) -> Tensor:
        """Views (view, 3, height, width) as embeddings (view, token, dim)."""
        return cast("Tensor", self.connector(self.features(pixel_values)))

    def see(
        self,
        pixel_values: Pixels,
        image_sizes: Tensor | Sequence[Size] | None,
        batch_num_images: Tensor | Sequence[int] | None,
    ) -> Seen:
        """Pictures as their layout lays them; the arguments are those of `LMM.read_pictures`."""
        layout = self.layout
        if not (layout.mode == "anyres" or layout.newline or layout.unpad):
            return Seen(rows=self.encode(pixel_values))
        if image_sizes is None:
            raise ValueError(f"A layout of mode {layout.mode!r} needs image_sizes, got none.")
        sizes = [(int(height), int(width)) for height, width in image_sizes]
        if isinstance(self.connector, SVAConnector):
            return self._aggregate(self.connector, pixel_values, sizes)
        if not isinstance(pixel_values, Tensor) and layout.mode == "anyres":
            raise ValueError("Towers of several sizes cannot tile pictures: use mode 'pad'.")
        alone = [True] * len(sizes)
        if batch_num_images is not None and not layout.tile_several:
            alone = [number == 1 for number in map(int, batch_num_images) for _ in range(number)]
        counts = [
            layout.views(size, alone=single) for size, single in zip(sizes, alone, strict=True)
        ]
        if isinstance(pixel_values, Tensor):
            pixel_values = split_views(pixel_values, counts)
        views = torch.split(self.encode(pixel_values), counts)
        packed = [
            pack(one, size, layout, self.newline, alone=single)
            for one, size, single in zip(views, sizes, alone, strict=True)
        ]
        return Seen(rows=torch.cat(packed))

    def _aggregate(
        self, connector: SVAConnector, pixel_values: Pixels, sizes: Sequence[Size]
    ) -> Seen:
        groups = connector.read(self.features(pixel_values), sizes)
        views = connector.sample(groups, len(sizes))
        packed = [
            pack(one[None], size, self.layout, self.newline)
            for one, size in zip(views, sizes, strict=True)
        ]
        queries, marks = window_rows(sizes, self.layout, views.device)
        return Seen(rows=torch.cat(packed), windows=groups[-1][queries], marks=marks)

    def see_videos(self, pixel_values_videos: Pixels) -> Tensor:
        """Videos, each (frame, 3, height, width), one row per placeholder."""
        frames = self.encode(torch.cat(list(pixel_values_videos)))
        videos = torch.split(frames, [len(video) for video in pixel_values_videos])
        return torch.cat([pack_video(one, self.layout, self.newline) for one in videos])
