"""Settings trained as one computation end where each ends alone."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ego.heads._base import Batch
from ego.heads._deal import Stream, equal_chances
from ego.heads._stacked import Stacked, together
from ego.heads._train import Loop, begin, predict
from ego.heads._training import Group, Training
from ego.heads.linear import Linear
from ego.tasks.classify import Classify
from ego.video import Array

TASKS = {
    "verb": Classify(label="verb", classes=("a", "b", "c"), class_weights=(1.0, 2.0, 0.5)),
    "noun": Classify(label="noun", classes=("a", "b", "c"), weight=0.3, smoothing=0.1),
}
SHAPES = {"rgb": Array((6,))}


class Rows:
    """Clips of noise of which some have no label and some no second row."""

    still = True

    def __init__(self, count=50):
        generator = torch.Generator().manual_seed(1)
        self.rows = torch.randn(count, 2, 6, generator=generator)
        self.mask = torch.rand(count, 2, generator=generator) < 0.8
        self.labels = torch.randint(0, 3, (2, count), generator=generator)
        self.known = torch.rand(2, count, generator=generator) < 0.9

    def __len__(self):
        return len(self.rows)

    def batch(self, indices, draw=None):
        labels = dict(zip(TASKS, self.labels[:, indices], strict=True))
        known = dict(zip(TASKS, self.known[:, indices], strict=True))
        return Batch({"rgb": self.rows[indices]}, {"rgb": self.mask[indices]}, labels, known)


class Deep(nn.Module):
    """Two layers, so that the second reads an input of its own in every setting."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 7), nn.ModuleDict({name: nn.Linear(7, 3) for name in TASKS})

    def forward(self, features, masks, tasks, labels=None):
        hidden = torch.relu(self.first((features["rgb"] * masks["rgb"][..., None]).mean(1)))
        return {name: self.second[name](hidden) for name in tasks}


class DeepHead(Linear):
    def build(self, shapes, tasks):
        return Deep()


SETTINGS = [
    {}, {"optimiser": "adam", "eps": 1e-4}, {"optimiser": "sgd", "nesterov": True}, {"clip_norm": 0.1}, {"ema": 0.8},
    {"mixup": 0.5}, {"feature_dropout": 0.3}, {"schedule": "step", "milestones": (1, 3)}, {"balance": "verb"},
]  # fmt: skip


@pytest.mark.parametrize("head", [Linear(), DeepHead(norm="none")])
@pytest.mark.parametrize("fields", SETTINGS)
def test_together_and_alone_are_equal(head, fields):
    clips = Rows()
    chances = equal_chances(clips.labels[0].numpy(), clips.known[0].numpy()) if "balance" in fields else None
    stream = Stream(clips, tuple(TASKS), chances=chances)
    base = Training(epochs=5, batch=16, **fields)
    grid = itertools.product((3, 1), (1e-3, 1e-2), (0.0, 0.1))
    trainings = [replace(base, seed=seed, lr=lr, weight_decay=decay) for seed, lr, decay in grid]
    assert len({together(head, one) for one in trainings}) == 1
    stacked = Stacked(head, SHAPES, TASKS, TASKS, stream, trainings)
    losses = np.stack([step.losses.numpy() for step in stacked])
    everyone = stacked.all()
    said = predict(everyone, clips, tuple(TASKS))
    for place, training in enumerate(trainings):
        module = begin(head, SHAPES, TASKS, training)
        alone = [float(step.loss) for step in Loop(module, head, TASKS, [stream], training)]
        assert np.abs(losses[:, place] - alone).max() < 1e-4
        mine = everyone.one(place).state_dict()
        assert max(float((mine[key] - one).abs().max()) for key, one in module.state_dict().items()) < 1e-4
        for name, found in predict(module, clips, tuple(TASKS)).items():
            assert np.abs(said[name].predictions[..., place] - found.predictions).max() < 1e-4


@pytest.mark.parametrize(
    ("head", "training"),
    [
        (Linear(dropout=0.5), Training()),
        (Linear(norm="batch"), Training()),
        (Linear(), Training(hold_out=0.2)),
        (Linear(), Training(best_on_test=True)),
        (Linear(), Training(precision="bfloat16")),
        (Linear(), Training(groups=(Group("*"),))),
    ],
)
def test_what_cannot_be_trained_together(head, training):
    assert together(head, training) is None
