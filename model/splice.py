"""Where a picture's tokens go among the words, and the positions that tokens count as."""

import torch
from torch import Tensor


def filled(
    embeds: Tensor,
    input_ids: Tensor,
    token_id: int | None,
    features: Tensor | None,
    kind: str,
) -> Tensor:
    """Embeddings with features (…, dim) in place of the placeholders of one kind, in order."""
    if token_id is None:
        if features is not None:
            raise ValueError(
                f"{kind} features came, but this model has no placeholder for them: its config's"
                f" layout needs a {kind}_token_id."
            )
        return embeds
    holes = input_ids == token_id  # (batch, position)
    if not torch.compiler.is_compiling():
        given = 0 if features is None else features.shape[:-1].numel()
        if (wanted := int(holes.sum())) != given:
            raise ValueError(
                f"The prompt has {wanted} {kind} placeholder tokens but {given} {kind} features"
                " came. Each picture needs as many placeholders as its layout counts."
            )
    if features is None:
        return embeds
    rows = features.to(embeds.device, embeds.dtype).reshape(-1, embeds.shape[-1])
    return embeds.masked_scatter(holes.unsqueeze(-1), rows)


def positions(embeds: Tensor, attention_mask: Tensor | None, past: int) -> Tensor:
    """Positions (batch, position) that count from each sequence's first real token."""
    length = embeds.shape[1]
    if attention_mask is not None and attention_mask.dim() == 2:
        return (attention_mask.long().cumsum(-1) - 1).clamp(min=0)[:, -length:]
    return torch.arange(past, past + length, device=embeds.device).unsqueeze(0)
