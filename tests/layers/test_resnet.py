"""ResNets have the published tensors, counts and shapes, whole or from above a stage."""

import json
from pathlib import Path

import pytest
import torch

from ego.layers.resnet import ResNet
from ego.layers.resnet_plan import TAPS, shape

COUNTS = {18: (122, 11_689_512), 34: (218, 21_797_672), 50: (320, 25_557_032)}


@pytest.mark.parametrize("depth", COUNTS)
def test_counts_and_keys_are_the_published_ones(depth: int, shared_data: Path) -> None:
    with torch.device("meta"):
        network = ResNet(depth)
    state = network.state_dict()
    assert (len(state), sum(p.numel() for p in network.parameters())) == COUNTS[depth]
    published = json.loads((shared_data / "parity" / f"resnet{depth}.json").read_text())["state_dict"]
    assert {key: list(tensor.shape) for key, tensor in state.items()} == published


@pytest.mark.parametrize("depth", COUNTS)
@pytest.mark.parametrize("size", [224, 225, 97])
def test_every_tap_has_its_declared_shape(depth: int, size: int) -> None:
    with torch.device("meta"):
        found = ResNet(depth, classes=7).eval()(torch.empty(2, 3, size, size), TAPS)
    assert {tap: tuple(x.shape[1:]) for tap, x in found.items()} == {tap: shape(depth, tap, size, 7) for tap in TAPS}


def test_the_stages_of_a_224_picture_are_56_28_14_and_7_cells_wide() -> None:
    assert [shape(50, tap, 224, 1000)[-1] for tap in TAPS[:4]] == [56, 28, 14, 7]
    assert [shape(50, tap, 224, 1000)[0] for tap in TAPS[:4]] == [256, 512, 1024, 2048]


def test_nothing_above_the_highest_tap_is_computed() -> None:
    network = ResNet(18).eval()
    network.layer4 = None  # would fail if it were called
    assert set(network(torch.zeros(1, 3, 32, 32), ("conv3_x", "conv4_x"))) == {"conv3_x", "conv4_x"}


def test_the_part_above_a_stage_gives_what_the_whole_gives() -> None:
    torch.manual_seed(0)
    whole, upper = ResNet(18, 10).eval(), ResNet(18, 10, after="conv4_x").eval()
    assert {key.split(".")[0] for key in upper.state_dict()} == {"layer4", "fc"}
    upper.load_state_dict({key: value for key, value in whole.state_dict().items() if key in upper.state_dict()})
    found = whole(torch.rand(2, 3, 64, 64), ("conv4_x", "pool", "logits"))
    again = upper(found["conv4_x"], ("pool", "logits"))
    assert all(torch.equal(again[tap], found[tap]) for tap in again)
