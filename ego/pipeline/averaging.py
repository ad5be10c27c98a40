"""Clips that are looked at several times when they are tested: their looks predicted one by one, then averaged."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.heads._train import Clips, Predicted
from ego.pipeline.clips import Indices
from ego.tasks._base import Task


@dataclass(frozen=True, eq=False)
class Looked:
    """Looks as clips to predict: `place` (L,) numbers the clip of each, in order, and `weight` (L,) what it counts."""

    clips: Clips
    place: Indices
    weight: NDArray[np.float64]

    @classmethod
    def once(cls, clips: Clips) -> "Looked":
        """One look at each clip."""
        return cls(clips, np.arange(len(clips)), np.ones(len(clips)))


def averaged(said: Predicted, looked: Looked, task: Task, average: str) -> Predicted:
    """The predictions of looks as those of their clips: averaged, or of a task of steps one after another."""
    clips = int(looked.place[-1]) + 1 if len(looked.place) else 0
    if len(looked.place) == clips:
        return said
    edges, weights = np.searchsorted(looked.place, np.arange(clips + 1)), looked.weight
    if task.reads:
        return Predicted(*(_side_by_side(part, edges) for part in (said.predictions, said.labels, said.mask)))
    parts = [slice(*edge) for edge in pairwise(edges)]
    mix = task.mix if average == "probabilities" else _mean
    mixed = np.stack([mix(said.predictions[part], weights[part]) for part in parts])
    first = edges[:-1]
    return Predicted(mixed.astype(np.float32), said.labels[first], said.mask[first])


def _mean(scores: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[Any]:
    return np.asarray(np.average(scores, axis=0, weights=weights))


def _side_by_side(steps: NDArray[Any], edges: Indices) -> NDArray[Any]:
    """(clips, S, ...) of the steps (L, s, ...) of looks, zeros at the ends of clips of fewer looks."""
    most = int(np.diff(edges).max(initial=1)) * steps.shape[1]
    found = np.zeros((len(edges) - 1, most, *steps.shape[2:]), steps.dtype)
    for clip, (start, stop) in enumerate(pairwise(edges)):
        whole = steps[start:stop].reshape(-1, *steps.shape[2:])
        found[clip, : len(whole)] = whole
    return found
