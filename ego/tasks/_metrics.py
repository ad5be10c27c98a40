"""Figures for classification, from scikit-learn where it defines them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics


def accuracy(scores: NDArray[Any], labels: NDArray[Any]) -> float:
    """The share of clips whose highest score is their label; of equal scores the first class counts."""
    return float(metrics.accuracy_score(labels, scores.argmax(axis=1)))


def mean_class_accuracy(scores: NDArray[Any], labels: NDArray[Any]) -> float:
    """The recall of each class, averaged over the classes that occur among the labels."""
    present = np.unique(labels)
    found = scores.argmax(axis=1)
    return float(metrics.recall_score(labels, found, labels=present, average="macro", zero_division=0))


def top_accuracy(scores: NDArray[Any], labels: NDArray[Any], top: int) -> float:
    """The share of clips whose label is among the `top` highest scores; 1 where there are no more classes."""
    classes = scores.shape[1]
    if top >= classes:
        return 1.0
    if classes == 2:  # scikit-learn takes two columns of scores for a multilabel problem
        return accuracy(scores, labels)
    return float(metrics.top_k_accuracy_score(labels, scores, k=top, labels=np.arange(classes)))
