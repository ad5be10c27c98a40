"""Clips whose features come from the store: rows in memory once, batches by one gather."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ego.cache.key import FeatureKey
from ego.cache.pack import Pack
from ego.cache.store import FeatureStore
from ego.errors import BadRequest, NotExtracted
from ego.extractors._base import Extractor
from ego.heads._base import Batch, Head, steps
from ego.pipeline.averaging import Looked
from ego.pipeline.clips import Indices, Problem
from ego.pipeline.column import Column as Column
from ego.pipeline.finite import check_finite
from ego.pipeline.jobs import entry_key
from ego.pipeline.looks import Looks, Seen, look
from ego.pipeline.needs import held_by
from ego.pipeline.packs import Packs
from ego.pipeline.recipe import Recipe
from ego.pipeline.targets import Leading, StepLabels, read_targets, shown_to
from ego.samplers import Sampling
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


def held_entries(extractors: Mapping[str, Extractor], problem: Problem) -> dict[str, dict[str, FeatureKey]]:
    """The entries of what these extractors hold, by the recipe's name and the need, such as `net.flow`."""
    return {
        f"{own}.{need}": keys(problem, held)
        for own, extractor in extractors.items()
        for need, held in held_by(extractor).items()
    }


def check_stored(
    wanted: Entries, recipe: Recipe, problem: Problem, root: Path, store: FeatureStore, skip_missing: bool = False
) -> None:
    """Nothing, or a NotExtracted that counts what is missing and gives the command that extracts it."""
    missing = [(own, key) for own, some in wanted.items() for key in some.values() if key not in store]
    named = {one.digest for one in recipe.extractors.values()}
    for own, key in missing:
        if key.extractor not in named:  # what is held is kept only by name
            raise NotExtracted(
                f"{own} ({key.name}) of {problem.videos[key.video].name!r} is not in the store, and the recipe does "
                "not name it, so no extraction keeps it: give the recipe an [extractors.NAME] of its fields, extract, "
                "and run again"
            )
    if missing:
        own, key = missing[0]
        words = ["ego", "extract", recipe.path, "--data", str(root), "--store", store.places[0]]
        words += [part for setting in recipe.settings for part in ("--set", setting)]
        words += ["--skip-missing"] if skip_missing else []
        raise NotExtracted(
            f"{len(missing)} {'entry is' if len(missing) == 1 else 'entries are'} missing, "
            f"such as {own!r} of {problem.videos[key.video].name!r}; "
            f"run: {shlex.join(words)}"
        )


def not_stored(wanted: Entries, store: FeatureStore) -> set[str]:
    """The digests of the videos of which some entry is missing."""
    return {digest for some in wanted.values() for digest, key in some.items() if key not in store}


@dataclass(frozen=True, eq=False)
class CachedClips:
    """Clips of a problem by index among `chosen`, their features from the store."""

    columns: Mapping[str, Column]
    problem: Problem
    chosen: Indices
    sampling: Sampling
    looks: Looks
    targets: Mapping[str, StepLabels] = field(default_factory=dict)
    lead: Column | None = None

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def shapes(self) -> dict[str, Array]:
        """What a row of each feature is."""
        return {name: column.array for name, column in self.columns.items()}

    @property
    def still(self) -> bool:
        """Whether training sees each clip alike every time: one look, one view, nothing drawn."""
        return self.sampling.draw == "same" and self.looks.one_each and self.looks.views == 1

    def only(self, chosen: Indices) -> "CachedClips":
        """The same clips narrowed to these."""
        return replace(self, chosen=chosen)

    def batch(self, indices: NDArray[np.int64], draw: np.random.Generator | None = None) -> Batch:
        """These clips as one batch on the CPU: as drawn for training, or without `draw` the first look at each."""
        picked = self.chosen[indices]
        if draw is None:
            return self._batch(picked, self.looks.first[picked], np.zeros(len(picked), np.int64))
        view = draw.integers(self.looks.views, size=len(picked))
        if self.sampling.draw == "same":
            return self._batch(picked, self.looks.any_of(picked, draw.random(len(picked))), view, again=True)
        return self._batch(picked, None, view, draw.random((len(picked), self.sampling.rows + 1)))

    def looked(self) -> Looked:
        """Every look at every clip, as they are tested."""
        look, view, place, weight = self.looks.of(self.chosen)
        return Looked(LookedClips(self, self.chosen[place], look, view), place, weight)

    def _batch(
        self,
        picked: Indices,
        look: Indices | None,
        view: Indices,
        dice: NDArray[np.float64] | None = None,
        again: bool = False,
    ) -> Batch:
        """Clips as looked at or by dice; `again` says that the same looks will be asked for many times."""

        def rows(column: Column) -> tuple[Indices, NDArray[np.bool_]]:
            if look is not None:
                return column.seen.looks.padded(look)
            assert dice is not None
            return column.seen.drawn(self.sampling, picked, dice)

        found = {
            name: column.gather_looks(look, view) if again and look is not None else column.gather(*rows(column), view)
            for name, column in self.columns.items()
        }
        labels = {name: torch.from_numpy(labels[picked]) for name, labels in self.problem.labels.items()}
        labelled = {name: torch.from_numpy(known[picked]) for name, known in self.problem.labelled.items()}
        if self.lead is not None:
            numbers, there = rows(self.lead)
            for name, target in self.targets.items():
                labels[name], labelled[name] = target.gather(numbers, there, view if self.lead.views else None)
        return Batch(
            {name: rows for name, (rows, _) in found.items()},
            {name: mask for name, (_, mask) in found.items()},
            labels,
            labelled,
        )


