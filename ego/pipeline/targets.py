"""Labels that are stored arrays: read on the steps of a head's leading feature, in the part of the frame it shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors._base import Extractor, Network
from ego.pipeline.clips import Indices
from ego.pipeline.geometry import View, move
from ego.sampling import Window
from ego.tasks._base import How, Target, Task
from ego.video import Array, Box

CHUNK_ROWS = 256
AROUND_SECONDS = 1.0


@dataclass(frozen=True, eq=False)
class StepLabels:
    """The labels of every row of a leading feature: `labels` (rows, T, ...) and `mask` (rows, T, *marks).

    Of a feature of several views they are (rows, views, T, ...), each as it lies in its view.
    """

    labels: NDArray[Any]
    mask: NDArray[np.bool_]

    def gather(self, rows: Indices, there: NDArray[np.bool_], view: Indices | None) -> tuple[Tensor, Tensor]:
        """(B, N * T, ...) labels and mask of these rows (B, N), in these views (B,) of several."""
        place = rows if view is None else (rows, view[:, None])
        labels, mask = self.labels[place], self.mask[place]
        mask = mask & there.reshape(*there.shape, *(1,) * (mask.ndim - 2))
        return torch.from_numpy(labels).flatten(1, 2), torch.from_numpy(mask).flatten(1, 2)


@dataclass(frozen=True, eq=False)
class Leading:
    """The steps of one video: times (rows, T, 4) of `step_times`, which of them `counts`, and what is `shown`."""

    steps: NDArray[np.float64]
    counts: NDArray[np.bool_]
    shown: Array

    @classmethod
    def of(cls, time: NDArray[np.float64], count: int, extractor: Extractor, shown: Array) -> "Leading":
        """The `count` steps of each row at `time` (rows, 3)."""
        steps = step_times(time, count, extractor)
        return cls(steps, counted(steps, extractor), shown)


def step_times(time: NDArray[np.float64], count: int, extractor: Extractor) -> NDArray[np.float64]:
    """(rows, count, 4): start, first frame's middle, centre and stop of the equal steps of each row, in seconds.

    A window with an interval looks at moments; its steps begin with the frames they are made of.
    """
    window = extractor.window if isinstance(extractor, Network) else Window()
    grid = window.at == "grid"
    frames, interval = window.frames, window.interval if grid else 1
    length = (time[:, 2] - time[:, 0]) * (frames * interval / window.span if grid else 1) / count
    start = time[:, :1] + length[:, None] * np.arange(count)
    tick = (length * count / (frames * interval))[:, None]
    length = length[:, None]
    return np.stack([start, start + np.minimum(tick, length) / 2, start + length / 2, start + length], axis=-1)


def counted(steps: NDArray[np.float64], extractor: Extractor) -> NDArray[np.bool_]:
    """(rows, T) whether each step (rows, T, 4) counts: not where a last row, moved back, repeats what was seen."""
    window = extractor.window if isinstance(extractor, Network) else Window()
    found = np.ones(steps.shape[:2], bool)
    if window.edge == "align" and window.stride >= window.span and len(steps) > 1:
        found[-1] = steps[-1, :, 2] >= steps[-2, -1, 3]
    return found


def resample(target: Target, time: NDArray[np.float64], steps: NDArray[np.float64], how: How) -> Target:
    """A target of rows at `time` (rows, 3) on `steps` (n, 4) as of `step_times`; see `ego.tasks._base.How`."""
    marks = target.valid.shape[1:]
    values = np.zeros((len(steps), *target.values.shape[1:]), np.float32 if how == "mean" else target.values.dtype)
    valid = np.zeros((len(steps), *marks), bool)
    for mark in np.ndindex(marks):
        rows = np.flatnonzero(target.valid[(slice(None), *mark)])
        picked, values_of = (slice(None), *mark), target.values[(rows, *mark)]
        values[picked], valid[picked] = _on_steps(values_of, time[rows], steps, how)
    return Target(values, valid, target.kind, target.sides)


def _on_steps(
    values: NDArray[Any], time: NDArray[np.float64], steps: NDArray[np.float64], how: How
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Rows that are all valid on steps, 0 where none is near."""
    if not len(values):
        return np.zeros((len(steps), *values.shape[1:]), values.dtype), np.zeros(len(steps), bool)
    moment = steps[:, 1] if how == "first" else steps[:, 2]
    right = np.searchsorted(time[:, 1], moment).clip(max=len(time) - 1)
    left = (right - 1).clip(0)
    near = np.where(moment - time[left, 1] <= np.abs(time[right, 1] - moment), left, right)
    if how == "first":
        there = (time[near, 0] <= moment) & (moment < time[near, 2])
    else:
        there = (time[near, 0] < steps[:, 3]) & (time[near, 2] > steps[:, 0])
    found = values[near]
    if how == "mean":
        found = found.astype(np.float32)
        begin, end = np.searchsorted(time[:, 1], steps[:, 0]), np.searchsorted(time[:, 1], steps[:, 3])
        for step in np.flatnonzero(end - begin > 1):
            found[step] = values[begin[step] : end[step]].mean(axis=0, dtype=np.float64)
    found[~there] = 0
    return found, there


