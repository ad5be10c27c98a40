"""Ego-RNN's joint streams end to end as published; late fusion is the mean of scores, each stream taught alone."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from ego.errors import BadRequest
from ego.extractors.dis import DIS
from ego.extractors.flow_resnet import FlowResNet
from ego.extractors.resnet import ResNet
from ego.heads._convlstm import from_published
from ego.heads._train import begin
from ego.heads._training import Training
from ego.heads.convlstm import ConvLSTM
from ego.heads.linear import Linear
from ego.heads.mlp import MLP
from ego.heads.motion_segmentation import MotionSegmentation
from ego.heads.ridge import Ridge
from ego.heads.two_stream import TwoStream
from ego.tasks.classify import Classify
from ego.video import Array, Picture

TASKS = {"action": Classify(label="action", classes=tuple(map(str, range(61))))}
RGB = {"rgb.nbn": Array((512, 7, 7), kind="map"), "rgb.cam": Array((7, 7), kind="map")}
JOINT = TwoStream(
    fuse="joint", first=Linear(features=("flow",), norm="none"), second=ConvLSTM(features=("rgb.nbn", "rgb.cam"))
)


@pytest.mark.slow
def test_joint_streams_as_published(pins, keep, frames, filled):
    published, pin = pins("egornn_twostream"), "n2_b1_h224_w224"
    state = published.state()
    of = {part: {key.removeprefix(f"{part}."): x for key, x in state.items() if key.startswith(part)}
          for part in ("flowModel", "frameModel")}  # fmt: skip
    shapes = {"flow": Array((512,)), **RGB}
    module = JOINT.build(shapes, TASKS)
    cell = {f"second.{key}": x for key, x in from_published(of["frameModel"], "action").items() if "lstm_cell" in key}
    module = filled(module, cell | {f"layers.of_action.{name}": state[f"fc2.{name}"] for name in ("weight", "bias")})
    assert sum(x.numel() for x in module.layers.parameters()) == 62_525
    inputs = published.pins[pin]["inputs"]
    weights, files = keep(of["flowModel"], "flow.pth")
    flow = FlowResNet(weights=weights, sees=DIS(picture=Picture("squash", 224)), precision="float32").build(files)
    drawn = np.random.Generator(np.random.PCG64(inputs["flow"]["seeds"][0])).integers(0, 256, (224, 224, 10), np.uint8)
    fields = (torch.from_numpy(drawn).double() / 255 * 40 - 20).float().permute(2, 0, 1).reshape(1, 5, 2, 224, 224)
    weights, files = keep(of["frameModel"], "rgb.pth")
    rgb = ResNet(depth=34, weights=weights, taps=("nbn", "cam"), precision="float32").build(files)
    with torch.inference_mode():
        found = rgb(frames=frames([one for [one] in inputs["rgb"]["seeds_by_frame"]]))
        features = {f"rgb.{name}": x[None] for name, x in found.items()} | {
            "flow": flow(flow=fields)["feature"][:, None]
        }
        masks = {name: torch.ones(x.shape[:2], dtype=torch.bool) for name, x in features.items()}
        published.check_tap(pin, "flow_feature", module.first.embed(features, masks))
        published.check_tap(pin, "rgb_feature", module.second.embed(features, masks))
        published.check_tap(pin, "logits", module(features, masks, ("action",))["action"])


SMALL = {"rgb": Array((4,)), "flow": Array((3,))}
STREAMS = {"first": Linear(features=("rgb",)), "second": MLP(features=("flow",), hidden=(5,))}


def clips():
    features = {name: torch.randn(3, 2, *array.shape) for name, array in SMALL.items()}
    return features, {name: torch.ones(3, 2, dtype=torch.bool) for name in features}


@pytest.mark.parametrize("fuse", ["softmax", "logits"])
def test_late_fusion_is_the_mean_of_scores(fuse):
    features, masks = clips()
    module = begin(TwoStream(fuse=fuse, **STREAMS), SMALL, TASKS, Training()).eval()
    first, second = (one(features, masks, ("action",))["action"] for one in (module.first, module.second))
    found = module(features, masks, ("action",))["action"]
    if fuse == "logits":
        assert torch.allclose(found, (first + second) / 2)
    else:
        assert torch.allclose(found.softmax(1), (first.softmax(1) + second.softmax(1)) / 2, atol=1e-6)


def test_streams_that_are_fused_late_learn_by_their_own_losses():
    features, masks = clips()
    head = TwoStream(**STREAMS)
    module = begin(head, SMALL, TASKS, Training()).train()
    labels, there = {"action": torch.tensor([1, 2, 3])}, {"action": torch.ones(3, dtype=torch.bool)}
    loss = head.loss(module(features, masks, ("action",)), labels, there, TASKS)
    alone = [one(features, masks, ("action",))["action"] for one in (module.first, module.second)]
    expected = sum(cross_entropy(one, labels["action"]) for one in alone)
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_joined_streams_make_no_classes_of_their_own():
    module = begin(TwoStream(fuse="joint", **STREAMS), SMALL, TASKS, Training())
    assert {name for name, _ in module.named_parameters() if "of_action" in name} == {
        "layers.of_action.weight", "layers.of_action.bias",
    }  # fmt: skip
    assert module.layers["of_action"].weight.shape == (61, 9)


def test_tasks_of_steps_are_the_first_streams(steps_task):
    shapes = {"rgb": Array((4, 3, 3), kind="map"), "flow": Array((3,))}
    first = ConvLSTM(features=("rgb",), channels=4, motion=MotionSegmentation(channels=2))
    head, tasks = TwoStream(first=first, second=STREAMS["second"]), {**TASKS, "moves": steps_task(2, 3, 3)}
    assert head.lead(shapes) == "rgb"
    module = begin(head, shapes, tasks, Training()).eval()
    features = {"rgb": torch.randn(2, 5, 4, 3, 3), "flow": torch.randn(2, 2, 3)}
    masks = {name: torch.ones(x.shape[:2], dtype=torch.bool) for name, x in features.items()}
    found = module(features, masks, tuple(tasks))
    assert {name: tuple(x.shape) for name, x in found.items()} == {"action": (2, 61), "moves": (2, 5, 2, 3, 3)}


def test_it_reads_what_its_streams_read():
    streams = Linear(features=("flow",)), Linear(features=("rgb", "flow"))
    assert TwoStream(first=streams[0], second=streams[1]).features == ("flow", "rgb")


def test_what_cannot_be_fused():
    with pytest.raises(BadRequest, match=r"got no features for head\.second, the recipe extracts: rgb, flow"):
        TwoStream(first=STREAMS["first"]).build(SMALL, TASKS)
    with pytest.raises(BadRequest, match="needs heads of one vector a clip"):
        TwoStream(fuse="joint", first=Ridge(features=("rgb",)), second=STREAMS["second"]).build(SMALL, TASKS)
