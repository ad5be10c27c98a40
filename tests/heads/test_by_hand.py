"""Training without autograd: what is learnt is the same, clips are settled once where they are always seen alike."""

import numpy as np
import pytest
import torch

from ego.heads import _by_hand
from ego.heads._base import Batch
from ego.heads._deal import Stream
from ego.heads._train import Loop, begin
from ego.heads._training import Group, Training
from ego.heads.linear import Linear
from ego.heads.mlp import MLP
from ego.tasks.classify import Classify
from ego.video import Array

SHAPES = {"rgb": Array((6,))}
TASKS = {
    "verb": Classify(label="verb", classes=("a", "b", "c"), smoothing=0.1, weight=0.3),
    "noun": Classify(label="noun", classes=("a", "b", "c"), focal=2.0),
}


class Rows:
    """Clips of noise of which some have no label; it counts how often it is asked."""

    def __init__(self, still, count=50):
        self.still, self.asked = still, 0
        generator = torch.Generator().manual_seed(1)
        self.rows = torch.randn(count, 2, 6, generator=generator)
        self.labels = torch.randint(0, 3, (2, count), generator=generator)
        self.known = torch.rand(2, count, generator=generator) < 0.9

    def __len__(self):
        return len(self.rows)

    def batch(self, indices, draw=None):
        self.asked += 1
        labels, known = (dict(zip(TASKS, one[:, indices], strict=True)) for one in (self.labels, self.known))
        return Batch({"rgb": self.rows[indices]}, {"rgb": torch.ones(len(indices), 2, dtype=torch.bool)}, labels, known)


def trained(head, training, clips, by_hand=True):
    module = begin(head, SHAPES, TASKS, training)
    loop = Loop(module, head, TASKS, [Stream(clips, tuple(TASKS))], training)
    assert loop._by_hand is not None
    if not by_hand:
        loop._by_hand = None
    losses = [float(step.loss) for step in loop]
    return losses, {name: one.detach() for name, one in module.named_parameters()}


@pytest.mark.parametrize("head", [Linear(), MLP(hidden=(7, 5))])
@pytest.mark.parametrize(
    "fields", [{}, {"accumulate": 3}, {"mixup": 0.4}, {"feature_dropout": 0.2}, {"clip_norm": 0.1}, {"ema": 0.9}]
)
def test_it_learns_what_autograd_learns(head, fields):
    training = Training(epochs=4, batch=8, optimiser="sgd", lr=0.05, **fields)
    mine, theirs = (trained(head, training, Rows(still=True), by_hand) for by_hand in (True, False))
    assert np.allclose(mine[0], theirs[0], atol=1e-5)
    assert all(torch.allclose(one, theirs[1][name], atol=1e-5) for name, one in mine[1].items())


@pytest.mark.parametrize(
    "fields", [{"precision": "bfloat16"}, {"task_weighting": "mgda"}, {"groups": (Group("*.bias", lr=0.0),)}]
)
def test_autograd_is_left_what_is_not_plain(fields):
    training = Training(**fields)
    module = begin(Linear(), SHAPES, TASKS, training)
    assert Loop(module, Linear(), TASKS, [Stream(Rows(still=True), tuple(TASKS))], training)._by_hand is None
    loop = Loop(module, Linear(dropout=0.5), TASKS, [Stream(Rows(still=True), tuple(TASKS))], Training())
    assert loop._by_hand is None


def test_clips_seen_alike_are_settled_once(monkeypatch):
    training, moving, still, large = Training(epochs=3, batch=25), Rows(still=False), Rows(still=True), Rows(still=True)
    expected = trained(Linear(), training, moving)
    assert moving.asked == 6
    assert trained(Linear(), training, still)[0] == expected[0]
    assert still.asked == 1
    monkeypatch.setattr(_by_hand, "MOST_BYTES", 100)
    assert trained(Linear(), training, large)[0] == expected[0]
    assert large.asked == 7  # once to see that the table would be too large


@pytest.mark.parametrize(("little", "during"), [(2**24, 1), (1, 2)])
def test_little_steps_have_one_thread_and_give_the_others_back(monkeypatch, little, during):
    monkeypatch.setattr(_by_hand, "LITTLE", little)
    training, before = Training(epochs=1), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        stream = Stream(Rows(still=True), tuple(TASKS))
        for _ in Loop(begin(Linear(), SHAPES, TASKS, training), Linear(), TASKS, [stream], training):
            assert torch.get_num_threads() == during
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
