"""The motion head: its counts, its first losses, and where its gradient goes."""

import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from ego.errors import BadRequest
from ego.extractors.resnet import ResNet
from ego.heads._train import begin
from ego.heads._training import Training
from ego.heads.motion_segmentation import MotionSegmentation
from ego.layers.resnet import ResNet as Layers
from ego.spec import Weights
from ego.tasks.classify import Classify
from ego.video import Array, Picture


@pytest.mark.parametrize(
    ("sides", "shape", "count"),
    [
        ((512, 7, 7), (2, 7, 7), 531_598),
        ((512, 7, 7), (1, 7, 7), 291_449),
        ((256, 14, 14), (2, 14, 14), 7_709_292),
        ((128, 28, 28), (2, 28, 28), 122_945_668),
    ],
)
def test_counts_at_each_depth(sides, shape, count, steps_task):
    with torch.device("meta"):
        module = MotionSegmentation().build({"rgb": Array(sides, kind="map")}, {"moves": steps_task(*shape)})
        found = module({"rgb": torch.empty(2, 7, *sides)}, {"rgb": torch.ones(2, 7, dtype=torch.bool)}, ("moves",))
    assert sum(x.numel() for x in module.parameters()) == count
    assert found["moves"].shape == (2, 7, *shape)


def test_cells_are_flattened_channel_before_place(steps_task):
    shapes = {"rgb": Array((3, 2, 2), kind="map")}
    module = MotionSegmentation(channels=2).build(shapes, {"moves": steps_task(2, 2, 2)}).layers["of_moves"]
    x = torch.randn(1, 3, 2, 2)
    hidden = module.conv(x.relu()).relu().detach()
    flat = torch.tensor([float(hidden[0, c, i, j]) for c in range(2) for i in range(2) for j in range(2)])
    assert torch.allclose(module(x).flatten(), module.fc(flat), atol=1e-6)


def test_no_score_at_all_costs_the_logarithm_of_two():
    target = torch.randint(0, 2, (2, 3, 7, 7))
    assert float(cross_entropy(torch.zeros(6, 2, 7, 7), target.flatten(0, 1))) == pytest.approx(math.log(2), abs=1e-6)
    zeros = torch.zeros(2, 3, 7, 7)
    assert float(binary_cross_entropy_with_logits(zeros, target.float())) == pytest.approx(0.6931, abs=1e-4)


def test_its_gradient_reaches_the_first_layer_of_the_backbone(steps_task):
    network = Layers(18, 0)
    maps = network(torch.randn(2, 3, 64, 64), ("conv5_x",))["conv5_x"]
    module = MotionSegmentation().build({"rgb": Array((512, 2, 2), kind="map")}, {"moves": steps_task(2, 2, 2)})
    found = module({"rgb": maps[:, None]}, {"rgb": torch.ones(2, 1, dtype=torch.bool)}, ("moves",))["moves"]
    cross_entropy(found.flatten(0, 1), torch.ones(2, 2, 2, dtype=torch.long)).backward()
    assert float(network.conv1.weight.grad.abs().sum()) > 0


def test_only_motion_is_predicted():
    extractor = ResNet(weights=Weights("random:0"), taps=("conv5_x",), picture=Picture("squash", 64), size=64)
    with pytest.raises(BadRequest, match=r"got the task 'verb' of shape \[2\] for motion_segmentation"):
        begin(MotionSegmentation(), {"rgb": extractor.rows({})["feature"]},
              {"verb": Classify(label="verb", classes=("a", "b"))}, Training())  # fmt: skip
    with pytest.raises(BadRequest, match="expected an odd number"):
        MotionSegmentation(kernel=2)


def test_standard_maps_have_no_scale(steps_task):
    shapes, x = {"rgb": Array((3, 2, 2), kind="map")}, torch.randn(4, 2, 3, 2, 2)
    masks, tasks = {"rgb": torch.ones(4, 2, dtype=torch.bool)}, {"moves": steps_task(2, 2, 2)}
    for standard in (True, False):
        module = begin(MotionSegmentation(channels=2, standard=standard), shapes, tasks, Training()).train()
        near, far = (module({"rgb": one}, masks, ("moves",))["moves"] for one in (x, 500 * x + 300))
        assert torch.allclose(near, far, atol=1e-3) == standard
