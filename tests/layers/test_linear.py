"""A linear layer whose products are made here says what torch's own says."""

import pytest
import torch
from torch import nn

from ego.layers.linear import WIDE, Linear


@pytest.fixture
def pair():
    torch.manual_seed(0)
    mine, theirs = Linear(24, 7), nn.Linear(24, 7)
    theirs.load_state_dict(mine.state_dict())
    return mine, theirs


@pytest.mark.parametrize("shape", [(5, 24), (24,), (2, 3, 24), (0, 24), (0, 3, 24)])
@pytest.mark.parametrize("wanted", [True, False])
def test_values_and_gradients_are_those_of_torch(pair, shape, wanted):
    found = []
    for layer in pair:
        rows = torch.linspace(-2, 2, max(1, torch.Size(shape).numel()))[: torch.Size(shape).numel()].reshape(shape)
        rows.requires_grad_(wanted)
        said = layer(rows)
        said.square().sum().backward()
        found.append((said.detach(), layer.weight.grad, layer.bias.grad, rows.grad))
    assert found[0][0].shape == (*shape[:-1], 7)
    for mine, theirs in zip(*found, strict=True):
        assert (mine is None) == (theirs is None)
        assert mine is None or torch.allclose(mine, theirs, atol=1e-5)


def test_wide_products_are_those_of_torch():
    """Enough multiplications for oneDNN, forwards and back."""
    torch.manual_seed(0)
    mine, theirs, rows = Linear(1024, 32), nn.Linear(1024, 32), torch.randn(128, 1024)
    theirs.load_state_dict(mine.state_dict())
    assert rows.numel() * 32 >= WIDE
    found = []
    for layer in (mine, theirs):
        own = rows.clone().requires_grad_()
        said = layer(own)
        said.square().sum().backward()
        found.append((said.detach(), layer.weight.grad, layer.bias.grad, own.grad))
    for one, other in zip(*found, strict=True):
        assert torch.allclose(one, other, atol=1e-4, rtol=1e-5)


def test_other_types_are_torchs(pair):
    rows = torch.randn(4, 24)
    with torch.autocast("cpu", torch.bfloat16):
        assert pair[0](rows).dtype == torch.bfloat16
    assert pair[0].double()(rows.double()).dtype == torch.float64


def test_it_can_be_exported(pair):
    program = torch.export.export(pair[0].eval(), (torch.randn(3, 24),))
    assert "aten.linear" in str(program.graph)
