"""Two-in-one gives the published numbers; a modulation of nothing is the plain ResNet."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.extractors.dis import DIS
from ego.extractors.resnet import ResNet
from ego.extractors.two_in_one import TwoInOne
from ego.heads._convlstm import from_published
from ego.heads.convlstm import ConvLSTM
from ego.heads.motion_segmentation import MotionSegmentation
from ego.layers.resnet import ResNet as Layers
from ego.sampling import Window
from ego.spec import Weights
from ego.tasks.classify import Classify
from ego.video import Array, Picture

WHOLE: dict[str, Any] = {"flow": DIS(picture=Picture("short", 224)), "picture": Picture("short", 224)}
SMALL: dict[str, Any] = {"flow": DIS(picture=Picture("short", 64)), "picture": Picture("short", 64), "size": 64}
PIN = "n2_b1_h224_w224"


def shown(published: Any) -> dict[str, torch.Tensor]:
    """The pin's two frames as rows, and their flow in pixels."""
    inputs = published.pins[PIN]["inputs"]
    rgb, flow = ([one for [one] in inputs[name]["seeds_by_frame"]] for name in ("rgb", "flow"))
    blocks = [np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (7, 7, 3), np.uint8) for seed in rgb]
    fields = [np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (224, 224, 2), np.uint8) for seed in flow]
    pixels = (torch.from_numpy(np.stack(fields)).double() / 255 * 40 - 20).float()
    frames = np.stack([block.repeat(32, 0).repeat(32, 1) for block in blocks])
    return {"frames": torch.from_numpy(frames)[:, None], "flow": pixels.permute(0, 3, 1, 2)[:, None]}


def test_published_numbers(pins: Callable[..., Any], keep: Callable[..., Any], steps_task: Callable[..., Any]) -> None:
    published = pins("fpar_two_in_one")
    weights, files = keep({"state_dict": published.state()}, "two_in_one.pth")
    taps = ("nbn", "bn", "cam", "cam_raw", "logits")
    module = TwoInOne(weights=weights, taps=taps, precision="float32", **WHOLE).build(files)
    given = shown(published)
    model = module.model
    with torch.inference_mode():
        found = module(**given)
        x = module._prepare(given["frames"], given["flow"])
        first, condition = model.conv1(x[:, :3]), model.modulation.condNet(x[:, 3:])
        beta, gamma = model.modulation.branches(condition)
        own = {"conv1": first, "condition": condition, "beta": beta, "gamma": gamma, "modulated": model._first(x),
               "F_bn": found["bn"], "F_nbn": found["nbn"], "cam": found["cam_raw"], "attention": found["cam"],
               "class_idx": found["logits"].argmax(1)}  # fmt: skip
        for step in range(2):
            for name, value in own.items():
                published.check_tap(PIN, f"{name}_{step}", value[step : step + 1])
        maps, attention = Array((512, 7, 7), kind="map"), Array((7, 7), kind="map")
        shapes = {"x.nbn": maps, "x.cam": attention, "x.bn": maps}
        tasks = {"action": Classify(label="a", classes=tuple(map(str, range(61)))), "moves": steps_task(1, 7, 7)}
        head = ConvLSTM(motion=MotionSegmentation(features=("x.bn",), before="none", after="none"))
        built = head.build(shapes, tasks).eval()
        built.load_state_dict(from_published(published.state(), "action", "moves"))
        features = {f"x.{tap}": found[tap][None] for tap in ("nbn", "cam", "bn")}
        masks = {name: torch.ones(1, 2, dtype=torch.bool) for name in features}
        said = built(features, masks, tuple(tasks))
        published.check_tap(PIN, "feature", built.embed(features, masks))
        published.check_tap(PIN, "logits", said["action"])
        published.check_tap(PIN, "ms_logits", said["moves"].flatten(2))
    assert sum(x.numel() for part in (module, built) for x in part.parameters()) == 41_062_910


@pytest.mark.parametrize("form", ["residual", "plain"])
def test_a_file_of_a_resnet_begins_as_that_resnet(form: Any, keep: Callable[..., Any]) -> None:
    state = ResNet(weights=Weights("random:3"), depth=18, taps=("logits",)).build({}).state_dict()
    weights, files = keep(dict(state), "resnet18.safetensors")
    spec = TwoInOne(weights=weights, depth=18, form=form, taps=("pool",), precision="float32", **SMALL)
    frames = torch.randint(0, 256, (2, 1, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    flow = torch.randn(2, 1, 2, 64, 64) * 9
    alone = ResNet(weights=weights, depth=18, picture=Picture("short", 64), size=64, precision="float32")
    with torch.inference_mode():
        found = spec.build(files)(frames=frames, flow=flow)["feature"]
        assert torch.allclose(found, alone.build(files)(frames=frames)["feature"], atol=1e-5)


def test_flow_changes_what_is_seen_and_is_learnt_from() -> None:
    spec = TwoInOne(weights=Weights("random:1"), depth=18, precision="float32", **SMALL)
    module = spec.build({})
    frames = torch.randint(0, 256, (1, 1, 64, 64, 3), dtype=torch.uint8)
    still, moving = (module(frames=frames, flow=torch.full((1, 1, 2, 64, 64), v))["feature"] for v in (0.0, 8.0))
    assert not torch.allclose(still, moving)
    moving.sum().backward()
    assert float(module.model.modulation.condNet[0].weight.grad.abs().sum()) > 0


def test_a_tail_has_no_modulation() -> None:
    spec = TwoInOne(weights=Weights("random:1"), depth=18, taps=("conv4_x", "nbn", "cam"), **SMALL)
    keys = {key.split(".")[1] for key in spec.tail("conv4_x", {}).state_dict()}
    assert keys == {"layer4", "fc"} == set(Layers(18, 10, after="conv4_x")._modules) - {"modulation"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"picture": Picture("short", 256)}, "another picture for two_in_one than for dis"),
        ({"window": Window(fps=5.0)}, "5.0 frames a second for two_in_one"),
        ({"views": ("top_left",)}, "views of two_in_one"),
        ({"window": Window(frames=2)}, "frames=1"),
    ],
)
def test_fields_that_cannot_be(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        TwoInOne(weights=Weights("random:1"), **{**SMALL, **fields})
