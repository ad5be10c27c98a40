"""`mfnet` gives the published numbers, alone and as the trunk of a multitask network."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ego.errors import BadRequest
from ego.extractors.mfnet import MFNet
from ego.layers.mfnet import MFNet3d
from ego.layers.mfnet_plan import TAPS
from ego.sampling import Window
from ego.spec import Weights
from ego.video import Picture

RANDOM = Weights("random:3")
SMALL: dict[str, Any] = {
    "picture": Picture("squash", 32), "size": 32, "precision": "float32", "window": Window(frames=4),
}  # fmt: skip


def test_published_numbers(pins: Callable[..., Any], keep: Callable[..., Any]) -> None:
    published = pins("mfnet3d")
    kept = {f"module.{key}": x for key, x in published.state().items() if not key.endswith("num_batches_tracked")}
    weights, files = keep({"state_dict": kept}, "MFNet3D_Kinetics-400_72.8.pth")
    for pin, facts in published.pins.items():
        shown = published.pictures(pin)
        frames, side = shown.shape[1:3]
        taps = tuple(tap for tap in TAPS if ("pooled" if tap == "pool" else tap) in facts["taps"])
        spec = MFNet(
            weights=weights, taps=taps, picture=Picture("squash", side), size=side, precision="float32",
            window=Window(frames, stride=frames),
        )  # fmt: skip
        module = spec.build(files)
        with torch.inference_mode():
            plain = (shown.float() / 255 - torch.tensor([124, 117, 104]) / 255) / (1 / (0.0167 * 255))
            found = module.model(plain.movedim(4, 1), taps)
            published.check(pin, {"pooled" if tap == "pool" else tap: x for tap, x in found.items()})
            if side != shown.shape[3]:  # a crop is a square
                continue
            found = module(frames=shown)
        assert {tap: array.shape for tap, array in spec.rows(files).items()} == {
            tap: tuple(x.shape[1:]) for tap, x in found.items()
        }
        published.check(pin, {"pooled" if tap == "pool" else tap: x for tap, x in found.items()})


def test_published_trunk_of_a_multitask_network(pins: Callable[..., Any], keep: Callable[..., Any]) -> None:
    published = pins("mfnet3d_multitask")
    weights, files = keep({"state_dict": published.state()}, "multitask.pth")
    for pin in published.pins:
        shown = published.pictures(pin)
        frames, side = shown.shape[1:3]
        spec = MFNet(
            weights=weights, taps=("tail",), precision="float32", picture=Picture("squash", side), size=side,
            window=Window(frames, stride=frames),
        )  # fmt: skip
        with torch.inference_mode():
            found = spec.build(files)(frames=shown)["feature"]
        published.check_tap(pin, "tail", found)


def test_shapes_at_the_published_size() -> None:
    arrays = MFNet(weights=RANDOM, taps=TAPS).rows({})
    assert {tap: array.shape for tap, array in arrays.items()} == {
        "conv2": (96, 8, 56, 56), "conv3": (192, 8, 28, 28), "conv4": (384, 8, 14, 14), "conv5": (768, 8, 7, 7),
        "tail": (768, 8, 7, 7), "pool": (768,), "logits": (400,),
    }  # fmt: skip


def test_a_file_without_a_classifier_has_no_logits(keep: Callable[..., Any]) -> None:
    state = MFNet3d(0).state_dict() | {"classifier_list.classifier_list.0.bias": torch.zeros(3)}
    weights, files = keep(state, "trunk.pt")
    assert MFNet(weights=weights, **SMALL).rows(files)["feature"].shape == (768,)
    with pytest.raises(BadRequest, match="without a classifier"):
        MFNet(weights=weights, taps=("pool", "logits"), **SMALL).build(files)


def test_a_tail_goes_on_from_stored_maps_and_can_be_trained() -> None:
    spec = MFNet(weights=RANDOM, taps=("conv4", "tail", "pool", "logits"), **SMALL)
    shown = torch.randint(0, 256, (2, 4, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        found = spec.build({})(shown)
    for tap, parts in (("conv4", {"conv5", "tail", "classifier"}), ("tail", {"classifier"})):
        tail = spec.tail(tap, {})
        again = tail(found[tap])
        assert {key.split(".")[1] for key in tail.state_dict()} == parts
        assert all(torch.allclose(x, found[name], rtol=1e-4, atol=1e-4) for name, x in again.items())
        again["logits"].sum().backward()
        assert tail.model.classifier.weight.grad.abs().sum() > 0


def test_the_two_deviations() -> None:
    white = torch.full((1, 1, 256, 256, 3), 255, dtype=torch.uint8)
    found = [MFNet(weights=RANDOM, std=std).prepare()(white)[0, :, 0, 0, 0] for std in ("kinetics", "imagenet")]
    assert found[0].tolist() == pytest.approx([131 * 0.0167, 138 * 0.0167, 151 * 0.0167], rel=1e-6)
    assert found[1].tolist() == pytest.approx([131 / 255 / 0.229, 138 / 255 / 0.224, 151 / 255 / 0.225], rel=1e-6)
