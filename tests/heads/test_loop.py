"""What the loop does besides stepping: goes on from a state, averages, holds out, accumulates, mixes, balances."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from ego.heads._augment import mixed
from ego.heads._base import Batch
from ego.heads._deal import Dealer, Stream, equal_chances
from ego.heads._train import Loop, begin
from ego.heads._training import Training
from ego.heads.linear import Linear
from ego.tasks.classify import Classify
from ego.video import Array

TASKS = {"verb": Classify(label="verb", classes=("a", "b"))}
SHAPES = {"rgb": Array((5,))}


class Rows:
    """Clips of noise; what is drawn for training moves them a little."""

    still = True

    def __init__(self, count, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.rows = torch.randn(count, 3, 5, generator=generator)
        self.labels = torch.randint(0, 2, (count,), generator=generator)

    def __len__(self):
        return len(self.rows)

    def batch(self, indices, draw=None):
        moved = 0 if draw is None else torch.from_numpy(draw.normal(0, 0.1, (len(indices), 3, 5))).float()
        everywhere = torch.ones(len(indices), dtype=torch.bool)
        mask = torch.ones(len(indices), 3, dtype=torch.bool)
        rows = {"rgb": self.rows[indices] + moved}
        return Batch(rows, {"rgb": mask}, {"verb": self.labels[indices]}, {"verb": everywhere})


def loop_of(training, head=None, clips=None, held=None):
    head = head or Linear(norm="none")
    module = begin(head, SHAPES, TASKS, training)
    clips = Rows(40) if clips is None else clips
    return Loop(module, head, TASKS, [Stream(clips, ("verb",))], training, held=held), module


def weights(module):
    return {name: one.clone() for name, one in module.state_dict().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


EVERYTHING = Training(epochs=6, batch=8, ema=0.9, hold_out=0.2, mixup=0.4, feature_dropout=0.2, clip_norm=0.5)


@pytest.mark.parametrize("training", [
    EVERYTHING, Training(epochs=6, batch=8, optimiser="sgd", nesterov=True), Training(epochs=6, batch=8, patience=2,
    hold_out=0.1), Training(epochs=6, batch=8, precision="bfloat16"), Training(epochs=6, batch=4, accumulate=3),
])  # fmt: skip
@pytest.mark.parametrize("cut", [1, 7, 13])
def test_a_loop_that_goes_on_ends_with_the_same_bits(training, cut):
    head = Linear(dropout=0.3)
    held = Rows(9, seed=5) if training.hold_out else None
    whole, module = loop_of(training, head, held=held)
    losses = [float(step.loss) for step in whole]
    first, _ = loop_of(training, head, held=held)
    steps = iter(first)
    for _ in range(cut):
        next(steps)
    buffer = io.BytesIO()
    torch.save(first.state(), buffer)
    buffer.seek(0)
    second, again = loop_of(training, head, held=held)
    second.resume(torch.load(buffer, weights_only=True))
    assert [float(step.loss) for step in second] == losses[cut:]
    assert equal(weights(again), weights(module))


def test_the_mean_of_the_weights_in_closed_form():
    plain, module = loop_of(Training(epochs=2, batch=10))
    trace = [weights(module)]
    trace += [weights(module) for _ in plain]
    averaged, mean = loop_of(Training(epochs=2, batch=10, ema=0.7))
    for _ in averaged:
        pass
    steps = len(trace) - 1
    shares = [0.7**steps] + [0.3 * 0.7 ** (steps - step) for step in range(1, steps + 1)]
    assert sum(shares) == pytest.approx(1)
    for name, found in weights(mean).items():
        wanted = sum(part * one[name].double() for part, one in zip(shares, trace, strict=True))
        assert torch.allclose(found.double(), wanted, atol=1e-6)


def test_what_is_tested_on_the_way_is_the_mean_and_training_goes_on_from_the_weights():
    training = Training(epochs=3, batch=10, ema=0.7)
    looked, one = loop_of(training)
    for step in looked:
        if step.ends:
            own = weights(one)
            with looked.as_tested() as module:
                assert not module.training
                assert not equal(weights(module), own)
                mean = weights(module)
            assert equal(weights(one), own)
    assert equal(weights(one), mean)
    left, other = loop_of(training)
    for _ in left:
        pass
    assert equal(weights(one), weights(other))


def test_accumulated_batches_are_one_large_batch():
    large, one = loop_of(Training(epochs=3, batch=20, weight_decay=0.1))
    parts, other = loop_of(Training(epochs=3, batch=5, accumulate=4, weight_decay=0.1))
    steps = len(list(large))
    assert len(list(parts)) == steps == 6
    for name, found in weights(one).items():
        assert torch.allclose(found, weights(other)[name], atol=1e-6)


def test_the_epoch_with_the_least_loss_on_what_is_held_out_is_kept():
    # labels of the held out are turned round: the loss on them only rises, so the first epoch is kept
    clips, held = Rows(40), Rows(40)
    held.labels = 1 - held.labels
    training = Training(epochs=50, batch=10, lr=0.1, schedule="constant", hold_out=0.5, patience=3)
    loop, module = loop_of(training, clips=clips, held=held)
    seen, after = [], []
    for step in loop:
        if step.ends:
            seen.append(step.held)
            after.append(weights(module))
    assert len(seen) == 4
    assert int(np.argmin(seen)) == 0
    assert equal(weights(module), after[0])


def test_gradients_are_no_longer_than_asked():
    training = Training(optimiser="sgd", momentum=0, weight_decay=0, lr=1.0, schedule="constant", clip_norm=1e-3,
                        epochs=1, batch=40)  # fmt: skip
    loop, module = loop_of(training)
    before = weights(module)
    list(loop)
    moved = sum(float((one - before[name]).square().sum()) for name, one in weights(module).items()) ** 0.5
    assert moved == pytest.approx(1e-3, rel=1e-3)


def test_every_class_is_drawn_as_often():
    labels = np.array([0] * 90 + [1] * 9 + [2])
    chances = equal_chances(labels, np.arange(100) != 5)
    assert chances.sum() == pytest.approx(1)
    assert chances[5] == 0
    assert [chances[labels == label].sum() for label in range(3)] == pytest.approx([1 / 3] * 3)
    dealer = Dealer(Stream(Rows(100), ("verb",), chances=chances), 0, Training(batch=100))
    dealt = np.concatenate([dealer.deal(epoch, 0) for epoch in range(100)])
    counts = np.bincount(labels[dealt], minlength=3)
    assert np.abs(counts / 10_000 - 1 / 3).max() < 0.02


def test_mixup_mixes_rows_and_losses_and_lets_a_lone_row_stand():
    rows = torch.tensor([[[2.0], [4.0]], [[10.0], [99.0]]])
    mask = torch.tensor([[True, True], [True, False]])
    known = torch.ones(2, dtype=torch.bool)
    batch = Batch({"rgb": rows}, {"rgb": mask}, {"verb": torch.tensor([0, 1])}, {"verb": known})
    found, other, part = mixed(batch, np.array([1, 0]), 0.75)
    assert part == 0.75
    assert found.features["rgb"][0].flatten().tolist() == [0.75 * 2 + 0.25 * 10, 4.0]
    assert found.features["rgb"][1].flatten().tolist() == [0.75 * 10 + 0.25 * 2, 4.0]
    assert found.masks["rgb"].all()
    assert other.labels["verb"].tolist() == [1, 0]


def test_frozen_norms_keep_their_statistics():
    for freeze in (False, True):
        loop, module = loop_of(Training(epochs=1, batch=10, freeze_norms=freeze), Linear(norm="batch"))
        before = weights(module)
        list(loop)
        moved = not torch.equal(before["norms.of_rgb.running_mean"], module.state_dict()["norms.of_rgb.running_mean"])
        assert moved is not freeze


def test_low_precision_learns_as_far_as_its_digits():
    (one, exact), (other, rough) = loop_of(Training(epochs=5)), loop_of(Training(epochs=5, precision="bfloat16"))
    list(one)
    list(other)
    distance = max(
        float((a - b).detach().abs().max()) for a, b in zip(exact.parameters(), rough.parameters(), strict=True)
    )
    assert 0 < distance < 2e-2
    assert replace(Training(), precision="bfloat16").digest != Training().digest


BOTH = {name: Classify(label=name, classes=("a", "b")) for name in ("verb", "noun")}


class TwoLabels(Rows):
    """Clips with two labels."""

    still = True

    def batch(self, indices, draw=None):
        one = super().batch(indices, draw)
        labels = {"verb": one.labels["verb"], "noun": 1 - one.labels["verb"]}
        return Batch(one.features, one.masks, labels, {**one.labelled, "noun": one.labelled["verb"]})


class Shared(torch.nn.Module):
    """One number that both tasks pull at, in opposite directions, one of them ten times harder."""

    def __init__(self):
        super().__init__()
        self.at = torch.nn.Parameter(torch.zeros(2))

    def forward(self, features, masks, tasks, labels=None):
        return {"verb": self.at.expand(len(masks["rgb"]), 2), "noun": 10 * self.at.expand(len(masks["rgb"]), 2)}


def loop_of_both(training):
    module, clips = Shared(), TwoLabels(40)
    clips.labels = (torch.arange(40) < 10).long()
    return Loop(module, Linear(), BOTH, [Stream(clips, ("verb", "noun"))], training), module


def test_a_common_descent_makes_no_task_worse():
    training = Training(optimiser="sgd", momentum=0, weight_decay=0, lr=0.1, epochs=1, batch=40)
    fixed, moved = loop_of_both(training)
    list(fixed)
    assert moved.at.abs().max() > 0.01
    # the labels are each other's opposite: gradients that point apart have no common descent, so nothing moves
    common, still = loop_of_both(replace(training, task_weighting="mgda"))
    list(common)
    assert still.at.abs().max() < 1e-6


def test_uncertainty_is_learnt_beside_and_kept_in_the_state():
    training = Training(lr=0.05, epochs=4, batch=10, task_weighting="uncertainty")
    loop, _ = loop_of_both(training)
    losses = [float(step.loss) for step in loop]
    variances = loop.state()["weighing"]
    assert len(variances) == 2
    assert all(abs(float(one)) > 1e-3 for one in variances.values())
    first, _ = loop_of_both(training)
    steps = iter(first)
    for _ in range(5):
        next(steps)
    second, _ = loop_of_both(training)
    second.resume(first.state())
    assert [float(step.loss) for step in second] == losses[5:]
