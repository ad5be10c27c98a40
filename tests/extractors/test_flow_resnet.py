"""`flow_resnet` gives the published numbers of Ego-RNN's motion stream, from fields in pixels."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ego.errors import BadRequest
from ego.extractors.dis import DIS
from ego.extractors.flow_resnet import FlowResNet
from ego.layers.resnet import ResNet as Layers
from ego.sampling import Window
from ego.spec import Weights
from ego.video import Picture

RANDOM = Weights("random:3")
SMALL: dict[str, Any] = {"sees": DIS(picture=Picture("squash", 32)), "size": 32, "precision": "float32"}


def test_published_numbers(pins: Callable[..., Any], keep: Callable[..., Any]) -> None:
    published = pins("egornn_flow")
    weights, files = keep({"state_dict": published.state()}, "flow.pth")
    taps = ("conv2_x", "conv3_x", "conv4_x", "conv5_x", "pool", "logits")
    theirs = ("layer1", "layer2", "layer3", "layer4", "feature", "logits")
    for pin in published.pins:
        grey = published.pictures(pin)
        side = grey.shape[1]
        sees = DIS(picture=Picture("squash", side))
        spec = FlowResNet(weights=weights, sees=sees, size=side, taps=taps, precision="float32")
        module = spec.build(files)
        assert sum(x.numel() for x in module.parameters()) == published.facts["n_parameters"] == 21_337_917
        fields = (grey.double() / 255 * 40 - 20).float().movedim(3, 1).unflatten(1, (5, 2))
        with torch.inference_mode():
            found = module(flow=fields, flow_homography=torch.zeros(*fields.shape[:2], 3, 3))
        published.check(pin, {name: found[tap] for name, tap in zip(theirs, taps, strict=True)})
        assert {tap: array.shape for tap, array in spec.rows(files).items()} == {
            tap: tuple(x.shape[1:]) for tap, x in found.items()
        }


def test_the_pool_is_the_published_window_of_seven_cells() -> None:
    spec = FlowResNet(weights=RANDOM, sees=DIS(picture=Picture("squash", 256)), size=256, taps=("conv5_x", "pool"))
    network = spec.network({}, "conv4_x")
    x = torch.rand(1, 256, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = network(x, spec.taps)
        again = spec.network({}, "conv5_x")(found["conv5_x"], ("pool",))["pool"]
    assert found["conv5_x"].shape[2:] == (8, 8)
    assert torch.allclose(found["pool"], found["conv5_x"][..., :7, :7].mean(dim=(2, 3)), atol=1e-6)
    assert torch.equal(again, found["pool"])
    small = torch.rand(1, 512, 2, 2)
    with torch.inference_mode():
        found = spec.network({}, "conv5_x")(small, ("pool",))["pool"]
    assert torch.allclose(found, small.mean(dim=(2, 3)))


def test_a_network_of_pictures_is_made_ready_for_flow(keep: Callable[..., Any]) -> None:
    state = Layers(34).state_dict()
    state["conv1.weight"].normal_(generator=torch.Generator().manual_seed(1))
    weights, files = keep(state, "resnet34.pth")
    network = FlowResNet(weights=weights, **SMALL).build(files).model
    assert not hasattr(network, "fc_action")
    mean = state["conv1.weight"].mean(1)
    assert all(torch.equal(network.conv1.weight[:, channel], mean) for channel in range(10))
    grey = torch.full((1, 1, 16, 16), 0.7)
    with torch.inference_mode():
        of_flow, of_picture = (
            torch.nn.functional.conv2d(grey.expand(1, kernel.shape[1], 16, 16), kernel)
            for kernel in (network.conv1.weight, state["conv1.weight"])
        )
    assert torch.allclose(of_flow, of_picture * 10 / 3, rtol=1e-4, atol=1e-4)
    with pytest.raises(BadRequest, match="without a classifier"):
        FlowResNet(weights=weights, taps=("logits",), **SMALL).build(files)


def test_a_tail_goes_on_from_stored_maps() -> None:
    spec = FlowResNet(weights=RANDOM, taps=("conv4_x", "pool", "logits"), **SMALL)
    fields = torch.randn(2, 5, 2, 32, 40, generator=torch.Generator().manual_seed(1)) * 5
    with torch.inference_mode():
        found = spec.build({})(flow=fields)
        again = spec.tail("conv4_x", {})(found["conv4_x"])
    assert set(again) == {"pool", "logits"}
    assert all(torch.allclose(x, found[tap], rtol=1e-4, atol=1e-4) for tap, x in again.items())


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "no flow for"),
        ({"sees": DIS(window=Window(frames=2, edge="drop", fps=10.0))}, "frames a second"),
        ({"sees": DIS(), "picture": Picture("short", 300)}, "sees.picture"),
        ({"sees": DIS(picture=Picture("height", 200))}, "crop of 224 from flow 200 pixels high"),
        ({"sees": DIS(), "window": Window(frames=2, edge="drop")}, "one window"),
    ],
)
def test_fields_that_cannot_be(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        FlowResNet(weights=RANDOM, **fields)
