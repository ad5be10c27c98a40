"""Logistic regression is scikit-learn's, of two classes and more; the torch head reaches the same optimum."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from ego.errors import BadRequest
from ego.heads._base import Batch
from ego.heads.logistic import Logistic
from ego.tasks.classify import Classify
from ego.video import Array


def problem(classes, count=90, width=5, seed=0):
    generator = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    rows = generator.normal(size=(count, 3, width)) + np.eye(classes, width)[labels][:, None]
    return rows.astype(np.float32), labels


def batch(rows, labels):
    ones = torch.ones(len(rows), dtype=torch.bool)
    return Batch({"rgb": torch.from_numpy(rows)}, {"rgb": torch.ones(rows.shape[:2], dtype=torch.bool)},
                 {"verb": torch.from_numpy(labels)}, {"verb": ones})  # fmt: skip


def task(classes):
    return {"verb": Classify(label="verb", classes=tuple(map(str, range(classes))))}


@pytest.mark.parametrize("classes", [2, 4])
def test_it_is_scikit_learns(classes):
    rows, labels = problem(classes)
    module = Logistic(norm="none", strength=0.5).solve(batch(rows, labels), {"rgb": Array((5,))}, task(classes))
    reference = LogisticRegression(C=0.5, max_iter=1000).fit(rows.mean(1), labels)
    tested, truth = problem(classes, seed=1)
    given = batch(tested, truth)
    with torch.no_grad():
        found = module(given.features, given.masks, ("verb",))["verb"].softmax(1).numpy()
    expected = reference.predict_proba(tested.mean(1))
    assert np.abs(found - expected).max() < 1e-4
    assert log_loss(truth, found) == pytest.approx(log_loss(truth, expected), abs=1e-4)


def test_a_class_without_a_training_clip_is_never_predicted():
    rows, labels = problem(3)
    labels = np.array([0, 2, 5])[labels]
    module = Logistic().solve(batch(rows, labels), {"rgb": Array((5,))}, task(6))
    given = batch(rows * 100, labels)
    found = module(given.features, given.masks, ("verb",))["verb"].argmax(1)
    assert set(found.tolist()) <= {0, 2, 5}
    assert (found.numpy() == labels).mean() > 0.5


def test_what_cannot_be_solved(steps_task):
    rows, labels = problem(3)
    with pytest.raises(BadRequest, match="logistic needs two"):
        Logistic().solve(batch(rows, labels * 0), {"rgb": Array((5,))}, task(3))
    with pytest.raises(BadRequest, match="labels the steps of a clip"):
        Logistic().build({"rgb": Array((5,))}, {"moment": steps_task(3)})
    with pytest.raises(BadRequest, match="expected more than 0"):
        Logistic(strength=0.0)
