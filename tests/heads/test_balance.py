"""Losses weighed against each other: optima of the variances, and the shortest sum of gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from ego.errors import BadRequest
from ego.heads._balance import Uncertainty, descent, min_norm

ALL = {"verb": torch.tensor([True, False]), "gaze.point": torch.tensor([[True], [False]])}


def test_at_first_the_losses_count_as_they_are() -> None:
    module = Uncertainty(["verb", "gaze.point"])
    losses = {"verb": torch.tensor(2.0), "gaze.point": torch.tensor(0.5)}
    assert module(losses, ALL).item() == 2.5
    assert len(list(module.parameters())) == 2


def test_a_learnt_variance_is_twice_its_loss() -> None:
    module = Uncertainty(["verb", "gaze.point"])
    losses = {"verb": torch.tensor(2.0), "gaze.point": torch.tensor(0.05)}
    optimiser = torch.optim.LBFGS(module.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        total = module(losses, ALL)
        total.backward()
        return total

    optimiser.step(closure)
    found = {name: one.exp().item() for name, one in module.log_variances.items()}
    assert found == pytest.approx({"of_verb": 4.0, "of_gaze/point": 0.1}, rel=1e-3)


def test_a_task_without_labels_learns_no_variance() -> None:
    module = Uncertainty(["verb", "gaze.point"])
    losses = {"verb": torch.tensor(2.0), "gaze.point": torch.tensor(0.0)}
    module(losses, ALL | {"gaze.point": torch.zeros(2, 1, dtype=torch.bool)}).backward()
    slopes = {name: one.grad.item() for name, one in module.log_variances.items()}
    assert slopes == pytest.approx({"of_verb": -1.5, "of_gaze/point": 0})


@pytest.mark.parametrize(
    ("first", "second", "share"),
    [
        ((1.0, 0.0), (0.0, 1.0), 0.5),
        ((2.0, 0.0), (0.0, 1.0), 0.2),  # the longer has the smaller part
        ((1.0, 0.0), (3.0, 0.0), 1.0),  # one way: the shorter alone
        ((1.0, 0.0), (-3.0, 0.0), 0.75),  # against each other: nothing is left
        ((1.0, 1.0), (1.0, 1.0), 0.5),
    ],
)
def test_two_gradients_in_closed_form(first: tuple, second: tuple, share: float) -> None:
    for unit in (1.0, 1e-8, 1e8):  # whatever the losses' unit
        assert descent(unit * torch.tensor([first, second])).tolist() == pytest.approx([share, 1 - share], abs=1e-6)


def test_one_gradient_counts_in_full() -> None:
    assert descent(torch.tensor([[3.0, 4.0]])).tolist() == [1]
    assert descent(torch.zeros(3, 4)).sum().item() == pytest.approx(1)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 6), st.integers(1, 8), st.integers(0, 1000))
def test_the_sum_is_as_short_as_a_solver_finds(count: int, width: int, seed: int) -> None:
    vectors = np.random.default_rng(seed).standard_normal((count, width)) + 0.3
    weights = min_norm(torch.from_numpy(vectors @ vectors.T)).numpy()
    assert weights.min() >= 0
    assert weights.sum() == pytest.approx(1)
    solved = minimize(
        lambda one: ((one @ vectors) ** 2).sum(),
        np.full(count, 1 / count),
        bounds=[(0, 1)] * count,
        constraints={"type": "eq", "fun": lambda one: one.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert ((weights @ vectors) ** 2).sum() <= solved.fun + 1e-9


def test_no_task_gets_worse_along_the_sum() -> None:
    gradients = torch.randn(4, 50, generator=torch.manual_seed(0), dtype=torch.float64)
    direction = descent(gradients) @ gradients
    assert ((gradients @ direction) >= (direction @ direction) * (1 - 1e-6)).all()


def test_lengths_and_losses_put_aside() -> None:
    gradients = torch.tensor([[10.0, 0.0], [0.0, 1.0]])
    found = descent(gradients, scale="length")
    assert (found @ gradients).tolist() == pytest.approx([10 / 11, 10 / 11])
    by_loss = descent(gradients, torch.tensor([10.0, 1.0]), "loss")
    assert (by_loss @ gradients).tolist() == pytest.approx([10 / 11, 10 / 11])
    with pytest.raises(BadRequest, match="without losses"):
        descent(gradients, scale="loss")
