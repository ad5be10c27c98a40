"""Figures of several seeds as their mean and how sure it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ego.pipeline.sweep import Swept


@dataclass(frozen=True)
class Interval:
    """A mean over `count` seeds and half of its 95 % interval, None for one seed."""

    mean: float
    half: float | None
    count: int


@dataclass(frozen=True)
class Line:
    """The figures of one setting on a split and a task, over its seeds."""

    words: tuple[str, ...]
    fold: str
    split: str
    task: str
    figures: Mapping[str, Interval]


def interval(values: Sequence[float]) -> Interval:
    """The mean and the half width of Student's interval with count - 1 degrees of freedom: t * deviation / root."""
    from scipy.stats import t

    count = len(values)
    if count < 2:
        return Interval(float(np.mean(values)), None, count)
    half = t.ppf(0.975, count - 1) * np.std(values, ddof=1) / np.sqrt(count)
    return Interval(float(np.mean(values)), float(half), count)


def lines(done: Sequence[Swept]) -> list[Line]:
    """One line for each setting, split and task, in the order the settings first ended; all folds pooled."""
    found: dict[tuple[tuple[str, ...], str, str, str], dict[str, list[float]]] = {}
    for one in done:
        if one.run is None:
            continue
        for fold, split, task, figures in _figures(one.run.metrics):
            into = found.setdefault((one.variant.words, fold, split, task), {})
            for name, value in figures.items():
                if name != "clips":
                    into.setdefault(name, []).append(value)
    return [Line(*key, {name: interval(some) for name, some in values.items()}) for key, values in found.items()]


def _figures(metrics: Mapping[str, Any]) -> list[tuple[str, str, str, Mapping[str, float]]]:
    folds = metrics["folds"]
    fold, splits = next(iter(folds.items())) if len(folds) == 1 else ("all folds", metrics["pooled"])
    return [(fold, split, task, figures) for split, tasks in splits.items() for task, figures in tasks.items()]
