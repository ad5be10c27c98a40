"""Figures for classification, from scikit-learn where it defines them; it is loaded when they are asked for."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[Any]


def accuracy(scores: NDArray[Any], labels: Labels) -> float:
    """The share of clips whose highest score is their label; of equal scores the first class counts."""
    from sklearn import metrics

    return float(metrics.accuracy_score(labels, scores.argmax(axis=1)))


def mean_class_accuracy(
    scores: NDArray[Any], labels: Labels, absent_is_zero: bool = False, rounded: bool = False
) -> float:
    """The recall of each class, averaged over the classes that occur among the labels.

    With `absent_is_zero` all classes of the scores are averaged, and those that do not occur count 0.
    """
    classes: Labels = np.arange(scores.shape[1]) if absent_is_zero else np.unique(labels)
    return float(per_class(labels, scores.argmax(axis=1), classes, rounded=rounded)[1].mean())


def top_accuracy(scores: NDArray[Any], labels: Labels, top: int) -> float:
    """The share of clips whose label is among the `top` highest scores; 1 where there are no more classes."""
    from sklearn import metrics

    classes = scores.shape[1]
    if top >= classes:
        return 1.0
    if classes == 2:  # scikit-learn takes two columns of scores for a multilabel problem
        return accuracy(scores, labels)
    return float(metrics.top_k_accuracy_score(labels, scores, k=top, labels=np.arange(classes)))


def confusion(found: Labels, labels: Labels, classes: int) -> NDArray[np.int64]:
    """(classes, classes) how many clips of each label (row) were found to be of each class (column)."""
    from sklearn import metrics

    if not len(labels) or classes == 1:  # of which scikit-learn warns
        return np.full((classes, classes), len(labels), np.int64)
    return np.asarray(metrics.confusion_matrix(labels, found, labels=np.arange(classes)), np.int64)


def per_class(
    labels: Labels, found: Labels, classes: Sequence[int] | Labels, trimmed: bool = False, rounded: bool = False
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(precision, recall) of each of `classes`, 0 where there is nothing to divide by.

    `trimmed` leaves out every clip that is of another class or was found to be of one: the confusion matrix cut to
    these rows and columns. `rounded` rounds each percentage to two decimals. Both as georkap/hand_track_classification
    counts for the tables of Kapidis et al. 2019.
    """
    from sklearn import metrics

    if trimmed:
        kept = np.isin(labels, classes) & np.isin(found, classes)
        labels, found = labels[kept], found[kept]
    if not len(labels):
        return np.zeros(len(classes)), np.zeros(len(classes))
    precision, recall, _, _ = metrics.precision_recall_fscore_support(
        labels, found, labels=classes, average=None, zero_division=0
    )
    if rounded:
        precision, recall = np.round(100 * precision, 2) / 100, np.round(100 * recall, 2) / 100
    return precision, recall


def many_shot(trained: Labels, more_than: int) -> Labels:
    """The classes of more than so many of the labels trained on, in order."""
    classes, counts = np.unique(trained, return_counts=True)
    return np.asarray(classes[counts > more_than])


def many_shot_figures(labels: Labels, found: Labels, classes: Labels, rounded: bool = False) -> dict[str, float]:
    """Precision and recall averaged over these classes, of all clips and `trimmed`; none where there is no class."""
    if not len(classes):
        return {}
    means = {}
    for way, trimmed in (("", False), ("_trimmed", True)):
        both = per_class(labels, found, classes, trimmed, rounded)
        for name, each in zip(("precision", "recall"), both, strict=True):
            means[f"many_shot_{name}{way}"] = float(each.mean())
    return means
