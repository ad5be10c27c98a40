"""`googlenet` computes what a plain reading of the published file does, of frames and of stacked flow."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ego.errors import BadRequest
from ego.extractors.dis import DIS
from ego.extractors.googlenet import FIRST, GoogLeNet
from ego.layers.googlenet import GoogLeNet as Layers
from ego.sampling import Window
from ego.spec import Weights
from ego.video import Picture

RANDOM = Weights("random:3")
SMALL: dict[str, Any] = {"picture": Picture("squash", 64), "size": 64, "precision": "float32"}
FLOW: dict[str, Any] = {
    "sees": DIS(picture=Picture("short", 64)),
    "size": 64,
    "precision": "float32",
    "window": Window(frames=10, stride=8),
}


def state(channels: int = 3, classes: int = 5) -> dict[str, torch.Tensor]:
    """A file's tensors, the auxiliary classifiers beside."""
    torch.manual_seed(0)
    network = Layers(channels, classes)
    for name, one in network.named_buffers():
        if name.endswith("running_var"):
            one.uniform_(0.5, 2)
    return network.state_dict() | {"aux1.fc1.weight": torch.ones(3, 2), "aux2.conv.bn.bias": torch.ones(4)}


def plain(found: dict[str, torch.Tensor], x: torch.Tensor) -> dict[str, torch.Tensor]:
    """`Mixed_5c`, its mean and the scores, written out over the tensors of a file."""

    def unit(name: str, y: torch.Tensor, stride: int = 1) -> torch.Tensor:
        weight = found[f"{name}.conv.weight"]
        y = F.conv2d(y, weight, stride=stride, padding=weight.shape[-1] // 2)
        mean, var, scale, shift = (
            found[f"{name}.bn.{part}"].view(1, -1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
        )
        return ((y - mean) / (var + 1e-3).sqrt() * scale + shift).clamp(min=0)

    def mixed(name: str, y: torch.Tensor) -> torch.Tensor:
        one, two, three = (f"inception{name}.branch{number}" for number in (2, 3, 4))
        pooled = F.max_pool2d(F.pad(y, (1, 1, 1, 1), value=-torch.inf), 3, 1)
        return torch.cat([
            unit(f"inception{name}.branch1", y), unit(f"{one}.1", unit(f"{one}.0", y)),
            unit(f"{two}.1", unit(f"{two}.0", y)), unit(f"{three}.1", pooled),
        ], 1)  # fmt: skip

    def halved(y: torch.Tensor, kernel: int) -> torch.Tensor:
        return F.max_pool2d(y, kernel, 2, ceil_mode=True)

    x = unit("conv3", unit("conv2", halved(unit("conv1", x, 2), 3)))
    for names, kernel in ((("3a", "3b"), 3), (("4a", "4b", "4c", "4d", "4e"), 3), (("5a", "5b"), 2)):
        x = halved(x, kernel)
        for name in names:
            x = mixed(name, x)
    mean = x.mean(dim=(2, 3))
    return {"Mixed_5c": x, "avg_pool": mean, "logits": mean @ found["fc.weight"].T + found["fc.bias"]}


def pictures(count: int, side: int) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).integers(0, 256, (count, 1, side, side, 3), np.uint8))


def test_a_published_file_gives_what_it_says(keep: Callable[..., Any]) -> None:
    tensors = state()
    weights, files = keep(tensors, "w.pt")
    spec = GoogLeNet(weights=weights, taps=("Mixed_5c", "avg_pool", "logits"), **SMALL)
    shown = pictures(2, 64)
    with torch.inference_mode():
        found = spec.build(files)(frames=shown)
        expected = plain(tensors, (shown[:, 0].float() / 127.5 - 1).movedim(3, 1))
    assert {name: array.shape for name, array in spec.rows(files).items()} == {
        "Mixed_5c": (1024, 2, 2), "avg_pool": (1024,), "logits": (5,)
    }  # fmt: skip
    for name, one in expected.items():
        assert torch.allclose(found[name], one, rtol=1e-3, atol=1e-4), name


def test_flow_is_stacked_and_the_first_convolution_of_pictures_serves_it(keep: Callable[..., Any]) -> None:
    tensors = state()
    weights, files = keep(tensors, "w.pt")
    spec = GoogLeNet(weights=weights, taps=("Mixed_5c",), **FLOW)
    flow = torch.from_numpy(np.random.default_rng(2).normal(0, 15, (2, 10, 2, 64, 64))).float()
    made = dict(tensors)
    made[FIRST] = tensors[FIRST].mean(dim=1, keepdim=True).repeat(1, 20, 1, 1)
    with torch.inference_mode():
        found = spec.build(files)(flow=flow)["feature"]
        expected = plain(made, (flow.clamp(-20, 20) / 20).flatten(1, 2))["Mixed_5c"]
    assert torch.allclose(found, expected, rtol=1e-3, atol=1e-4)
    assert spec.rows({})["feature"].shape == (1024, 2, 2)


def test_one_field_is_two_channels() -> None:
    spec = GoogLeNet(weights=RANDOM, **{**FLOW, "window": Window()})
    assert spec.build({}).model.conv1.conv.weight.shape[1] == 2


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"window": Window(frames=2)}, "got a window of 2 frames for googlenet, which sees one"),
        ({"size": 14, "taps": ("Mixed_4b",)}, "got 14 pixels for Mixed_4b of googlenet, expected at least 15"),
        ({"taps": ("Mixed_5d",)}, "got taps"),
    ],
)
def test_what_cannot_be_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        GoogLeNet(weights=RANDOM, **{**SMALL, **fields})
