"""Live clips and the joined module: pixels in the right places, padding masked, statistics kept."""

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.heads._train import begin
from ego.heads._training import Training
from ego.heads.linear import Linear
from ego.pipeline.cached import read_clips
from ego.pipeline.clips import Problem
from ego.pipeline.live import Joined, LiveClips
from ego.pipeline.windows import Shown
from ego.samplers import Sampling
from ego.sampling import Row
from ego.tasks.classify import Classify
from ego.video import Array, Clip, Video

TASKS = {"verb": Classify(label="verb", classes=("x", "y"))}
ARRAYS = {"net": {"net": Array((3,), "float32")}}


def shown(grey, height=2):
    return Shown(Row((0,), 0.0, 1.0), {"frames": np.full((1, height, 4, 3), grey, np.uint8)})


def live(*windows):
    clips = tuple(Clip(Video("a" * 64, "a", "a"), ()) for _ in windows)
    known = {"verb": np.ones(len(windows), bool)}
    problem = Problem(clips, ("",) * len(windows), TASKS, {"verb": np.arange(len(windows)) % 2}, known, {}, {})
    return LiveClips(read_clips(problem, {}, (), None, Sampling()), {"net": windows}, ARRAYS)


class Mean(torch.nn.Module):
    """The mean colour, times a weight, after a batch norm."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(3)
        self.scale = torch.nn.Parameter(torch.ones(()))

    def forward(self, frames):
        return {"feature": self.norm(frames.float().mean(dim=(1, 2, 3))) * self.scale}


def test_a_clip_with_fewer_windows_is_padded_and_masked():
    clips = live([shown(1), shown(2)], [shown(3)], [shown(4), shown(5)])
    batch = clips.only(np.array([2, 1])).batch(np.array([0, 1]))
    pixels = batch.features["given to net/frames"]
    assert (pixels.shape, pixels.dtype) == ((2, 2, 1, 2, 4, 3), torch.uint8)
    assert pixels[:, :, 0, 0, 0, 0].tolist() == [[4, 5], [3, 3]]
    assert batch.masks["net"].tolist() == [[True, True], [True, False]]
    assert batch.labels["verb"].tolist() == [0, 1]


def test_pictures_of_two_sizes_cannot_share_a_batch():
    with pytest.raises(BadRequest, match=r"got pictures of 4x2, 4x6 in one batch; set picture\.fit=squash"):
        live([shown(1)], [shown(2, height=6)]).batch(np.array([0, 1]))


def test_gradients_reach_the_network_and_its_statistics_stay():
    head = begin(Linear(norm="none"), ARRAYS["net"], TASKS, Training())
    module = Joined({"net": Mean()}, head).train()
    batch = live([shown(1), shown(2)], [shown(9)]).batch(np.array([0, 1]))
    said = module(batch.features, batch.masks, ("verb",), batch.labels)["verb"]
    said.sum().backward()
    network = module.backbones["of_net"]
    assert network.scale.grad is not None
    assert network.norm.running_mean.tolist() == [0, 0, 0]
    means = torch.tensor([[1.5] * 3, [9.0] * 3])
    expected = head.layers["of_verb"](means / (1 + network.norm.eps) ** 0.5)
    assert torch.allclose(said, expected, atol=1e-5)
