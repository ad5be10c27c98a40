"""The least loss on all clips at once, against scikit-learn; what it cannot hold for is refused."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from ego.errors import BadRequest
from ego.heads._base import Batch
from ego.heads._lbfgs import minimise
from ego.heads._train import begin
from ego.heads._training import Group, Training
from ego.heads.linear import Linear
from ego.tasks.classify import Classify
from ego.video import Array

COUNT, WIDTH, CLASSES, DECAY = 400, 12, 4, 1e-2
TASKS = {"verb": Classify(label="verb", classes=tuple("abcd"))}
SHAPES = {"rgb": Array((WIDTH,), "float32")}
PLAIN = Training(optimiser="lbfgs", weight_decay=DECAY, groups=(Group("*.bias", weight_decay=0.0),), epochs=200)


class Rows:
    """Clips of noise whose labels follow from it by a noisy line."""

    still = True

    def __init__(self):
        rng = np.random.default_rng(0)
        self.rows = rng.standard_normal((COUNT, WIDTH)).astype(np.float32)
        self.labels = (self.rows @ rng.standard_normal((WIDTH, CLASSES)) + rng.gumbel(size=(COUNT, CLASSES))).argmax(1)

    def __len__(self):
        return COUNT

    def batch(self, indices, draw=None):
        there = torch.ones(len(indices), 1, dtype=torch.bool)
        rows = torch.from_numpy(self.rows[indices])[:, None]
        return Batch({"rgb": rows}, {"rgb": there}, {"verb": torch.from_numpy(self.labels[indices])},
                     {"verb": there[:, 0]})  # fmt: skip


def test_a_convex_problem_ends_where_scikit_learn_does():
    clips, head = Rows(), Linear(norm="none")
    module = begin(head, SHAPES, TASKS, PLAIN)
    steps = list(minimise(module, head, TASKS, clips, PLAIN))
    model = LogisticRegression(C=1 / (DECAY * COUNT), tol=1e-6, max_iter=1000).fit(clips.rows, clips.labels)
    layer = module.layers["of_verb"]
    weight = layer.weight.detach().double().numpy()
    bias = layer.bias.detach().double().numpy()
    assert np.abs(weight - model.coef_).max() < 2e-3
    assert np.abs((bias - bias.mean()) - (model.intercept_ - model.intercept_.mean())).max() < 2e-3
    mine, other = (loss_of(clips, *one) for one in ((weight, bias), (model.coef_, model.intercept_)))
    assert abs(mine / other - 1) < 1e-6
    assert float(steps[-1].loss) == pytest.approx(mine, rel=1e-5)
    assert [step.step for step in steps] == list(range(1, len(steps) + 1))
    assert all(one.loss >= other.loss for one, other in pairwise(steps))


def loss_of(clips, weight, bias):
    scores = clips.rows.astype(np.float64) @ weight.T + bias
    scores -= scores.max(1, keepdims=True)
    chosen = scores[np.arange(COUNT), clips.labels] - np.log(np.exp(scores).sum(1))
    return -chosen.mean() + DECAY / 2 * np.square(weight).sum()


@pytest.mark.parametrize(("head", "training", "words"), [
    (Linear(dropout=0.5), PLAIN, "draws nothing"),
    (Linear(), Training(optimiser="lbfgs", mixup=0.5), "training.mixup = 0.5 with optimiser = 'lbfgs'"),
    (Linear(), Training(optimiser="lbfgs", hold_out=0.5), "training.hold_out"),
])  # fmt: skip
def test_what_makes_the_loss_another_at_every_look_is_refused(head, training, words):
    with pytest.raises(BadRequest, match=words):
        next(minimise(begin(head, SHAPES, TASKS, training), head, TASKS, Rows(), training))
