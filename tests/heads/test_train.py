"""The one loop: every clip once an epoch, equal seeds give equal bits, several streams in one step."""

from itertools import chain

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.heads._base import Batch
from ego.heads._train import Stream, begin, predict, train
from ego.heads._training import Training
from ego.heads.linear import Linear
from ego.tasks.classify import Classify
from ego.video import Array

TASKS = {name: Classify(label=name, classes=("a", "b")) for name in ("verb", "noun")}
SHAPES = {"rgb": Array((5,))}


class Noise:
    """Clips of noise that remember which were asked for."""

    still = False

    def __init__(self, count, seed=0, scale=1.0):
        generator = torch.Generator().manual_seed(seed)
        self.rows = torch.randn(count, 3, 5, generator=generator) * scale
        self.labels = torch.randint(0, 2, (count,), generator=generator)
        self.asked = []

    def __len__(self):
        return len(self.rows)

    def batch(self, indices, draw=None):
        self.asked.append(indices.tolist())
        mask = torch.ones(len(indices), 3, dtype=torch.bool)
        labels = dict.fromkeys(TASKS, self.labels[indices])
        labelled = {name: torch.ones(len(indices), dtype=torch.bool) for name in TASKS}
        return Batch({"rgb": self.rows[indices]}, {"rgb": mask}, labels, labelled)


DROPPING = Linear(dropout=0.5)


def run(training, head=DROPPING, clips=None, disturb=False):
    module = begin(head, SHAPES, TASKS, training)
    for _ in train(module, head, TASKS, [Stream(Noise(23) if clips is None else clips, ("verb",))], training):
        if disturb:
            torch.rand(3)
    return module


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
def test_equal_seeds_give_equal_bits_whatever_else_draws_numbers(optimiser):
    training = Training(optimiser=optimiser, epochs=4, batch=8, seed=3)
    state = torch.random.get_rng_state()
    first = run(training)
    assert torch.equal(torch.random.get_rng_state(), state)
    second, other = run(training, disturb=True), run(Training(optimiser=optimiser, epochs=4, batch=8, seed=4))
    states = first.state_dict(), second.state_dict()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not torch.equal(first.layers["of_verb"].weight, other.layers["of_verb"].weight)


def test_an_epoch_deals_every_clip_once_and_evenly_in_a_new_order():
    clips = Noise(23)
    run(Training(epochs=2, batch=8), clips=clips)
    assert [len(batch) for batch in clips.asked] == [8, 8, 7] * 2
    epochs = [list(chain(*clips.asked[:3])), list(chain(*clips.asked[3:]))]
    assert [sorted(epoch) for epoch in epochs] == [list(range(23))] * 2
    assert epochs[0] != epochs[1]


def test_steps_end_training_early_and_are_counted():
    training = Training(epochs=5, batch=8, steps=4)
    head = Linear()
    module = begin(head, SHAPES, TASKS, training)
    steps = list(train(module, head, TASKS, [Stream(Noise(23), ("verb",))], training))
    assert [(step.step, step.total, step.epoch) for step in steps] == [(1, 4, 1), (2, 4, 1), (3, 4, 1), (4, 4, 2)]


def test_the_rate_falls_to_zero_by_a_cosine():
    # a gradient of ones: SGD without momentum moves by the rate alone
    class Slope(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.at = torch.nn.Parameter(torch.zeros(()))

        def forward(self, features, masks, tasks, labels=None):
            return {"verb": self.at.expand(len(masks["rgb"]), 2)}

    class Fall(Linear):
        def loss(self, predictions, labels, labelled, tasks):
            return predictions["verb"].mean()

    places = []
    training = Training(optimiser="sgd", momentum=0, weight_decay=0, lr=1.0, epochs=4, batch=99)
    module = Slope()
    for _ in train(module, Fall(), TASKS, [Stream(Noise(4), ("verb",))], training):
        places.append(float(module.at.detach()))
    moved = -np.diff([0.0, *places])
    assert moved == pytest.approx([1, 0.5 * (1 + np.cos(np.pi / 4)), 0.5, 0.5 * (1 - np.cos(np.pi / 4))], abs=1e-6)


def test_streams_sum_their_gradients_and_cycle_or_stop():
    long, short = Noise(20, 1), Noise(6, 2)
    head, training = Linear(norm="none"), Training(epochs=1, batch=4)
    module = begin(head, SHAPES, TASKS, training)
    streams = [Stream(long, ("verb",)), Stream(short, ("noun",), cycle=True)]
    steps = list(train(module, head, TASKS, streams, training))
    assert len(steps) == 5
    assert [len(batch) for batch in short.asked] == [3] * 5
    assert sorted(chain(*short.asked[:2])) == list(range(6))
    stopped = list(train(module, head, TASKS, [Stream(long, ("verb",)), Stream(short, ("noun",))], training))
    assert len(stopped) == 2

    one, both = begin(head, SHAPES, TASKS, training), begin(head, SHAPES, TASKS, training)
    list(train(one, head, TASKS, [Stream(Noise(20, 1), ("verb",))], training))
    list(train(both, head, TASKS, streams, training))
    # streams with layers of their own do not touch each other's
    assert torch.equal(one.layers["of_verb"].weight, both.layers["of_verb"].weight)
    assert not torch.equal(one.layers["of_noun"].weight, both.layers["of_noun"].weight)


def test_task_weights_scale_the_loss():
    head, clips = Linear(norm="none"), Noise(8)
    module = begin(head, SHAPES, TASKS, Training())
    batch = clips.batch(np.arange(8))
    said = module(batch.features, batch.masks, ("verb", "noun"))
    plain = head.loss(said, batch.labels, batch.labelled, TASKS)
    heavy = {**TASKS, "noun": Classify(label="noun", classes=("a", "b"), weight=3.0)}
    weighed = head.loss(said, batch.labels, batch.labelled, heavy)
    noun = head.loss({"noun": said["noun"]}, batch.labels, batch.labelled, TASKS)
    assert torch.allclose(weighed, plain + 2 * noun)


def test_predictions_come_in_order_and_without_dropout():
    head, clips = Linear(dropout=0.9), Noise(150)
    module = begin(head, SHAPES, TASKS, Training())
    whole = predict(module, clips, ("verb",))["verb"].predictions
    assert whole.shape == (150, 2)
    batch = clips.batch(np.array([149]))
    assert np.allclose(module.eval()(batch.features, batch.masks, ("verb",))["verb"].detach(), whole[149:], atol=1e-6)


def test_a_loss_that_explodes_is_one_sentence():
    with pytest.raises(BadRequest, match=r"the loss became (nan|inf) by step \d+; set training.lr below"):
        run(Training(optimiser="sgd", lr=1e30, epochs=20), Linear(norm="none"), Noise(20, scale=1e4))


def test_nothing_to_train_on():
    with pytest.raises(BadRequest, match="no clip to train on"):
        run(Training(), clips=Noise(0))
    with pytest.raises(BadRequest, match=r"training\.epochs = 0, expected at least 1"):
        Training(epochs=0)
