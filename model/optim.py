"""Muon: momentum whose step is orthogonalized, for the weight matrices of a decoder."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

# Coefficients of the quintic Newton-Schulz iteration (Jordan et al. 2024, "Muon").
QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonalized(matrices: Tensor, steps: int = 5) -> Tensor:
    """Push the singular values of matrices (batch, rows, columns) towards 1, by Newton-Schulz."""
    a, b, c = QUINTIC
    x: Tensor = matrices / (matrices.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalized per matrix; steps scale with sqrt(max(1, rows/columns)).

    In a process group each process orthogonalizes its share of the matrices and the results are
    summed, so every process ends with the same weights. It works in the weights' own precision:
    torch's own Muon computes in bfloat16, which processors without bfloat16 units are slow at.

    Args:
        params: Matrices only.
        lr: Learning rate.
        momentum: Share of the running gradient that is kept.
        rank: Which process this is.
        world: How many processes there are.
    """

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        *,
        lr: float = 0.02,
        momentum: float = 0.95,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum})
        self.rank, self.world = rank, world

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take one step."""
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            for shape in sorted({tuple(p.shape) for p in params}):
                self._step([p for p in params if tuple(p.shape) == shape], group)

    def _step(self, params: Sequence[nn.Parameter], group: dict[str, Any]) -> None:
        updates = []
        for param in params:
            grad = param.grad
            assert grad is not None
            running = self.state[param].setdefault("momentum", torch.zeros_like(param))
            running.lerp_(grad, 1 - group["momentum"])
            updates.append(grad.lerp(running, group["momentum"]))
        stack = torch.stack(updates)  # (matrix, rows, columns)
        if self.world > 1:
            mine = torch.arange(len(params)) % self.world == self.rank
            done = torch.zeros_like(stack)
            if bool(mine.any()):
                done[mine] = orthogonalized(stack[mine])
            torch.distributed.all_reduce(done)
        else:
            done = orthogonalized(stack)
        scale = max(1.0, stack.shape[-2] / stack.shape[-1]) ** 0.5
        for param, update in zip(params, done, strict=True):
            param.add_(update, alpha=-group["lr"] * scale)
