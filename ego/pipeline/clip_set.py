"""`ego.clips`: the clips of one split as packed arrays, and as a map-style data set for one's own training loop."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

from ego.cache.store import FeatureStore
from ego.datasets._base import pick
from ego.heads._base import Head
from ego.media.decode import Decoder
from ego.pipeline import cached, recipe, tails
from ego.pipeline.cached import CachedClips, Column
from ego.pipeline.clips import Indices, problem
from ego.pipeline.weights import WeightFinder
from ego.spec import find
from ego.tasks._base import Task
from ego.video import Array, Clip

Arrays = Mapping[str, NDArray[Any]]


class ClipSet(Dataset[dict[str, dict[str, Any]]]):
    """n clips, of several looks the first; N is the most rows that one sees, those of fewer are masked at their ends.

    By feature: `features` (n, N, *shape) as real numbers, `masks` (n, N) which rows are there, `times` (n, N, 3) start,
    centre and stop in seconds, `arrays` what a row is. By task: `labels` (n, ...) as the task encodes them, `labelled`
    which count, `tasks` with their label spaces. `clips` are the clips themselves, in the data set's order.

    An item is a dictionary of these five by name, each of one clip; torch's own collation makes batches of it.
    """

    def __init__(self, seen: CachedClips) -> None:
        batch = seen.batch(np.arange(len(seen)))
        self.features: Arrays = {name: rows.numpy() for name, rows in batch.features.items()}
        self.masks: Arrays = {name: mask.numpy() for name, mask in batch.masks.items()}
        self.times: Arrays = {
            name: _times(column, seen.looks.first[seen.chosen]) for name, column in seen.columns.items()
        }
        self.labels: Arrays = {name: labels.numpy() for name, labels in batch.labels.items()}
        self.labelled: Arrays = {name: known.numpy() for name, known in batch.labelled.items()}
        self.arrays: Mapping[str, Array] = seen.shapes
        self.tasks: Mapping[str, Task] = seen.problem.tasks
        self.clips: tuple[Clip, ...] = tuple(seen.problem.clips[i] for i in seen.chosen)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> dict[str, dict[str, Any]]:
        return {
            what: {name: torch.from_numpy(np.asarray(values[index])) for name, values in getattr(self, what).items()}
            for what in ("features", "masks", "times", "labels", "labelled")
        }


def _times(column: Column, looks: Indices) -> NDArray[np.float64]:
    """(n, N, 3) of the rows of these looks, 0 where there is none."""
    rows, there = column.seen.looks.padded(looks)
    if not len(column.pack):
        return np.zeros((*there.shape, 3))
    return column.pack.time[rows] * there[..., None]


def clips(
    path: str | Path,
    split: str,
    store: str | Path | FeatureStore,
    *,
    data: str | Path,
    fold: str = "",
    settings: tuple[str, ...] = (),
    weights: tuple[str | Path, ...] = (),
    skip_missing: bool = False,
) -> ClipSet:
    """The clips of one split of a recipe's data set at `data`, with the features that its head reads, or all.

    `fold` is needed where there are several; `settings` are as of `--set`. Features that are not in the store are a
    NotExtracted with the command that extracts them.
    """
    features = store if isinstance(store, FeatureStore) else FeatureStore(str(store))
    finder = WeightFinder([Path(folder) for folder in weights])
    found = recipe.read(Path(path), settings, finder)
    with Decoder() as decoder:
        learnt = problem(found, Path(data), decoder, features, skip_missing=skip_missing)
    folds = list(learnt.folds)
    splits = learnt.folds[folds[0] if not fold and len(folds) == 1 else pick("fold", fold, folds)]
    chosen = splits[pick("split", split, list(splits))]
    head = found.head or _plain_head()
    targets = {own: one for task in learnt.tasks.values() for own, one in cached.target_sources(task, found).items()}
    entries = {own: cached.keys(learnt, one) for own, one in cached.sources(head, found).items()}
    labels = {own: cached.keys(learnt, one) for own, one in targets.items()}
    cached.check_stored(labels | entries, found, learnt, Path(data), features, skip_missing)
    above = tails.tails_of(head, found.extractors, finder)
    seen = cached.read_clips(learnt, entries, tails.stored_features(head, above), features, found.sampling)
    shapes = tails.shapes_after(seen.shapes, head, above)
    return ClipSet(cached.with_targets(seen.only(chosen), head, found, entries, shapes, features))


def _plain_head() -> Head:
    """One that reads every feature, where a recipe has none: its first feature has the steps."""
    head = find("heads", "linear")()
    assert isinstance(head, Head)
    return head
