"""Picture encoders: the only place that knows about hidden states and class tokens."""

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, Blip2VisionConfig, Blip2VisionModel, PreTrainedModel

from . import vit  # noqa: F401 (registers its model with transformers)


class Tower(nn.Module):
    """An HF vision encoder that hands on one row of features per token.

    Args:
        vision: The encoder's HF config as a dict with its ``model_type``.
        select_layer: "last" for the normed output, an index into the hidden states, several of
            those to join their features, or "stages" to join a ConvNet's stages.
        select_feature: "patch" drops the class token, "full" keeps every token.
        grid: Side of the square of features, to which they are resized bilinearly; as the encoder
            gives them if absent.
        size: Side in pixels of the pictures it reads; the encoder's own if absent.
        last_norm_eps: Of the norm after the encoder, where a system's differs from the others.
        norm_eps: Of all norms in the encoder, where transformers' class has it fixed.
    """

    def __init__(
        self,
        *,
        vision: dict[str, Any],
        select_layer: int | str | Sequence[int] = "last",
        select_feature: str = "patch",
        grid: int | None = None,
        size: int | None = None,
        last_norm_eps: float | None = None,
        norm_eps: float | None = None,
    ) -> None:
        super().__init__()
        if select_feature not in ("patch", "full"):
            raise ValueError(f"select_feature must be 'patch' or 'full', got {select_feature!r}.")
        config = AutoConfig.for_model(**vision)
        self.encoder = _encoder(config)
        if last_norm_eps is not None:
            cast("nn.LayerNorm", self.encoder.post_layernorm).eps = last_norm_eps
        if norm_eps is not None:
            for norm in self.encoder.modules():
                if isinstance(norm, nn.LayerNorm):
                    norm.eps = norm_eps
        self.select_layer = select_layer
        self.select_feature = select_feature
        self.grid = grid
        self.size: int = size or config.image_size
        self.patch_size: int = config.patch_size
        if select_layer == "stages":
            self.dim: int = sum(config.hidden_sizes)
        elif isinstance(select_layer, int | str):
            self.dim = config.hidden_size
        else:
            self.dim = config.hidden_size * len(select_layer)

    def forward(self, pixels: Tensor) -> Tensor:
        """Features (image, token, dim) of pictures (image, 3, height, width)."""
        pixels = pixels.to(next(self.encoder.parameters()).dtype)
        if self.select_layer == "stages":
            return self._stages(pixels)
        features = self._tokens(pixels)
        if self.select_feature == "patch":
            patches = (pixels.shape[2] // self.patch_size) * (pixels.shape[3] // self.patch_size)
            features = features[:, features.shape[1] - patches :]
        if self.grid is not None and self.grid**2 != features.shape[1]:
            side = round(features.shape[1] ** 0.5)
            square = features.transpose(1, 2).reshape(len(features), -1, side, side)
            features = _resized(square, self.grid).flatten(2).transpose(1, 2)
        return features

    def _tokens(self, pixels: Tensor) -> Tensor:
        if self.select_layer == "last":
            last: Tensor = self.encoder(pixels).last_hidden_state
            return last
        hidden = self.encoder(pixels, output_hidden_states=True).hidden_states
        if isinstance(self.select_layer, int | str):
            selected: Tensor = hidden[int(self.select_layer)]
            return selected
        return torch.cat([hidden[layer] for layer in self.select_layer], dim=-1)

    def _stages(self, pixels: Tensor) -> Tensor:
        """Every stage of a ConvNet, resized to one grid and joined."""
        stages = self.encoder(pixels, output_hidden_states=True).hidden_states[1:]
        grid = self.grid or stages[0].shape[-1]
        joined = torch.cat([_resized(stage, grid) for stage in stages], dim=1)
        return joined.flatten(2).transpose(1, 2)


def tower_side(tower: dict[str, Any]) -> int:
    """The side of a tower's square of features, from its part of the config."""
    if tower.get("grid"):
        return int(tower["grid"])
    config = AutoConfig.for_model(**tower["vision"])
    side: int = (tower.get("size") or config.image_size) // config.patch_size
    return side


def tower_size(tower: dict[str, Any]) -> int:
    """The side in pixels of the pictures that a tower reads, from its part of the config."""
    size: int = tower.get("size") or AutoConfig.for_model(**tower["vision"]).image_size
    return size


def tower_tokens(tower: dict[str, Any]) -> int:
    """How many features a tower gives of one view, from its part of the config."""
    whole = tower.get("select_feature") == "full"
    vision = tower["vision"]
    without = vision["model_type"] == "siglip_vision_model" or vision.get("class_token") is False
    extra = 0 if without else 1
    return tower_side(tower) ** 2 + whole * extra


def _encoder(config: Any) -> PreTrainedModel:
    if isinstance(config, Blip2VisionConfig):  # which AutoModel does not know
        return Blip2VisionModel(config)
    encoder: PreTrainedModel = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
    return encoder


def _resized(features: Tensor, side: int) -> Tensor:
    """Features (image, dim, row, column) as a square of another side."""
    return functional.interpolate(features.float(), (side, side), mode="bilinear").to(
        features.dtype
    )
