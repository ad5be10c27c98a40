"""Labels that are stored arrays: read on the steps of a head's leading feature, in the part of the frame it shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors._base import Extractor, Network
from ego.pipeline.clips import Indices, nearest
from ego.pipeline.geometry import View, move
from ego.sampling import Window
from ego.tasks._base import How, Target, Task
from ego.video import Array, Box, Video

PIECE_BYTES = 64_000_000
"""How much of the stored rows is in memory at once."""

LEAST_SECONDS = 1e-6
"""What overlaps by less does so by rounding."""


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


def shown_to(array: Array, extractor: Extractor, video: Video) -> Array:
    """A stored array with the part of a video's frame, or the views of it, that its rows show.

    What is stored knows of square frames alone.
    """
    header = video.header
    if header is None or not header.width:
        return array
    width, height = header.width, header.height
    box = extractor.box(width, height) if array.kind == "map" else array.box
    return replace(array, box=box, views=extractor.view_boxes(width, height) if array.views else ())


def step_times(time: NDArray[np.float64], count: int, extractor: Extractor) -> NDArray[np.float64]:
    """(rows, count, 4): start, first frame's middle, centre and stop of the equal steps of each row, in seconds.

    A window with an interval looks at moments; its steps begin with the frames they are made of. Steps that show
    nothing but the last frame again, beyond the row's end, have no length.
    """
    window = extractor.window if isinstance(extractor, Network) else Window()
    ticks = window.frames * (window.interval if window.at == "grid" or window.fps else 1)
    whole = _whole_seconds(time, window)
    tick = whole / (window.span if window.at == "grid" else ticks)
    length = (tick * ticks / count)[:, None]
    start = time[:, :1] + length * np.arange(count)
    first = start + np.minimum(tick[:, None], length) / 2
    end = time[:, 2] + (tick * (window.interval - 1) if window.at == "grid" else 0.0)
    stop = np.minimum(start + length, end[:, None] + LEAST_SECONDS / 2)
    start, first = np.minimum(start, stop), np.minimum(first, stop)
    return np.stack([start, first, (start + stop) / 2, stop], axis=-1)


def _whole_seconds(time: NDArray[np.float64], window: Window) -> NDArray[np.float64]:
    """(rows,) how long each row is, or would be were it not cut where the video ends."""
    own = time[:, 2] - time[:, 0]
    if window.fps is not None:
        ticks = window.span if window.at == "grid" else window.frames * window.interval
        return np.full(len(time), ticks / window.fps)
    if window.at != "grid" or window.span == 1 or not len(time):
        return own
    inside = np.flatnonzero(time[:, 2] < time[:, 2].max() - LEAST_SECONDS)
    return own if not len(inside) else np.where(time[:, 2] > time[inside[-1], 2], np.maximum(own, own[inside[-1]]), own)


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
    there = steps[:, 3] - steps[:, 0] > LEAST_SECONDS
    if how == "first":
        picked = (np.searchsorted(time[:, 0], steps[:, 1], side="right") - 1).clip(0)
        there &= (time[picked, 0] <= steps[:, 1]) & (steps[:, 1] < time[picked, 2] + LEAST_SECONDS)
    else:
        picked = nearest(time[:, 1], steps[:, 2])
        shared = np.minimum(time[picked, 2], steps[:, 3]) - np.maximum(time[picked, 0], steps[:, 0])
        there &= shared > LEAST_SECONDS
    found = values[picked]
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
    if len(keys) != 1:
        raise BadRequest(f"got labels from {', '.join(keys)}, expected arrays of one extractor")
    key = next(iter(keys.values()))
    arrays = _arrays(task, store.marker(key).arrays)
    row_bytes = sum(int(np.prod(array.shape)) * np.dtype(array.dtype).itemsize for array in arrays.values())
    found = []
    steps, shown = leading.steps, leading.shown
    for piece in _pieces(steps, store.read(key, arrays=()).time, row_bytes):
        some = steps[piece]
        span = (float(some[..., 0].min()), float(some[..., 3].max()) + LEAST_SECONDS) if len(some) else (0.0, 1.0)
        feature = store.read(key, span, list(dict.fromkeys(map(_array, task.reads))))
        target = task.target({name: array.real(feature[_array(name)]) for name, array in arrays.items()})
        flat = resample(target, feature.time, some.reshape(-1, 4), task.how)
        flat.valid[~leading.counts[piece].reshape(-1)] = False
        views = [_view(view) for view in shown.views] or [View(Box(*shown.box))]
        held = Box(*arrays[task.reads[0]].box)
        seen = [_in_view(task, flat, view, held, some.shape[:2]) for view in views]
        if shown.views:
            found.append((np.stack([one for one, _ in seen], 1), np.stack([mask for _, mask in seen], 1)))
        else:
            found.append(seen[0])
    return found


def _pieces(steps: NDArray[np.float64], time: NDArray[np.float64], row_bytes: int) -> list[slice]:
    """The leading rows in stretches whose labels fit into memory: stored rows of the same seconds, and steps."""
    if not len(steps):
        return [slice(0, 0)]
    most = max(1, PIECE_BYTES // max(row_bytes, 1))
    low = np.searchsorted(np.maximum.accumulate(time[:, 2]), steps[:, 0, 0])
    high = np.searchsorted(time[:, 0], steps[:, -1, 3])
    pieces, begin = [], 0
    for row in range(1, len(steps)):
        if high[row] - low[begin] + (row + 1 - begin) * steps.shape[1] > most:
            pieces.append(slice(begin, row))
            begin = row
    return [*pieces, slice(begin, len(steps))]


def _array(name: str) -> str:
    """The stored array that a feature's name stands for."""
    return name.partition(".")[2] or "feature"


def _arrays(task: Task, stored: Mapping[str, Array]) -> dict[str, Array]:
    """What the task reads, by the names it has for it; an array that is not stored is a BadRequest."""
    for name in task.reads:
        if _array(name) not in stored:
            raise BadRequest(f"the task reads {name!r}, what is stored is: {', '.join(stored)}")
    return {name: stored[_array(name)] for name in task.reads}


def _in_view(
    task: Task, flat: Target, view: View, held: Box, rows: Sequence[int]
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """(labels, mask), each (rows, T, ...), of a resampled target in a view; what is on pixels shows the box `held`."""
    shape = flat.values.shape[1:]
    values, valid = flat.values, flat.valid
    if values.size:
        moved = move(values, Array(shape, kind=flat.kind), view, shown=held, sides=flat.sides)
        values = np.asarray(moved.values)
        valid = np.flip(valid, 1) if flat.sides and view.flip else valid
        valid = valid & moved.inside if flat.kind in ("points", "boxes") else valid
    labels, mask = task.encode_steps(values, valid)
    return labels.reshape(*rows, *labels.shape[1:]), mask.reshape(*rows, *mask.shape[1:])


def _view(view: Sequence[float]) -> View:
    return View(Box(*view[:4]), bool(view[4]))
