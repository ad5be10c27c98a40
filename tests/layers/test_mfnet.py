"""MFNet-3D has the published tensors, and its units add their shortcut from before the multiplexer."""

import json
from pathlib import Path

import torch

from ego.layers.mfnet import MFNet3d, Unit


def test_names_and_counts_are_the_published_ones(shared_data: Path) -> None:
    published = json.loads((shared_data / "keymaps" / "mfnet3d_cypw_kinetics400.json").read_text())
    with torch.device("meta"):
        network, trunk = MFNet3d(400), MFNet3d(0)
    assert {key: list(x.shape) for key, x in network.state_dict().items()} == published["keys"]
    assert len(network.state_dict()) == 421
    assert sum(x.numel() for x in network.parameters()) == 7_996_368
    assert sum(x.numel() for x in trunk.parameters()) == 7_688_768
    blocks = {name: sum(x.numel() for x in module.parameters()) for name, module in trunk.named_children()}
    assert blocks == {
        "conv1": 3_632, "conv2": 66_384, "conv3": 404_544, "conv4": 2_424_576, "conv5": 4_788_096, "tail": 1_536,
    }  # fmt: skip


def test_the_shortcut_is_taken_before_the_multiplexer() -> None:
    unit = Unit(96, 96).eval()
    x = torch.randn(1, 96, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        unit.conv_m2.conv.weight.zero_()
        assert torch.equal(unit(x), x)


def test_the_fibres_run_apart_but_for_the_multiplexer() -> None:
    unit = Unit(96, 96).eval()
    x = torch.randn(1, 96, 2, 4, 4, generator=torch.Generator().manual_seed(1))
    other = x.clone()
    other[:, :6] += 1  # the first of 16 fibres
    with torch.inference_mode():
        mixed = unit(x) - unit(other)
        unit.conv_i2.conv.weight.zero_()
        apart = unit(x) - unit(other)
    assert mixed[:, 6:].abs().max() > 0
    assert apart[:, 6:].abs().max() == 0
    assert apart[:, :6].abs().max() > 0