@dataclass(frozen=True, eq=False)
class LookedClips:
    """Looks by index: the clip, the look and the view of each."""

    cached: CachedClips
    clip: Indices
    look: Indices
    view: Indices

    def __len__(self) -> int:
        return len(self.look)

    @property
    def still(self) -> bool:
        """Looks are given."""
        return True

    def batch(self, indices: NDArray[np.int64], draw: np.random.Generator | None = None) -> Batch:
        """These looks as one batch on the CPU."""
        return self.cached._batch(self.clip[indices], self.look[indices], self.view[indices])


def read_clips(
    problem: Problem,
    wanted: Entries,
    features: Sequence[str],
    store: FeatureStore,
    sampling: Sampling,
    packs: Packs | None = None,
) -> CachedClips:
    """All clips with each feature named (none named: every array of every extractor), read once and checked.

    `packs` is what keeps rows from run to run.
    """
    read, stored = {}, []
    for own, entries in wanted.items():
        held = store.marker(next(iter(entries.values()))).arrays
        stored += [feature_name(own, array) for array in held]
        arrays = [array for array in held if not features or feature_name(own, array) in features]
        if arrays:
            read[own] = (packs or Packs(None)).read(store, list(entries.values()), arrays)
            check_finite(own, read[own], problem)
    held_in = {own: (read[own], {digest: place for place, digest in enumerate(wanted[own])}) for own in read}
    looks, seen = look(problem.clips, held_in, sampling, _leading(features, read)) if read else (_no_looks(problem), {})
    columns = {
        feature_name(own, array): _column(packed.arrays[array], array, packed, seen[own], sampling)
        for own, packed in read.items()
        for array in packed.arrays
    }
    for name in features:
        if name.partition(".")[0] in wanted and name not in columns:
            raise BadRequest(f"head.features asks for {name!r}, what is stored is: {', '.join(stored)}")
    views = {column.views for column in columns.values()} - {0}
    if len(views) > 1:
        raise BadRequest(f"got features of {sorted(views)} views, expected one number to draw them together")
    looks = replace(looks, views=views.pop() if views else 1)
    return CachedClips(columns, problem, np.arange(len(problem.clips)), sampling, looks)


def _leading(features: Sequence[str], read: Mapping[str, Pack]) -> str:
    """The extractor whose rows are the looks: that of the first feature the head names."""
    named = [name.partition(".")[0] for name in features]
    return next((own for own in named if own in read), next(iter(read)))


def _no_looks(problem: Problem) -> Looks:
    """One look at each clip."""
    return Looks(np.arange(len(problem.clips) + 1), np.ones(len(problem.clips)))


def _column(array: Array, name: str, packed: Pack, seen: Seen, sampling: Sampling) -> Column:
    views = len(array.views) if sampling.views == "draw" else 0
    shape = array.shape[1:] if views else array.shape
    shown = replace(array, shape=shape or (1,), views=() if views else array.views)  # one number is a vector of it
    return Column(shown, name, packed, seen, views)


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
    if column.array.views:
        raise BadRequest(f"tasks on the steps of {lead!r} need one view of it at a time: set sampling.views = 'draw'")
    entries, seen = wanted[own], shapes[lead]
    leading = {}
    for place, (digest, key) in enumerate(entries.items()):
        stored = store.marker(key).arrays.get(column.name, column.array)
        part = shown_to(stored, recipe.extractors[own], learnt.videos[digest])
        shown = replace(seen, box=part.box, views=part.views)
        time = column.pack.time[column.pack.rows(place)]
        leading[digest] = Leading.of(time, steps(seen), recipe.extractors[own], shown)
    targets = {}
    for name, task in dense.items():
        labels = {source: keys(learnt, one) for source, one in target_sources(task, recipe).items()}
        targets[name] = read_targets(task, store, labels, leading)
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
