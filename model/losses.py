"""Cross-entropy of next tokens."""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers.modeling_outputs import CausalLMOutputWithPast


def next_token_loss(logits: Tensor, labels: Tensor, items: Tensor | int | None) -> Tensor:
    """Cross-entropy of each next token; its mean, or its sum over ``items`` as Trainer counts."""
    kept = labels[:, -logits.shape[1] :][:, 1:].to(logits.device)
    flat = logits[:, :-1].flatten(0, 1).float()
    if items is None:
        return functional.cross_entropy(flat, kept.flatten(), ignore_index=-100)
    total = functional.cross_entropy(flat, kept.flatten(), ignore_index=-100, reduction="sum")
    return total / items


def labelled_loss(
    hidden: Tensor, labels: Tensor, head: nn.Module, weights: Tensor | None = None
) -> CausalLMOutputWithPast:
    """The mean of it, with logits only where a label is.

    Args:
        hidden: The decoder's last states (batch, position, dim).
        labels: Token ids, -100 where nothing is learned (batch, position).
        head: The output embeddings.
        weights: What the loss of each label is multiplied by (batch, position); the mean is over
            labels, whatever they weigh.
    """
    kept = labels[:, 1:] != -100
    logits: Tensor = head(hidden[:, :-1][kept])  # (label, vocabulary)
    if weights is None:
        loss = functional.cross_entropy(logits.float(), labels[:, 1:][kept])
    else:
        each = functional.cross_entropy(logits.float(), labels[:, 1:][kept], reduction="none")
        loss = (each * weights[:, 1:][kept]).mean()
    return CausalLMOutputWithPast(loss=cast("torch.FloatTensor", loss))
