"""Muon."""

import pytest
import torch
from torch import nn

from llava_plus.model.optim import Muon, orthogonalized


@pytest.mark.parametrize("shape", [(1, 32, 32), (3, 64, 24), (3, 24, 64), (2, 8, 300)])
@pytest.mark.parametrize("scale", [1e-4, 1.0, 1e4])
def test_singular_values_come_near_one(shape, scale):
    torch.manual_seed(0)
    matrices = torch.randn(shape) * scale
    values = torch.linalg.svdvals(orthogonalized(matrices))
    assert values.min() > 0.5
    assert values.max() < 1.3
    before = torch.linalg.svdvals(matrices) / matrices.norm(dim=(-2, -1)).unsqueeze(-1)
    assert before.max() - before.min() > 0.05  # so that there was something to do


def test_directions_are_kept():
    torch.manual_seed(0)
    matrix = torch.randn(1, 16, 16)
    left, _, right = torch.linalg.svd(matrix)
    turned = left.mT @ orthogonalized(matrix) @ right.mT
    off = turned - torch.diag_embed(turned.diagonal(dim1=-2, dim2=-1))
    assert off.abs().max() < 1e-4


def test_a_step_has_the_length_of_the_rate_whatever_the_gradient():
    torch.manual_seed(0)
    steps = []
    for scale in (1e-3, 1e3):
        weight = nn.Parameter(torch.zeros(32, 32))
        weight.grad = torch.randn(32, 32, generator=torch.Generator().manual_seed(1)) * scale
        Muon([weight], lr=0.02).step()
        steps.append(weight.detach())
    assert torch.linalg.svdvals(steps[0]).max() < 0.02 * 1.3
    assert torch.allclose(steps[0], steps[1], atol=1e-4)


def test_tall_matrices_take_longer_steps():
    longest = []
    for rows in (32, 128):
        weight = nn.Parameter(torch.zeros(rows, 32))
        weight.grad = torch.randn(rows, 32, generator=torch.Generator().manual_seed(1))
        Muon([weight], lr=0.02).step()
        longest.append(torch.linalg.svdvals(weight.detach()).mean())
    assert longest[1] / longest[0] == pytest.approx(2, rel=0.15)


def test_what_has_no_gradient_stays_and_shapes_may_be_mixed():
    weights = [
        nn.Parameter(torch.ones(4, 8)),
        nn.Parameter(torch.ones(8, 4)),
        nn.Parameter(torch.ones(4, 8)),
    ]
    weights[0].grad, weights[1].grad = torch.ones(4, 8), torch.ones(8, 4)
    Muon(weights).step()
    assert [bool((weight == 1).all()) for weight in weights] == [False, False, True]


def test_momentum_survives_saving():
    def steps(weight, optimizer, seeds):
        for seed in seeds:
            weight.grad = torch.randn(8, 8, generator=torch.Generator().manual_seed(seed))
            optimizer.step()

    straight = nn.Parameter(torch.zeros(8, 8))
    first = Muon([straight])
    steps(straight, first, [1, 2, 3])
    broken = nn.Parameter(torch.zeros(8, 8))
    second = Muon([broken])
    steps(broken, second, [1, 2])
    third = Muon([broken])
    third.load_state_dict(second.state_dict())
    steps(broken, third, [3])
    assert torch.equal(straight, broken)
