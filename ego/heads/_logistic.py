"""Logistic regression by scikit-learn, its answer in a linear module."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.heads._base import Batch
from ego.heads._closed import check_finite, labelled, pooled, tell
from ego.heads._linear import LinearModule

UNSEEN = 1e4
"""By how much the score of a class without a training clip lies below all others."""


def solve(module: LinearModule, whole: Batch, classes: Mapping[str, int], strength: float, iterations: int) -> None:
    """Tells the module the weights of each task."""
    rows = pooled(module, whole)
    check_finite(rows, whole.features)
    for name, count in classes.items():
        known = labelled(whole, name)
        weight, bias = _fit(rows[known].cpu().numpy(), whole.labels[name][known].cpu().numpy(), strength, iterations)
        seen = np.unique(whole.labels[name][known].cpu().numpy())
        full = np.zeros((count, rows.shape[1])), np.full(count, bias.min() - UNSEEN)
        full[0][seen], full[1][seen] = weight, bias
        tell(module, name, torch.from_numpy(full[0]), torch.from_numpy(full[1]))


def _fit(
    x: NDArray[np.float64], y: NDArray[np.int64], strength: float, iterations: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(seen classes, d) weight and bias."""
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(y)) < 2:
        raise BadRequest("got clips of one class to train on, logistic needs two; look at the data set's split")
    model = LogisticRegression(C=strength, max_iter=iterations).fit(x, y)
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:  # of two classes it learns the difference
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return weight, bias
