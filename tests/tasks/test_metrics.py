"""Figures of classification: the published code's numbers, and values worked out by hand."""

import csv
from pathlib import Path

import numpy as np
import pytest

from ego.tasks import _metrics as figures


@pytest.fixture
def pins(shared_data: Path) -> dict[str, np.ndarray]:
    with np.load(shared_data / "parity" / "classification_metrics.npz") as stored:
        return {key: stored[key] for key in stored}


@pytest.mark.parametrize("pin", ["c8_n60", "c25_n400"])
def test_the_published_figures(pins: dict[str, np.ndarray], pin: str) -> None:
    labels, found, scores, kept = (pins[f"{pin}/{name}"] for name in ("labels", "preds", "scores", "valid"))
    classes = scores.shape[1]
    assert np.array_equal(figures.confusion(found, labels, classes), pins[f"{pin}/confusion"])
    precision, recall = figures.per_class(labels, found, np.arange(classes), rounded=True)
    assert 100 * precision == pytest.approx(pins[f"{pin}/precision_f64"], abs=1e-9)
    assert 100 * recall == pytest.approx(pins[f"{pin}/recall_f64"], abs=1e-9)
    one_hot = np.eye(classes)[found]
    mean = figures.mean_class_accuracy(one_hot, labels, absent_is_zero=True, rounded=True)
    assert 100 * mean == pytest.approx(pins[f"{pin}/mean_class_acc_f64"][0], abs=1e-9)
    assert 100 * figures.accuracy(one_hot, labels) == pytest.approx(pins[f"{pin}/top1_f64"][0], abs=5e-4)
    top = [100 * figures.top_accuracy(scores, labels, k) for k in (1, 5)]
    assert top == pytest.approx(pins[f"{pin}/topk_f64"], abs=1e-5)
    trimmed = figures.many_shot_figures(labels, found, kept, rounded=True)
    means = [100 * trimmed[f"many_shot_{name}_trimmed"] for name in ("precision", "recall")]
    assert means == pytest.approx(pins[f"{pin}/trimmed_mean_f64"], abs=1e-9)


def test_the_published_classes_of_many_clips(pins: dict[str, np.ndarray]) -> None:
    trained = ~np.isin(pins["many_shot/participant"], [9, 11, 18, 30, 31])
    verbs, nouns = (pins[f"many_shot/{name}"][trained] for name in ("verb_class", "noun_class"))
    assert np.array_equal(np.bincount(verbs, minlength=12), pins["many_shot/verb_train_counts"])
    assert np.array_equal(figures.many_shot(verbs, 99), pins["many_shot/many_shot_verbs"])
    assert np.array_equal(figures.many_shot(nouns, 99), pins["many_shot/many_shot_nouns"])
    assert figures.many_shot(nouns, 100).tolist() == [0]  # one noun has exactly 100 clips


def test_trimmed_and_full() -> None:
    labels, found = np.array([0, 0, 1, 1, 2]), np.array([0, 2, 1, 0, 0])
    precision, recall = figures.per_class(labels, found, [0, 1])
    assert precision == pytest.approx([1 / 3, 1])
    assert recall == pytest.approx([0.5, 0.5])
    precision, recall = figures.per_class(labels, found, [0, 1], trimmed=True)
    assert precision == pytest.approx([0.5, 1])
    assert recall == pytest.approx([1, 0.5])


def test_micro_and_macro() -> None:
    """98 clips of one class found right, 2 of another found wrong: 0.98 and 0.5; equal counts: equal."""
    labels = np.array([0] * 98 + [1] * 2)
    scores = np.eye(2)[np.zeros(100, int)]
    assert figures.accuracy(scores, labels) == 0.98
    assert figures.mean_class_accuracy(scores, labels) == 0.5
    even = np.repeat([0, 1], 5)
    scores = np.eye(2)[np.array([0, 0, 0, 1, 1, 1, 1, 1, 1, 0])]
    assert figures.accuracy(scores, even) == pytest.approx(figures.mean_class_accuracy(scores, even)) == 0.7


def test_a_class_without_a_clip() -> None:
    """Two of three classes are tested: the mean is over two, or over all with 0 for the third."""
    labels, scores = np.array([0, 0, 1]), np.eye(3)[[0, 1, 1]]
    assert figures.mean_class_accuracy(scores, labels) == pytest.approx(0.75)
    assert figures.mean_class_accuracy(scores, labels, absent_is_zero=True) == pytest.approx(0.5)


def test_each_percentage_is_rounded_before_the_mean() -> None:
    labels, found = np.array([0, 0, 0, 1]), np.array([0, 1, 1, 1])
    _, recall = figures.per_class(labels, found, [0, 1], rounded=True)
    assert recall.tolist() == [0.3333, 1.0]


def test_nothing_to_divide_by() -> None:
    empty = np.empty(0, int)
    assert figures.many_shot_figures(np.array([0, 1]), np.array([0, 1]), empty) == {}
    precision, recall = figures.per_class(np.array([3]), np.array([3]), [0, 1], trimmed=True)
    assert (precision.tolist(), recall.tolist()) == ([0, 0], [0, 0])
    assert figures.confusion(empty, empty, 2).tolist() == [[0, 0], [0, 0]]


def test_nouns_that_never_come_first_bound_the_published_mean(shared_data: Path) -> None:
    """Of 53 nouns of EGTEA two are never a clip's first: who finds all clips reaches 51 / 53 where absent counts 0."""
    lines = (shared_data / "annotations" / "egtea" / "test_split1.txt").read_text().splitlines()
    nouns = np.array([int(line.split()[3]) - 1 for line in lines if line.strip()])
    assert (len(nouns), sorted({15, 43} - set(nouns.tolist()))) == (2022, [15, 43])
    perfect = np.eye(53)[nouns]
    assert figures.mean_class_accuracy(perfect, nouns) == 1
    assert figures.mean_class_accuracy(perfect, nouns, absent_is_zero=True) <= 0.9623


def test_the_official_many_shot_classes(shared_data: Path) -> None:
    verbs, nouns, participants = epic(shared_data)
    assert (len(figures.many_shot(verbs, 100)), len(figures.many_shot(nouns, 100))) == (26, 71)
    early = participants <= 29
    for more_than in (99, 100):
        counts = [len(figures.many_shot(one[early], more_than)) for one in (verbs, nouns)]
        assert counts == [25, 67]


def epic(shared_data: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(verb, noun, participant) of each row of the training annotations."""
    with (shared_data / "annotations" / "epic55" / "EPIC_train_action_labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    verbs, nouns = (np.array([int(row[name]) for row in rows]) for name in ("verb_class", "noun_class"))
    return verbs, nouns, np.array([int(row["participant_id"][1:]) for row in rows])
