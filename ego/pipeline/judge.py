"""How well trained folds do: figures by fold, split and task, their mean, and what all folds' clips say together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from ego.heads._train import Predicted
from ego.pipeline.clips import Indices, Problem
from ego.tasks._base import Judged
from ego.video import Array

Figures = dict[str, dict[str, float]]
"""Metrics by task, then by name."""
Labels = Mapping[str, Mapping[int, NDArray[Any]]]
"""The labels that a fold is trained on: by task, then by the number of the clip."""
Embedded = tuple[Indices, NDArray[np.float16]]
"""Numbers of clips, and a vector (n, D) of each."""


@dataclass
class FoldResult:
    """One trained fold: its module, the log of its training, and predictions by split and task.

    `shapes` are the features as its head sees them. `trained` are the labels it was trained on; None: those of the
    problem's split `train`. `best_on_test` are
    figures chosen by looking at what is tested, where the training asks for them.
    """

    name: str
    module: torch.nn.Module
    log: list[dict[str, Any]]
    predictions: Mapping[str, Mapping[str, Predicted]]
    shapes: Mapping[str, Array] = field(default_factory=dict)
    trained: Labels | None = None
    embedded: Embedded | None = None
    best_on_test: Mapping[str, Any] = field(default_factory=dict)


def figures(problem: Problem, folds: Sequence[FoldResult]) -> dict[str, Any]:
    """`{"folds": {fold: {split: {task: metrics}}}, "mean": {split: ...}, "pooled": {split: ...}}`.

    The mean is that of the folds' own figures, as papers average over official splits. Pooled figures are over all
    folds' clips at once: with one video left out at a time, over every clip. Beside them stands `best_on_test` by fold,
    split and task where the training asks for it.
    """
    by_fold = {fold.name: {split: _judge(problem, [fold], split) for split in fold.predictions} for fold in folds}
    splits = {split: None for fold in folds for split in fold.predictions}
    best = {fold.name: fold.best_on_test for fold in folds if fold.best_on_test}
    of_splits = {split: [fold for fold in folds if split in fold.predictions] for split in splits}
    found = {
        "folds": by_fold,
        "mean": {split: _mean([some[split] for some in by_fold.values() if split in some]) for split in splits},
        "pooled": {
            split: by_fold[some[0].name][split] if len(some) == 1 else _judge(problem, some, split)
            for split, some in of_splits.items()
        },
    }
    return found | ({"best_on_test": best} if best else {})


def _mean(folds: Sequence[Figures]) -> Figures:
    """The mean of the folds that have a figure; `clips` are all of them together."""
    found: Figures = {}
    for task in folds[0]:
        each = [fold[task] for fold in folds]
        names = dict.fromkeys(name for one in each for name in one)
        found[task] = {name: float(np.mean([one[name] for one in each if name in one])) for name in names}
        found[task]["clips"] = sum(one["clips"] for one in each)
    return found


def tables(problem: Problem, folds: Sequence[FoldResult]) -> dict[str, NDArray[Any]]:
    """The tasks' tables, such as who is taken for whom, over all folds' clips, as `SPLIT.TASK.NAME`."""
    splits = dict.fromkeys(split for fold in folds for split in fold.predictions)
    return {
        f"{split}.{name}.{table}": values
        for split in splits
        for name, judged in _judged(problem, [fold for fold in folds if split in fold.predictions], split).items()
        for table, values in problem.tasks[name].tables(judged).items()
    }


def _judge(problem: Problem, folds: Sequence[FoldResult], split: str) -> Figures:
    """Metrics by task over one split of some folds taken together; `clips` is how many have a label."""
    found: Figures = {}
    for name, judged in _judged(problem, folds, split).items():
        counted = judged.mask.reshape(len(judged.mask), -1).any(axis=1)
        found[name] = {**problem.tasks[name].metrics(judged), "clips": len(np.unique(judged.clips[counted]))}
    return found


def _judged(problem: Problem, folds: Sequence[FoldResult], split: str) -> dict[str, Judged]:
    """By task, what some folds say of one split, taken together."""
    found = {}
    trained = [fold.trained if fold.trained is not None else trained_labels(problem, fold.name) for fold in folds]
    for name, task in problem.tasks.items():
        some = [
            _flat(problem.folds[fold.name][split], fold.predictions[split][name], bool(task.reads)) for fold in folds
        ]
        joined = _Parts(*(np.concatenate(column) for column in zip(*some, strict=True)))
        known = [one[name] for one in trained if name in one]
        # a clip that many folds train on is one clip
        each = {clip: label for one in known for clip, label in one.items()}
        labels = np.stack(list(each.values())) if each and len(known) == len(folds) else None
        found[name] = Judged(joined.predictions, joined.labels, joined.mask, joined.clips, labels)
    return found


def trained_labels(problem: Problem, fold: str) -> Labels:
    """The labels of the clips that a fold trains on, by task and clip; of tasks that label clips."""
    train = problem.folds[fold]["train"]
    return {
        name: {int(i): labels[i] for i in train[problem.labelled[name][train]]}
        for name, labels in problem.labels.items()
    }


class _Parts(NamedTuple):
    predictions: NDArray[Any]
    labels: NDArray[Any]
    mask: NDArray[np.bool_]
    clips: NDArray[np.int64]


def _flat(clips: Indices, said: Predicted, of_steps: bool) -> _Parts:
    """Predictions, labels, mask and clip numbers; of a task of steps, the steps of all clips one after another."""
    if not of_steps:
        return _Parts(said.predictions, said.labels, said.mask, clips)
    found, label, mask = (part.reshape(-1, *part.shape[2:]) for part in (said.predictions, said.labels, said.mask))
    return _Parts(found, label, mask, np.repeat(clips, said.mask.shape[1]))
