"""Multi-head attention between two sequences, for connectors and injected layers."""

from torch import Tensor
from torch.nn import functional


def attend(
    queries: Tensor,
    keys: Tensor,
    values: Tensor,
    *,
    heads: int,
    mask: Tensor | None = None,
) -> Tensor:
    """What queries (batch, query, dim) read of values (batch, key, dim) by their keys.

    Args:
        queries: Projected queries; ``heads`` divides their width.
        keys: Projected keys.
        values: Projected values.
        heads: How many heads share the width.
        mask: True where a query may read a key (batch, query, key); each query reads at least one.
    """
    query, key, value = (
        one.reshape(*one.shape[:-1], heads, -1).transpose(1, 2) for one in (queries, keys, values)
    )
    shared = None if mask is None else mask.unsqueeze(1)
    read = functional.scaled_dot_product_attention(query, key, value, attn_mask=shared)
    return read.transpose(1, 2).flatten(2)
