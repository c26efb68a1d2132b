"""Vectors that are no pictures, as tokens: states of things, slots of a scene (PaLM-E)."""

from torch import Tensor, nn


class StateEncoder(nn.Module):
    """An MLP from a vector to one or several tokens (Driess et al. 2023).

    A vector is what is known of a thing (pose, size, color …), or a slot that a model of objects
    found in a scene.

    Args:
        dim: Width of the vectors.
        text_dim: Width of the decoder's embeddings.
        hidden: Width inside the MLP.
        tokens: How many tokens each vector becomes.
    """

    def __init__(self, *, dim: int, text_dim: int, hidden: int = 1024, tokens: int = 1) -> None:
        super().__init__()
        self.dim, self.tokens = dim, tokens
        self.layers = nn.Sequential(
            nn.Linear(dim, hidden), nn.GELU(), nn.Linear(hidden, tokens * text_dim)
        )

    def forward(self, states: Tensor) -> Tensor:
        """Tokens (state, token, text_dim) of vectors (state, dim)."""
        if states.dim() != 2 or states.shape[1] != self.dim:
            raise ValueError(
                f"state_values must be (state, {self.dim}), got {tuple(states.shape)}."
                " Give one row for each state, in the order of their placeholders."
            )
        tokens: Tensor = self.layers(states.to(next(self.parameters()).dtype))
        return tokens.view(len(states), self.tokens, -1)
