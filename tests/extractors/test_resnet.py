"""`resnet` gives the published numbers, whatever file they come in and whichever taps are kept."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.extractors.resnet import MEAN, STD, ResNet
from ego.layers.resnet import ResNet as Layers
from ego.layers.resnet import class_activation
from ego.layers.resnet_plan import BLOCKS
from ego.sampling import Window
from ego.spec import Weights
from ego.video import Picture

NAMES = {
    "conv2_x": "layer1", "conv3_x": "layer2", "conv4_x": "layer3", "conv5_x": "layer4", "pool": "pooled",
    "logits": "logits",
}  # fmt: skip
SMALL: dict[str, Any] = {"picture": Picture("squash", 64), "size": 64, "precision": "float32"}
RANDOM = Weights("random:3")


def frames(seeds: list[int], side: int) -> torch.Tensor:
    """Noise pictures (B, 1, H, W, 3) uint8."""
    draw = [np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (side, side, 3), np.uint8) for seed in seeds]
    return torch.from_numpy(np.stack(draw))[:, None]


@pytest.mark.parametrize("depth", [18, 34, 50])
def test_published_numbers(depth: int, pins: Callable[..., Any], keep: Callable[..., Any]) -> None:
    published = pins(f"resnet{depth}")
    state = published.state()
    weights, files = keep({"state_dict": state} if depth == 34 else state, "w.pt" if depth == 34 else "w.safetensors")
    for pin in published.pins:
        shown = published.pictures(pin)
        spec = ResNet(depth=depth, weights=weights, taps=tuple(NAMES), size=shown.shape[1], precision="float32")
        module = spec.build(files)
        with torch.inference_mode():
            found = module.model(((shown.float() / 255 - torch.tensor(MEAN)) / torch.tensor(STD)).movedim(3, 1), NAMES)
            published.check(pin, {NAMES[tap]: x for tap, x in found.items()})
            if shown.shape[1] != shown.shape[2]:  # a crop is a square
                continue
            found = module(frames=shown[:, None])
        published.check(pin, {NAMES[tap]: x for tap, x in found.items()})
        assert {name: array.shape for name, array in spec.rows(files).items()} == {
            tap: tuple(x.shape[1:]) for tap, x in found.items()
        }


def theirs(key: str) -> str:
    """What `transformers` calls a tensor."""
    parts = key.split(".")
    if parts[0] == "fc":
        return f"classifier.1.{parts[1]}"
    kind = {"conv": "convolution", "bn": "normalization"}
    if not parts[0].startswith("layer"):
        return f"resnet.embedder.embedder.{kind[parts[0].rstrip('1')]}.{parts[1]}"
    block = f"resnet.encoder.stages.{int(parts[0][5:]) - 1}.layers.{parts[1]}"
    if parts[2] == "downsample":
        return f"{block}.shortcut.{('convolution', 'normalization')[int(parts[3])]}.{parts[4]}"
    return f"{block}.layer.{int(parts[2][-1]) - 1}.{kind[parts[2][:-1]]}.{parts[3]}"


@pytest.mark.parametrize(("depth", "sides"), [(18, (61, 90)), (34, (96, 64)), (50, (65, 65))])
def test_it_gives_what_another_implementation_gives(depth: int, sides: tuple[int, int]) -> None:
    transformers = pytest.importorskip("transformers")
    network = Layers(depth, 7).eval()
    random = torch.Generator().manual_seed(depth)
    for x in network.state_dict().values():
        if x.is_floating_point():
            low, high = (0.5, 1.5) if x.ndim == 1 else (-1.0, 1.0)
            x.uniform_(low, high, generator=random).mul_(1 if x.ndim == 1 else (3 / x[0].numel()) ** 0.5)
    wide = 4 if depth == 50 else 1
    other = transformers.ResNetForImageClassification(
        transformers.ResNetConfig(
            hidden_sizes=[width * wide for width in (64, 128, 256, 512)], depths=list(BLOCKS[depth]), num_labels=7,
            layer_type="bottleneck" if depth == 50 else "basic",
        )
    ).eval()  # fmt: skip
    state = network.state_dict()
    other.load_state_dict({theirs(key): x for key, x in state.items()})
    shown = torch.randn(2, 3, *sides, generator=random)
    with torch.inference_mode():
        found, expected = network(shown, tuple(NAMES)), other(shown, output_hidden_states=True)
    maps = dict(zip(("conv2_x", "conv3_x", "conv4_x", "conv5_x"), expected.hidden_states[1:], strict=True))
    for tap, x in {**maps, "logits": expected.logits}.items():
        assert (found[tap] - x).norm() < 1e-5 * x.norm(), tap


def test_two_forwards_are_identical_and_the_batch_does_not_matter() -> None:
    network, shown = ResNet(weights=RANDOM, **SMALL).build({}), frames([1, 2, 3], 64)
    with torch.inference_mode():
        whole, again = network(shown)["feature"], network(shown)["feature"]
        turned, alone = network(shown.flip(0))["feature"].flip(0), network(shown[1:2])["feature"]
    assert torch.equal(whole, again)
    assert torch.allclose(whole, turned, rtol=1e-5, atol=1e-4)
    assert torch.allclose(whole[1:2], alone, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_lower_precision_stays_within_the_tolerance(precision: str) -> None:
    shown, spec = frames([4, 5], 64), ResNet(weights=RANDOM, **SMALL)
    exact = spec.build({})(shown)["feature"]
    rough = ResNet(weights=RANDOM, **{**SMALL, "precision": precision}).build({})(shown)["feature"]
    assert rough.dtype == torch.float32
    assert not torch.equal(exact, rough)
    assert ((exact - rough).norm(dim=1) / exact.norm(dim=1)).max() < spec.tolerance


def test_only_the_centre_of_the_picture_is_seen() -> None:
    spec = ResNet(weights=RANDOM, picture=Picture("short", 80), size=64, precision="float32")
    network = spec.build({})
    shown = frames([6], 110)[:, :, :80]
    outside = shown.clone()
    outside[:, :, :8] = outside[:, :, -8:] = 0
    outside[..., :23, :] = outside[..., -23:, :] = 0
    with torch.inference_mode():
        assert torch.equal(network(shown)["feature"], network(outside)["feature"])
        assert not torch.equal(network(shown)["feature"], network(shown.flip(2))["feature"])


def test_the_box_of_maps_depends_on_the_shape_of_the_frame() -> None:
    spec = ResNet(weights=RANDOM, taps=("conv5_x", "pool"))
    assert spec.picture.pixels(1920, 1080) == (455, 256)
    assert spec.box(1920, 1080) == pytest.approx((115 / 455, 16 / 256, 339 / 455, 240 / 256))
    assert spec.box(1080, 1920) == pytest.approx((16 / 256, 115 / 455, 240 / 256, 339 / 455))
    arrays = spec.rows({})
    assert arrays["conv5_x"].kind == "map"
    assert arrays["conv5_x"].box == spec.box(720, 720) == (0.0625, 0.0625, 0.9375, 0.9375)
    assert arrays["pool"].box == (0, 0, 1, 1)


def test_it_can_be_trained() -> None:
    network = ResNet(weights=RANDOM, **SMALL).build({}).train()
    network(frames([1, 2], 64))["feature"].sum().backward()
    assert network.model.conv1.weight.grad.abs().sum() > 0
    assert network.model.bn1.num_batches_tracked == 1


def test_a_tail_goes_on_from_stored_rows(keep: Callable[..., Any]) -> None:
    trained = ResNet(weights=RANDOM, **SMALL).build({}).state_dict()
    assert {key.removeprefix("model.") for key in trained} == set(Layers(18).state_dict())
    weights, files = keep(dict(trained), "trained.safetensors")  # with the prefix it was trained under
    spec = ResNet(weights=weights, taps=("conv4_x", "pool", "logits"), **SMALL)
    with torch.inference_mode():
        found = spec.build(files)(frames([1, 2], 64))
        tail = spec.tail("conv4_x", files)
        again = tail(found["conv4_x"].half())
    assert set(again) == {"pool", "logits"}
    assert {key.split(".")[1] for key in tail.state_dict()} == {"layer4", "fc"}
    assert (again["pool"] - found["pool"]).norm() / found["pool"].norm() < spec.tolerance
    for nowhere in ("conv6", "logits"):
        with pytest.raises(BadRequest, match=nowhere):
            spec.tail(nowhere, files)


def test_a_tail_can_be_trained() -> None:
    tail = ResNet(weights=RANDOM, **SMALL).tail("conv4_x", {}).train()
    tail(torch.rand(2, 256, 4, 4))["feature"].sum().backward()
    assert tail.model.layer4[0].conv1.weight.grad.abs().sum() > 0


def test_published_attention_by_class_activation(pins: Callable[..., Any], keep: Callable[..., Any]) -> None:
    published = pins("egornn_rgb")
    weights, files = keep({"state_dict": published.state()}, "ego_rnn.pth")
    spec = ResNet(depth=34, weights=weights, taps=("nbn", "bn", "logits", "cam"), precision="float32")
    module = spec.build(files)
    for pin, facts in published.pins.items():
        for frame, seeds in enumerate(facts["inputs"]["x"]["seeds_by_frame"]):
            cells = [np.random.Generator(np.random.PCG64(one)).integers(0, 256, (7, 7, 3), np.uint8) for one in seeds]
            shown = torch.from_numpy(np.stack(cells)).repeat_interleave(32, 1).repeat_interleave(32, 2)
            with torch.inference_mode():
                row = module(frames=shown[:, None])
                raw = class_activation(row["bn"], module.model.fc.weight, row["logits"])
            published.check_tap(pin, f"imagenet_logits_{frame}", row["logits"])
            published.check_tap(pin, f"class_idx_{frame}", row["logits"].argmax(1))
            published.check_tap(pin, f"F_bn_{frame}", row["bn"])
            published.check_tap(pin, f"F_nbn_{frame}", row["nbn"])
            published.check_tap(pin, f"cam_{frame}", raw)
            published.check_tap(pin, f"attention_{frame}", row["cam"])
    assert {name: (array.shape, array.kind) for name, array in spec.rows(files).items()} == {
        "nbn": ((512, 7, 7), "map"), "bn": ((512, 7, 7), "map"), "logits": ((1000,), "vector"), "cam": ((7, 7), "map"),
    }  # fmt: skip
    assert spec.rows(files)["cam"].box == spec.box(1, 1)


def test_attention_is_trained_through_the_classifier_and_not_its_choice() -> None:
    spec = ResNet(weights=RANDOM, taps=("nbn", "bn", "cam"), **SMALL)
    tail = spec.tail("conv4_x", {})
    rows = torch.rand(2, 256, 4, 4, generator=torch.Generator().manual_seed(1))
    found = tail(rows)
    assert torch.allclose(found["cam"].sum((1, 2)), torch.ones(2))
    assert found["nbn"].min() < 0 <= found["bn"].min()
    (found["nbn"] * found["cam"][:, None]).sum().backward()
    assert tail.model.fc.weight.grad.abs().sum() > 0
    assert tail.model.fc.bias.grad is None
    with torch.no_grad():
        tail.model.fc.weight.zero_()
        assert torch.allclose(tail(rows)["cam"], torch.full((2, 2, 2), 1 / 4))
        again = spec.tail("bn", {})(found["bn"])
    assert set(again) == {"cam"}
    assert torch.allclose(again["cam"], found["cam"].detach(), atol=1e-6)
    for nowhere in ("nbn", "pool", "cam"):
        with pytest.raises(BadRequest, match=nowhere):
            spec.tail(nowhere, {})


def test_classes_come_from_the_file(keep: Callable[..., Any]) -> None:
    weights, files = keep(Layers(18, 7).state_dict(), "seven.pt")
    assert ResNet(weights=weights, taps=("logits",)).rows(files)["feature"].shape == (7,)
    assert ResNet(weights=RANDOM, taps=("logits",)).rows({})["feature"].shape == (1000,)


def test_the_weights_of_another_depth_are_refused(keep: Callable[..., Any]) -> None:
    weights, files = keep(Layers(18).state_dict(), "resnet.pt")
    with pytest.raises(BadRequest, match=r"122 tensors, 218 were expected; 96 missing: layer1\.2"):
        ResNet(depth=34, weights=weights).build(files)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"taps": ("conv9",)}, "conv3_x"),
        ({"taps": ()}, "conv3_x"),
        ({"taps": ("pool", "pool")}, "conv3_x"),
        ({"window": Window(frames=4)}, "frames=1"),
        ({"size": 300}, "crop of 300"),
        ({"picture": Picture("native", 0)}, "native"),
        ({"depth": 19}, "depth"),
    ],
)
def test_fields_that_cannot_be(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        ResNet(weights=RANDOM, **fields)


def test_a_picture_smaller_than_the_crop_is_refused() -> None:
    with pytest.raises(BadRequest, match="at least 64x64"):
        ResNet(weights=RANDOM, **SMALL).build({})(torch.zeros(1, 1, 60, 90, 3, dtype=torch.uint8))
