"""Ridge equals scikit-learn on equal problems: weights, the strength chosen by leaving one out, several tasks."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as Reference
from sklearn.linear_model import RidgeClassifierCV, RidgeCV

from ego.errors import BadRequest
from ego.heads._base import Batch
from ego.heads._ridge import decomposed, held_out_errors, left_out_errors
from ego.heads.ridge import Ridge
from ego.tasks.classify import Classify
from ego.video import Array

STRENGTHS = (0.01, 0.1, 1.0, 10.0, 100.0)


def problem(count, width, classes=3, seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, classes, count)
    rows = generator.normal(size=(count, 2, width)) + generator.normal(size=(classes, width))[labels][:, None] * 0.4
    return rows.astype(np.float32), labels


def batch(rows, labels, there=None, **others):
    count = len(rows)
    labels = {"verb": torch.from_numpy(np.asarray(labels)), **others}
    known = {name: torch.ones(count, dtype=torch.bool) for name in labels}
    if there is not None:
        known["verb"] = torch.from_numpy(there)
    return Batch({"rgb": torch.from_numpy(rows)}, {"rgb": torch.ones(rows.shape[:2], dtype=torch.bool)}, labels, known)


def task(classes=3):
    return Classify(label="verb", classes=tuple(map(str, range(classes))))


@pytest.mark.parametrize(("count", "width"), [(60, 8), (30, 80)])
def test_it_is_scikit_learns(count, width):
    rows, labels = problem(count, width)
    x = rows.mean(1).astype(np.float64)
    shapes, tasks = {"rgb": Array((width,))}, {"verb": task()}
    module = Ridge(norm="none", strengths=STRENGTHS).solve(batch(rows, labels), shapes, tasks)
    chosen = RidgeCV(STRENGTHS, scoring="neg_mean_squared_error").fit(x, np.eye(3)[labels])
    assert module.strengths.tolist() == pytest.approx([chosen.alpha_])
    classifier = RidgeClassifierCV(STRENGTHS).fit(x, labels)
    assert classifier.alpha_ == chosen.alpha_
    reference = Reference(alpha=chosen.alpha_).fit(x, np.eye(3)[labels])
    layer = module.linear.layers["of_verb"]
    assert np.allclose(layer.weight.detach().numpy(), reference.coef_, atol=1e-5)
    assert np.allclose(layer.bias.detach().numpy(), reference.intercept_, atol=1e-5)
    tested, truth = problem(200, width, seed=1)
    given = batch(tested, truth)
    found = module(given.features, given.masks, ("verb",))["verb"].argmax(1).numpy()
    assert (found == classifier.predict(tested.mean(1))).all()


def test_leaving_one_out_in_closed_form_is_leaving_one_out():
    rows, labels = problem(25, 6)
    x, y = torch.from_numpy(rows.mean(1)).double(), torch.from_numpy(np.eye(3)[labels])
    found = left_out_errors(decomposed(x), y, torch.tensor(STRENGTHS, dtype=torch.float64))
    for strength, error in zip(STRENGTHS, found, strict=True):
        each = []
        for out in range(25):
            kept = np.arange(25) != out
            fit = Reference(alpha=strength).fit(x[kept], y[kept])
            each.append(((fit.predict(x[out : out + 1]) - y[out].numpy()) ** 2).mean())
        assert float(error) == pytest.approx(np.mean(each), rel=1e-6)


def test_the_held_out_part_is_the_last_of_the_clips():
    rows, labels = problem(40, 6)
    x, y = torch.from_numpy(rows.mean(1)).double(), torch.from_numpy(np.eye(3)[labels])
    found = held_out_errors(x, y, torch.tensor(STRENGTHS, dtype=torch.float64), 0.25)
    for strength, error in zip(STRENGTHS, found, strict=True):
        fit = Reference(alpha=strength).fit(x[:30], y[:30])
        assert float(error) == pytest.approx(((fit.predict(x[30:]) - y[30:].numpy()) ** 2).mean(), rel=1e-6)
    module = Ridge(norm="none", strengths=STRENGTHS, held_out=0.25).solve(
        batch(rows, labels), {"rgb": Array((6,))}, {"verb": task()}
    )
    assert float(module.strengths[0]) == pytest.approx(STRENGTHS[int(found.argmin())])


def test_tasks_choose_apart_and_learn_from_the_clips_that_have_their_label():
    rows, _ = problem(40, 6)
    labels = np.random.default_rng(5).integers(0, 3, 40)  # that no row tells
    there = np.arange(40) < 30
    noise = torch.randn(40, 2, generator=torch.Generator().manual_seed(1))
    real = torch.from_numpy(rows.mean(1)[:, :2] * 2) + 1e-3 * noise
    tasks = {"verb": task(), "place": Real()}
    module = Ridge(norm="none", strengths=(1e-6, 1e3)).solve(
        batch(rows, labels, there, place=real), {"rgb": Array((6,))}, tasks
    )
    assert module.strengths.tolist() == pytest.approx([1e3, 1e-6])
    alone = Ridge(norm="none", strengths=(1e3,)).solve(
        batch(rows[:30], labels[:30]), {"rgb": Array((6,))}, {"verb": task()}
    )
    assert torch.allclose(module.linear.layers["of_verb"].weight, alone.linear.layers["of_verb"].weight, atol=1e-6)
    given = batch(rows, labels)
    assert torch.allclose(module(given.features, given.masks, ("place",))["place"], real.float(), atol=0.02)


class Real:
    """Two real numbers a clip."""

    reads = of = ()
    shape = (2,)


def test_norms_by_clips_have_the_statistics_of_the_clips_it_learnt_from():
    rows, labels = problem(50, 6)
    rows = rows * 30 + 7
    module = Ridge(norm="batch").solve(batch(rows, labels), {"rgb": Array((6,))}, {"verb": task()})
    norm = module.linear.norms["of_rgb"]
    assert np.allclose(norm.running_mean.numpy(), rows.mean((0, 1)), atol=1e-3)
    assert np.allclose(norm.running_var.numpy(), rows.mean(1).var(0, ddof=1), rtol=1e-4)


def test_what_cannot_be_solved():
    rows, labels = problem(10, 4)
    shapes, tasks = {"rgb": Array((4,))}, {"verb": task()}
    rows[3, 0, 0] = np.nan
    with pytest.raises(BadRequest, match="not finite among rgb"):
        Ridge(norm="none").solve(batch(rows, labels), shapes, tasks)
    with pytest.raises(BadRequest, match="no clip to train on has a label of 'verb'"):
        Ridge().solve(batch(np.zeros_like(rows), labels, np.zeros(10, bool)), shapes, tasks)
    with pytest.raises(BadRequest, match="above 0"):
        Ridge(strengths=(0.0, 1.0))
    with pytest.raises(BadRequest, match="held_out"):
        Ridge(held_out=1.0)
