"""Schedules by the numbers the papers print."""

import pytest

from ego.errors import BadRequest
from ego.heads._schedule import share
from ego.heads._training import Training

ITERATIONS = 7


def rates(training, epochs, per_epoch=ITERATIONS):
    total = per_epoch * training.epochs
    return [training.lr * share(training, epoch * per_epoch, per_epoch, total) for epoch in epochs]


def test_the_triangle_of_mfnet():
    # 5e-4 -> 5e-3 -> 5e-4 over 20 epochs, three times; changed every step
    training = Training(schedule="cyclic", lr=5e-3, floor=0.1, cycle=20, epochs=60)
    assert rates(training, [0, 5, 10, 15, 20, 40]) == pytest.approx([5e-4, 2.75e-3, 5e-3, 2.75e-3, 5e-4, 5e-4])
    step = share(training, 1, ITERATIONS, 420) - share(training, 0, ITERATIONS, 420)
    assert step == pytest.approx(0.9 * 2 / (20 * ITERATIONS))


def test_the_steps_of_ego_rnn():
    training = Training(schedule="step", lr=1e-3, milestones=(25, 75, 150), epochs=200)
    found = rates(training, [0, 24, 25, 74, 75, 149, 150, 199])
    assert found == pytest.approx([1e-3, 1e-3, 1e-4, 1e-4, 1e-5, 1e-5, 1e-6, 1e-6])


def test_a_hundredth_less_every_epoch():
    training = Training(schedule="exponential", lr=1e-2, factor=0.99, epochs=251)
    assert rates(training, [0, 1, 250]) == pytest.approx([1e-2, 9.9e-3, 1e-2 * 0.99**250])
    assert rates(training, [250])[0] == pytest.approx(8.1e-4, rel=2e-3)


def test_units_may_be_steps():
    training = Training(schedule="step", lr=0.1, milestones=(300, 1000), unit="step", epochs=9)
    found = [0.1 * share(training, step, 200, 1800) for step in (299, 300, 999, 1000)]
    assert found == pytest.approx([0.1, 0.01, 0.01, 0.001])
    falling = Training(schedule="exponential", factor=0.95, unit="step")
    assert share(falling, 135, 1000, 9999) == pytest.approx(0.95**135)


def test_a_cosine_after_a_warm_up():
    training = Training(lr=1e-4, warm_up=10, unit="step")
    found = [share(training, step, 5, 110) for step in (0, 4, 9, 10, 60, 110)]
    assert found == pytest.approx([0.1, 0.5, 1.0, 1.0, 0.5, 0.0])
    assert share(Training(floor=0.2), 100, 5, 100) == pytest.approx(0.2)
    assert share(Training(schedule="constant", warm_up=2), 4, 5, 100) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"schedule": "step"}, "without milestones"),
        ({"milestones": (5, 5)}, "expected rising numbers"),
        ({"floor": 1.5}, "it is a part of lr"),
        ({"patience": 2}, "without training.hold_out"),
        ({"nesterov": True}, "expected optimiser = 'sgd'"),
        ({"ema": 1.0}, "expected 0 <= ema < 1"),
        ({"betas": (0.9, 1.0)}, "expected 0 <= beta < 1"),
        ({"accumulate": 0}, "expected at least 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(fields, message):
    with pytest.raises(BadRequest, match=message):
        Training(**fields)
