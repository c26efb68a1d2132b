"""A vision transformer for towers that transformers lacks: EVA2-CLIP-E and OpenCLIP's bigG."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.activations import ACT2FN
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_outputs import BaseModelOutput

from .attention import attend


class ViTConfig(PretrainedConfig):  # type: ignore[no-untyped-call]
    """Sizes of a vision transformer and where its norms stand.

    Args:
        hidden_size: Width.
        intermediate_size: Width inside the MLPs.
        num_hidden_layers: How many blocks.
        num_attention_heads: Heads of each.
        image_size: Side of the pictures in pixels.
        patch_size: Side of a patch.
        hidden_act: The MLPs' activation.
        layer_norm_eps: Of every norm.
        class_token: Whether a learned token comes first.
        entry_norm: Whether a norm comes before the blocks.
        post_norm: ``x + LN(f(x))`` (EVA2-CLIP-E) instead of ``x + f(LN(x))``.
        patch_bias: Whether patches have a bias.
        position_side: Side of the square of learned positions, resized bicubically to the patches';
            the patches' own if absent.
    """

    model_type = "lmm_vit"

    hidden_size: int = 1792
    intermediate_size: int = 15360
    num_hidden_layers: int = 63
    num_attention_heads: int = 16
    image_size: int = 224
    patch_size: int = 14
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-6
    class_token: bool = True
    entry_norm: bool = False
    post_norm: bool = True
    patch_bias: bool = True
    position_side: int | None = None


class Block(GradientCheckpointingLayer):  # type: ignore[no-untyped-call]
    """Attention and MLP, each with its residual and norm."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        dim = config.hidden_size
        self.heads = config.num_attention_heads
        self.post_norm = config.post_norm
        self.norm1 = nn.LayerNorm(dim, eps=config.layer_norm_eps)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.out = nn.Linear(dim, dim)
        self.norm2 = nn.LayerNorm(dim, eps=config.layer_norm_eps)
        self.mlp = nn.Sequential(
            nn.Linear(dim, config.intermediate_size),
            ACT2FN[config.hidden_act],
            nn.Linear(config.intermediate_size, dim),
        )

    def forward(self, states: Tensor) -> Tensor:
        if self.post_norm:
            states = states + self.norm1(self._attention(states))
            states = states + self.norm2(self.mlp(states))
        else:
            states = states + self._attention(self.norm1(states))
            states = states + self.mlp(self.norm2(states))
        return states

    def _attention(self, states: Tensor) -> Tensor:
        queries, keys, values = self.qkv(states).chunk(3, dim=-1)
        read: Tensor = self.out(attend(queries, keys, values, heads=self.heads))
        return read


class ViT(PreTrainedModel):
    """Patches, positions and blocks; ``last_hidden_state`` is what the last block gives."""

    config: ViTConfig
    config_class = ViTConfig
    main_input_name = "pixel_values"
    supports_gradient_checkpointing = True

    def __init__(self, config: ViTConfig) -> None:
        super().__init__(config)
        dim, patch = config.hidden_size, config.patch_size
        side = config.position_side or config.image_size // patch
        self.patches = nn.Conv2d(3, dim, patch, stride=patch, bias=config.patch_bias)
        self.class_token = nn.Parameter(torch.zeros(1, 1, dim)) if config.class_token else None
        self.positions = nn.Parameter(torch.randn(side**2 + config.class_token, dim) * dim**-0.5)
        self.norm = nn.LayerNorm(dim, eps=config.layer_norm_eps) if config.entry_norm else None
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_hidden_layers))
        self.post_init()  # type: ignore[no-untyped-call]

    def forward(
        self, pixel_values: Tensor, output_hidden_states: bool = False, **kwargs: Any
    ) -> BaseModelOutput:
        """Features (image, token, dim) of pictures (image, 3, height, width)."""
        grid = self.patches(pixel_values)
        places = self._places(grid.shape[2], grid.shape[3])
        states = grid.flatten(2).transpose(1, 2)
        if self.class_token is not None:
            states = torch.cat([self.class_token.expand(len(states), -1, -1), states], dim=1)
        states = states + places
        if self.norm is not None:
            states = self.norm(states)
        every = [states]
        for block in self.blocks:
            states = block(states)
            every.append(states)
        return BaseModelOutput(
            last_hidden_state=states, hidden_states=tuple(every) if output_hidden_states else None
        )

    def _places(self, rows: int, columns: int) -> Tensor:
        first = int(self.class_token is not None)
        square = self.positions[first:]
        side = round(len(square) ** 0.5)
        if (rows, columns) == (side, side):
            return self.positions
        grid = square.T.reshape(1, -1, side, side).float()
        resized = functional.interpolate(grid, (rows, columns), mode="bicubic", align_corners=False)
        return torch.cat([self.positions[:first], resized[0].flatten(1).T.to(square.dtype)])


AutoConfig.register(ViTConfig.model_type, ViTConfig, exist_ok=True)
AutoModel.register(ViTConfig, ViT, exist_ok=True)
