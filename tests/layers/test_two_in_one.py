"""The modulation's counts, and what it does when beta and gamma are nothing."""

import torch

from ego.layers.two_in_one import Modulation


def test_counts() -> None:
    module = Modulation()
    assert sum(x.numel() for x in module.condNet.parameters()) == 26_976
    assert sum(x.numel() for x in module.sft.parameters()) == 39_104
    assert sum(x.numel() for x in module.parameters()) == 66_080


def test_without_the_one_a_modulation_of_nothing_is_nothing() -> None:
    x, flow = torch.randn(1, 64, 8, 8), torch.randn(1, 2, 16, 16)
    for residual in (True, False):
        module = Modulation(residual)
        for branch in ("scale", "shift"):
            for weight in module.sft.get_submodule(f"SFT_{branch}_conv1").parameters():
                weight.data.zero_()
        assert torch.equal(module(x, flow), x if residual else torch.zeros_like(x))
