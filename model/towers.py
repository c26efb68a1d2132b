"""Picture encoders: the only place that knows about hidden states and class tokens."""

from typing import Any

from torch import Tensor, nn
from transformers import AutoConfig, AutoModel


class Tower(nn.Module):
    """An HF vision encoder that hands on one row of features per token.

    Args:
        vision: The encoder's HF config as a dict with its ``model_type``.
        select_layer: "last" for the normed output, or an index into the hidden states.
        select_feature: "patch" drops the class token, "full" keeps every token.
    """

    def __init__(
        self,
        *,
        vision: dict[str, Any],
        select_layer: int | str = "last",
        select_feature: str = "patch",
    ) -> None:
        super().__init__()
        if select_feature not in ("patch", "full"):
            raise ValueError(f"select_feature must be 'patch' or 'full', got {select_feature!r}.")
        config = AutoConfig.for_model(**vision)
        self.encoder = AutoModel.from_config(config)  # type: ignore[no-untyped-call]
        self.select_layer = select_layer
        self.select_feature = select_feature
        self.dim: int = config.hidden_size
        self.patches: int = (config.image_size // config.patch_size) ** 2

    def forward(self, pixels: Tensor) -> Tensor:
        dtype = next(self.encoder.parameters()).dtype
        if self.select_layer == "last":
            features: Tensor = self.encoder(pixels.to(dtype)).last_hidden_state
        else:
            output = self.encoder(pixels.to(dtype), output_hidden_states=True)
            features = output.hidden_states[int(self.select_layer)]
        surplus = features.shape[1] - self.patches if self.select_feature == "patch" else 0
        return features[:, surplus:]  # (image, token, dim)
