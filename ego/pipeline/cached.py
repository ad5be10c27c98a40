"""Clips whose features come from the store: rows in memory once, batches by one gather."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ego.cache.key import FeatureKey
from ego.cache.pack import Pack, pack
from ego.cache.store import FeatureStore
from ego.errors import BadRequest, NotExtracted
from ego.extractors._base import Extractor
from ego.heads._base import Batch, Head
from ego.pipeline.clips import Indices, Problem, rows_of
from ego.pipeline.jobs import entry_key
from ego.pipeline.needs import held_by
from ego.pipeline.recipe import Recipe
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
            f"{len(missing)} entries are missing, such as {own!r} of {problem.videos[key.video].name!r}; "
            f"run: {shlex.join(words)}"
        )


@dataclass(frozen=True, eq=False)
class Column:
    """One feature of all clips: the pack that holds its rows, and which of them each clip sees.

    Clip i sees the pack's rows seen[starts[i]] to seen[starts[i] + counts[i] - 1].
    """

    array: Array
    name: str
    pack: Pack
    seen: Indices
    starts: Indices
    counts: Indices

    def gather(self, clips: Indices) -> tuple[Tensor, Tensor]:
        """(B, N, *shape) rows and (B, N) mask of these clips; N is the most that one of them sees."""
        steps = np.arange(max(1, int(self.counts[clips].max(initial=0))))
        there = steps < self.counts[clips][:, None]
        if not len(self.seen):
            rows = np.zeros((*there.shape, *self.array.shape), self.array.dtype)
        else:
            rows = self.pack.gather(self.name, self.seen[np.where(there, self.starts[clips][:, None] + steps, 0)])
        tensor = torch.from_numpy(rows)
        return tensor if self.array.scale == 1 else tensor.float() * self.array.scale, torch.from_numpy(there)


@dataclass(frozen=True, eq=False)
class CachedClips:
    """Clips of a problem by index among `chosen`, their features from the store."""

    columns: Mapping[str, Column]
    problem: Problem
    chosen: Indices

    def __len__(self) -> int:
        return len(self.chosen)

    @property
    def shapes(self) -> dict[str, Array]:
        """What a row of each feature is."""
        return {name: column.array for name, column in self.columns.items()}

    def only(self, chosen: Indices) -> "CachedClips":
        """The same clips narrowed to these."""
        return CachedClips(self.columns, self.problem, chosen)

    def batch(self, indices: NDArray[np.int64]) -> Batch:
        """These clips as one batch on the CPU."""
        picked = self.chosen[indices]
        found = {name: column.gather(picked) for name, column in self.columns.items()}
        return Batch(
            {name: rows for name, (rows, _) in found.items()},
            {name: mask for name, (_, mask) in found.items()},
            {name: torch.from_numpy(labels[picked]) for name, labels in self.problem.labels.items()},
            {name: torch.from_numpy(labelled[picked]) for name, labelled in self.problem.labelled.items()},
        )


def read_columns(
    problem: Problem,
    wanted: Entries,
    features: Sequence[str],
    store: FeatureStore,
    rows: int,
) -> dict[str, Column]:
    """A column for each feature named (none named: every array of every extractor), read once and checked.

    `rows` is how many rows of each part a clip sees, 0 for all.
    """
    columns: dict[str, Column] = {}
    for own, entries in wanted.items():
        held = store.marker(next(iter(entries.values()))).arrays
        arrays = [array for array in held if not features or feature_name(own, array) in features]
        if not arrays:
            continue
        packed = pack(store, list(entries.values()), arrays)
        chosen = _chosen(problem, packed, {digest: place for place, digest in enumerate(entries)}, rows)
        columns |= {feature_name(own, array): Column(packed.arrays[array], array, packed, *chosen) for array in arrays}
    for name in features:
        if name.partition(".")[0] in wanted and name not in columns:
            choices = ", ".join(columns) or "other arrays"
            raise BadRequest(f"head.features asks for {name!r}, what is stored is: {choices}")
    return columns


def _chosen(problem: Problem, packed: Pack, places: Mapping[str, int], rows: int) -> tuple[Indices, Indices, Indices]:
    """(seen, starts, counts) of a `Column`: the rows of each clip, one clip after the other."""
    found = []
    for clip in problem.clips:
        span = packed.rows(places[clip.video.digest])
        found.append(span.start + rows_of(packed.time[span], clip.parts, rows))
    counts = np.array([len(one) for one in found], np.int64)
    return np.concatenate(found), np.cumsum(counts) - counts, counts
