"""Exhibits: which clips are shown, at which moment, and what of a map speaks for the class."""

from types import SimpleNamespace

import numpy as np
import torch

from ego.heads._base import Batch
from ego.heads._train import begin
from ego.heads._training import Training
from ego.heads.stam import STAM
from ego.pipeline.exhibits import _attention, _chosen, _class_activation, _looked_into, _telling
from ego.pipeline.tails import WithTails
from ego.tasks.classify import Classify
from ego.tasks.heatmap import Heatmap
from ego.tasks.point import Point
from ego.video import Array

VERB = Classify(label="verb", classes=("open", "put", "take"))


class Head(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 3)
        self.seen = None

    def forward(self, features, masks, tasks, labels=None):
        return {"verb": self.layer(features["rgb"].mean(dim=(1, 3, 4)))}


def test_the_cells_that_speak_for_the_predicted_class():
    head = Head()
    with torch.no_grad():
        head.layer.weight[:] = 0
        head.layer.weight[1, 2] = 3.0  # `put` is what channel 2 shows
        head.layer.bias[:] = 0
    maps = torch.zeros(1, 2, 4, 5, 5)
    maps[0, 1, 2, 3, 4] = 1.0
    batch = Batch({"rgb": maps}, {"rgb": torch.ones(1, 2, dtype=torch.bool)}, {}, {})
    predictions, seen, there = _looked_into(head, batch, ("verb",))
    assert there is not batch.masks
    assert torch.equal(there["rgb"], batch.masks["rgb"])
    assert int(predictions["verb"].argmax()) == 1
    run = SimpleNamespace(trained_tasks={"verb": VERB}, head=SimpleNamespace(lead=lambda shapes: "rgb"), shapes={})
    found = _class_activation(run, head, seen, predictions, 1)
    assert np.argwhere(found).tolist() == [[3, 4]]
    assert found[3, 4] == 3.0
    assert not _class_activation(run, head, seen, predictions, 0).any()
    timed = {"rgb": maps.transpose(1, 2)[:, None]}  # one row of two steps
    assert np.array_equal(_class_activation(run, head, timed, predictions, 1), found)


def test_a_head_that_does_not_weigh_channels_has_none():
    head = Head()
    run = SimpleNamespace(trained_tasks={"verb": VERB}, head=SimpleNamespace(lead=lambda shapes: "rgb"), shapes={})
    said = {"verb": torch.zeros(1, 3)}
    assert _class_activation(run, head, {"rgb": torch.zeros(1, 2, 7, 5, 5)}, said, 0) is None
    assert _class_activation(run, head, {"rgb": torch.zeros(1, 2, 4)}, said, 0) is None


def test_every_class_is_shown_before_any_is_shown_again():
    labels = np.array([0, 0, 0, 0, 2, 1, 2])
    problem = SimpleNamespace(clips=range(7), labels={"verb": labels}, labelled={"verb": np.arange(7) != 3})
    assert _chosen(problem, {"verb": VERB}, 3) == [0, 4, 5]
    assert _chosen(problem, {"verb": VERB}, 5) == [0, 1, 4, 5, 6]
    assert _chosen(problem, {}, 2) == [0, 6]


def test_the_labelled_moment_nearest_to_the_middle_is_shown():
    known = torch.zeros(1, 8, 1, dtype=torch.bool)
    batch = Batch({}, {}, {}, {"look": known})
    assert _telling(batch, {"look": Point(who="gaze")}, list(range(8))) == 4
    known[0, [0, 6], 0] = True
    assert _telling(batch, {"look": Point(who="gaze")}, list(range(8))) == 6


def test_maps_of_attention_are_labelled_once_a_step():
    known = torch.zeros(1, 8, dtype=torch.bool)
    known[0, 2] = True
    assert _telling(Batch({}, {}, {}, {"eyes": known}), {"eyes": Heatmap()}, list(range(8))) == 2


def test_attention_is_that_of_the_head_whatever_lies_below_it():
    head = begin(STAM(), {"rgb": Array((8, 3, 3), kind="map")}, {"verb": VERB}, Training()).eval()
    rows, mask = torch.rand(1, 4, 8, 3, 3), torch.ones(1, 4, dtype=torch.bool)
    found = _attention(head, {"rgb": rows}, {"rgb": mask}, 2)
    assert found.shape == (3, 3)
    assert (found.min(), found.max()) == (0, 1)
    with_tails = WithTails({}, {}, head)
    assert np.array_equal(_attention(with_tails, {"rgb": rows}, {"rgb": mask}, 2), found)
    assert _attention(Head(), {"rgb": rows}, {"rgb": mask}, 2) is None