def read_targets(
    task: Task,
    store: FeatureStore,
    entries: Mapping[str, Mapping[str, FeatureKey]],
    leading: Mapping[str, Leading],
) -> StepLabels:
    """The labels of a task of steps for all rows of its head's leading feature, video after video.

    `entries` are those of each extractor that the task reads, by the recipe's name and the video's digest; `leading`
    are the steps of each video.
    """
    found = [
        part
        for digest, one in leading.items()
        for part in _of_video(task, store, {own: keys[digest] for own, keys in entries.items()}, one)
    ]
    return StepLabels(np.concatenate([one for one, _ in found]), np.concatenate([mask for _, mask in found]))


def _of_video(
    task: Task, store: FeatureStore, keys: Mapping[str, FeatureKey], leading: Leading
) -> list[tuple[NDArray[Any], NDArray[np.bool_]]]:
    found = []
    steps, shown = leading.steps, leading.shown
    for start in range(0, max(len(steps), 1), CHUNK_ROWS):
        some, counts = steps[start : start + CHUNK_ROWS], leading.counts[start : start + CHUNK_ROWS]
        span = (float(some[..., 0].min()), float(some[..., 3].max())) if len(some) else (0.0, 0.0)
        target, time = _stored(task, store, keys, (span[0] - AROUND_SECONDS, span[1] + AROUND_SECONDS))
        flat = resample(target, time, some.reshape(-1, 4), task.how)
        flat.valid[~counts.reshape(-1)] = False
        views = [_view(view) for view in shown.views] or [View(Box(*shown.box))]
        seen = [_in_view(task, flat, view, some.shape[:2]) for view in views]
        if shown.views:
            found.append((np.stack([one for one, _ in seen], 1), np.stack([mask for _, mask in seen], 1)))
        else:
            found.append(seen[0])
    return found


def _stored(
    task: Task, store: FeatureStore, keys: Mapping[str, FeatureKey], seconds: tuple[float, float]
) -> tuple[Target, NDArray[np.float64]]:
    """The target at its own rows, and their times; all arrays must be of one extractor."""
    if len(keys) != 1:
        raise BadRequest(f"got labels from {', '.join(keys)}, expected arrays of one extractor")
    feature = store.read(next(iter(keys.values())), seconds)
    arrays = {}
    for name in task.reads:
        array = name.partition(".")[2] or "feature"
        if array not in feature.arrays:
            raise BadRequest(f"the task reads {name!r}, what is stored is: {', '.join(feature.arrays)}")
        arrays[name] = feature.arrays[array].real(feature[array])
    return task.target(arrays), feature.time


def _in_view(task: Task, flat: Target, view: View, rows: Sequence[int]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """(labels, mask), each (rows, T, ...), of a resampled target in a view."""
    shape = flat.values.shape[1:]
    moved = move(flat.values, Array(shape, kind=flat.kind), view, sides=flat.sides)
    valid = flat.valid
    if flat.sides and view.flip:
        valid = np.flip(valid, 1)
    if flat.kind in ("points", "boxes"):
        valid = valid & moved.inside
    labels, mask = task.encode_steps(np.asarray(moved.values), valid)
    return labels.reshape(*rows, *labels.shape[1:]), mask.reshape(*rows, *mask.shape[1:])


def _view(view: Sequence[float]) -> View:
    return View(Box(*view[:4]), bool(view[4]))
