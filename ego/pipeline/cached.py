"""Clips whose features come from the store: rows in memory once, batches by one gather."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ego.cache.key import FeatureKey
from ego.cache.pack import Pack
from ego.cache.store import FeatureStore
from ego.errors import BadRequest, NotExtracted
from ego.extractors._base import Extractor
from ego.heads._base import Batch, Head, steps
from ego.pipeline.clips import Indices, Problem, rows_of
from ego.pipeline.jobs import entry_key
from ego.pipeline.packs import packed
from ego.pipeline.pooled import FLOATS, as_table, mean_rows
from ego.pipeline.recipe import Recipe
from ego.pipeline.targets import StepLabels, read_targets, step_times
from ego.tasks._base import Task
from ego.video import Array

Entries = Mapping[str, Mapping[str, FeatureKey]]
"""The entries that are read: by the recipe's name of their extractor, then by the video's digest."""


def feature_name(own: str, array: str) -> str:
    """What a head calls an array: the recipe's name of its extractor, with the array's where it has several."""
    return own if array == "feature" else f"{own}.{array}"


def sources(head: Head, recipe: Recipe) -> dict[str, Extractor]:
    """The extractors that a head reads, by the recipe's names; one that the recipe lacks is a BadRequest."""
    asked = dict.fromkeys(name.partition(".")[0] for name in head.features) or recipe.extractors
    for own in asked:
        if own not in recipe.extractors:
            choices = ", ".join(recipe.extractors) or "nothing"
            raise BadRequest(f"head.features asks for {own!r}, the recipe extracts: {choices}")
    return {own: recipe.extractors[own] for own in asked}


def keys(problem: Problem, extractor: Extractor) -> dict[str, FeatureKey]:
    """The entry of each of the problem's videos, by the video's digest."""
    return {
        digest: entry_key(video, extractor, problem.readings.get(digest, {}))
        for digest, video in problem.videos.items()
    }


def check_stored(
    wanted: Entries, recipe: Recipe, problem: Problem, root: Path, store: FeatureStore, skip_missing: bool = False
) -> None:
    """Nothing, or a NotExtracted that counts what is missing and gives the command that extracts it."""
    missing = [(own, key) for own, some in wanted.items() for key in some.values() if key not in store]
    if missing:
        own, key = missing[0]
        words = ["ego", "extract", recipe.path, "--data", str(root), "--store", store.places[0]]
        words += [part for setting in recipe.settings for part in ("--set", setting)]
        words += ["--skip-missing"] if skip_missing else []
        raise NotExtracted(
            f"{len(missing)} entries are missing, such as {own!r} of {problem.videos[key.video].name!r}; "
            f"run: {shlex.join(words)}"
        )


@dataclass(frozen=True, eq=False)
class Column:
    """One feature of all clips: the pack that holds its rows, and which of them each clip sees.

    Clip i sees the pack's rows seen[starts[i]] to seen[starts[i] + counts[i] - 1]. With `pooled` a head is given their
    mean as one row.
    """

    array: Array
    name: str
    pack: Pack
    seen: Indices
    starts: Indices
    counts: Indices
    pooled: bool = False

    def rows(self, clips: Indices) -> tuple[Indices, NDArray[np.bool_]]:
        """(B, N) numbers of the pack's rows that these clips see, 0 where there are fewer, and which are there."""
        places = np.arange(max(1, int(self.counts[clips].max(initial=0))))
        there = places < self.counts[clips][:, None]
        if not len(self.seen):
            return np.zeros(there.shape, np.int64), there
        return self.seen[np.where(there, self.starts[clips][:, None] + places, 0)], there

    def gather(self, clips: Indices) -> tuple[Tensor, Tensor]:
        """(B, N, *shape) rows and (B, N) mask of these clips; N is the most that one of them sees."""
        numbers, there = self.rows(clips)
        if self.pooled and len(self.seen) and self.array.dtype in FLOATS:
            means, known = mean_rows(self._table, numbers, there)
            means = means.reshape(*means.shape[:2], *self.array.shape)
            return means if self.array.scale == 1 else means.float() * self.array.scale, known
        if not len(self.seen):
            rows = np.zeros((*there.shape, *self.array.shape), self.array.dtype)
        else:
            rows = self.pack.gather(self.name, numbers)
        tensor = torch.from_numpy(rows)
        return tensor if self.array.scale == 1 else tensor.float() * self.array.scale, torch.from_numpy(there)

    @cached_property
    def _table(self) -> Tensor:
        return as_table(self.pack[self.name])


