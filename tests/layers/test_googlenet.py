"""Inception-v1 of single frames has the published tensors, counts and shapes, whole or from above an end point."""

import pytest
import torch

from ego.layers.googlenet import GoogLeNet
from ego.layers.googlenet_plan import END_POINTS, shape

COUNTS = {
    "Conv2d_1a_7x7": 9_536, "Conv2d_2b_1x1": 4_224, "Conv2d_2c_3x3": 110_976, "Mixed_3b": 155_872, "Mixed_3c": 340_224,
    "Mixed_4b": 364_512, "Mixed_4c": 425_232, "Mixed_4d": 486_192, "Mixed_4e": 573_312, "Mixed_4f": 803_840,
    "Mixed_5b": 978_944, "Mixed_5c": 1_347_040,
}  # fmt: skip
TRUNK = 5_599_904


def count(module: torch.nn.Module) -> int:
    return sum(one.numel() for one in module.parameters())


def test_counts_are_the_published_ones() -> None:
    with torch.device("meta"):
        own = [count(GoogLeNet(after=END_POINTS[place])) for place in range(len(END_POINTS))]
        whole, of_flow = GoogLeNet(), GoogLeNet(20, 106)
    found = dict(zip(END_POINTS, [a - b for a, b in zip([count(whole), *own], own, strict=False)], strict=True))
    assert {name: one for name, one in found.items() if name in COUNTS} == COUNTS
    assert sum(COUNTS.values()) == TRUNK
    assert count(whole) == TRUNK + 1_025_000 == 6_624_904
    assert count(GoogLeNet(classes=106)) == 5_708_554
    assert count(of_flow) == 5_653_216 + 108_650 == 5_761_866
    assert count(GoogLeNet(2, 0)) == TRUNK - 9_536 + 6_400


def test_names_are_those_of_the_published_file() -> None:
    with torch.device("meta"):
        state = GoogLeNet().state_dict()
    assert {key.split(".")[0] for key in state} == {
        *("conv1", "conv2", "conv3", "inception3a", "inception3b", "inception4a", "inception4b", "inception4c"),
        *("inception4d", "inception4e", "inception5a", "inception5b", "fc"),
    }
    assert tuple(state["inception4b.branch2.1.conv.weight"].shape) == (224, 112, 3, 3)
    assert tuple(state["inception5b.branch3.1.conv.weight"].shape) == (128, 48, 3, 3)
    assert tuple(state["inception3a.branch4.1.bn.running_var"].shape) == (32,)
    assert tuple(state["conv1.conv.weight"].shape) == (64, 3, 7, 7)


@pytest.mark.parametrize("size", [224, 225, 97, 32, 15])
def test_every_end_point_has_its_declared_shape(size: int) -> None:
    with torch.device("meta"):
        found = GoogLeNet(classes=7).eval()(torch.empty(2, 3, size, size), END_POINTS)
    assert {tap: tuple(x.shape[1:]) for tap, x in found.items()} == {tap: shape(tap, size, 7) for tap in END_POINTS}


def test_maps_of_a_224_picture() -> None:
    sides = ("Conv2d_1a_7x7", "MaxPool_3a_3x3", "MaxPool_4a_3x3", "Mixed_4f", "Mixed_5c")
    assert [shape(tap, 224, 1000)[0] for tap in sides] == [64, 192, 480, 832, 1024]
    assert [shape(tap, 224, 1000)[-1] for tap in sides] == [112, 28, 14, 14, 7]
    assert shape("Mixed_4b", 14, 1000)[-1] < 1


def test_the_part_above_an_end_point_gives_what_the_whole_gives() -> None:
    torch.manual_seed(0)
    whole, upper = GoogLeNet(classes=5).eval(), GoogLeNet(classes=5, after="Mixed_4f").eval()
    upper.load_state_dict({key: value for key, value in whole.state_dict().items() if key in upper.state_dict()})
    found = whole(torch.rand(2, 3, 64, 64), ("Mixed_4f", "Mixed_5c", "logits"))
    again = upper(found["Mixed_4f"], ("Mixed_5c", "logits"))
    assert all(torch.equal(again[tap], found[tap]) for tap in again)


def test_a_norm_in_training_and_folded_is_the_same_function() -> None:
    torch.manual_seed(0)
    network = GoogLeNet(classes=5).train()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
            module.eval()
    x = torch.rand(2, 3, 64, 64)
    plain = network(x, ("Mixed_5c",))["Mixed_5c"]
    assert torch.allclose(network.eval()(x, ("Mixed_5c",))["Mixed_5c"], plain, rtol=1e-3, atol=1e-5)