@dataclass(frozen=True, eq=False)
class CachedClips:
    """Clips of a problem by index among `chosen`, their features from the store."""

    columns: Mapping[str, Column]
    problem: Problem
    chosen: Indices
    targets: Mapping[str, StepLabels] = field(default_factory=dict)
    lead: Column | None = None

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def shapes(self) -> dict[str, Array]:
        """What a row of each feature is."""
        return {name: column.array for name, column in self.columns.items()}

    def only(self, chosen: Indices) -> "CachedClips":
        """The same clips narrowed to these."""
        return replace(self, chosen=chosen)

    def batch(self, indices: NDArray[np.int64], draw: np.random.Generator | None = None) -> Batch:
        """These clips as one batch on the CPU."""
        picked = self.chosen[indices]
        found = {name: column.gather(picked) for name, column in self.columns.items()}
        labels = {name: torch.from_numpy(labels[picked]) for name, labels in self.problem.labels.items()}
        labelled = {name: torch.from_numpy(known[picked]) for name, known in self.problem.labelled.items()}
        for name, target in self.targets.items():
            labels[name], labelled[name] = self._steps(target, picked)
        return Batch(
            {name: rows for name, (rows, _) in found.items()},
            {name: mask for name, (_, mask) in found.items()},
            labels,
            labelled,
        )

    def _steps(self, target: StepLabels, picked: Indices) -> tuple[Tensor, Tensor]:
        """(B, N * T, ...) labels and mask of these clips."""
        assert self.lead is not None
        rows, there = self.lead.rows(picked)
        mask = target.mask[rows] & there.reshape(*there.shape, *(1,) * (target.mask.ndim - 1))
        return torch.from_numpy(target.labels[rows]).flatten(1, 2), torch.from_numpy(mask).flatten(1, 2)


def read_columns(
    problem: Problem,
    wanted: Entries,
    features: Sequence[str],
    store: FeatureStore,
    rows: int,
    packs: Path | None = None,
    fresh: list[tuple[Pack, str]] | None = None,
) -> dict[str, Column]:
    """A column for each feature named (none named: every array of every extractor), read once and checked.

    `rows` is how many rows of each part a clip sees, 0 for all. `packs` is where rows are kept from run to run; what
    was not there is added to `fresh`.
    """
    columns: dict[str, Column] = {}
    for own, entries in wanted.items():
        held = store.marker(next(iter(entries.values()))).arrays
        arrays = [array for array in held if not features or feature_name(own, array) in features]
        if not arrays:
            continue
        found, name = packed(store, list(entries.values()), arrays, packs)
        if name and fresh is not None:
            fresh.append((found, name))
        chosen = _chosen(problem, found, {digest: place for place, digest in enumerate(entries)}, rows)
        columns |= {feature_name(own, array): Column(found.arrays[array], array, found, *chosen) for array in arrays}
    for name in features:
        if name.partition(".")[0] in wanted and name not in columns:
            choices = ", ".join(columns) or "other arrays"
            raise BadRequest(f"head.features asks for {name!r}, what is stored is: {choices}")
    return columns


def _chosen(problem: Problem, held: Pack, places: Mapping[str, int], rows: int) -> tuple[Indices, Indices, Indices]:
    """(seen, starts, counts) of a `Column`: the rows of each clip, one clip after the other."""
    found = []
    for clip in problem.clips:
        span = held.rows(places[clip.video.digest])
        found.append(span.start + rows_of(held.time[span], clip.parts, rows))
    counts = np.array([len(one) for one in found], np.int64)
    return np.concatenate(found), np.cumsum(counts) - counts, counts


def with_targets(
    clips: CachedClips,
    head: Head,
    recipe: Recipe,
    wanted: Entries,
    shapes: Mapping[str, Array],
    store: FeatureStore,
) -> CachedClips:
    """The clips with the labels of their tasks of steps; `shapes` are the features as the head sees them."""
    learnt = clips.problem
    dense = {name: task for name, task in learnt.tasks.items() if task.reads}
    if not dense:
        return clips
    lead = head.lead(shapes)
    own = lead.partition(".")[0]
    column = next((one for name, one in clips.columns.items() if name.partition(".")[0] == own), None)
    if column is None:
        raise BadRequest(f"tasks on the steps of {lead!r} need it from the store; name a stored feature first")
    entries, seen = wanted[own], shapes[lead]
    times, shown = {}, {}
    for place, (digest, key) in enumerate(entries.items()):
        times[digest] = step_times(column.pack.time[column.pack.rows(place)], steps(seen), recipe.extractors[own])
        stored = store.marker(key).arrays.get(column.name, column.array)
        shown[digest] = replace(seen, box=stored.box, views=stored.views)
    targets = {
        name: read_targets(
            task,
            store,
            {source: keys(learnt, extractor) for source, extractor in target_sources(task, recipe).items()},
            times,
            shown,
        )
        for name, task in dense.items()
    }
    return replace(clips, targets=targets, lead=column)


def target_sources(task: Task, recipe: Recipe) -> dict[str, Extractor]:
    """The extractors whose rows label the steps of a task, by the recipe's names."""
    found = {}
    for name in task.reads:
        own = name.partition(".")[0]
        if own not in recipe.extractors:
            choices = ", ".join(recipe.extractors) or "nothing"
            raise BadRequest(f"a task reads {name!r}, the recipe extracts: {choices}")
        found[own] = recipe.extractors[own]
    return found
