"""From a data set's annotations to clips of known videos, their labels as numbers, and the rows they see."""

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.cache.store import FeatureStore
from ego.datasets._base import Annotation, Annotations, pick, present
from ego.errors import BadRequest, BadVideo
from ego.pipeline.jobs import Readings
from ego.pipeline.needs import asks_for_signals
from ego.pipeline.recipe import Recipe
from ego.pipeline.scan import Prober, scan
from ego.spec import canonical_json
from ego.tasks._base import Task
from ego.video import Clip, Reading, Video

Indices = NDArray[np.int64]
OVERRUN_SECONDS = 1.0
"""How far a segment may reach past the end of its video: annotation tools round up."""


@dataclass(frozen=True)
class Problem:
    """What a recipe asks to be learnt, on videos known by their bytes.

    `sources` says where each clip is written. `labels` are the clips' labels as numbers by task and `labelled` which
    clips have one, of the tasks that label clips. `folds` holds the indices of the clips of each split of each fold.
    """

    clips: tuple[Clip, ...]
    sources: tuple[str, ...]
    tasks: Mapping[str, Task]
    labels: Mapping[str, NDArray[Any]]
    labelled: Mapping[str, NDArray[np.bool_]]
    folds: Mapping[str, Mapping[str, Indices]]
    readings: Readings
    within_videos: bool = False
    """Whether the authors' splits cut through videos, so that only shared seconds are refused."""

    @property
    def videos(self) -> dict[str, Video]:
        """The clips' videos by digest."""
        return {clip.video.digest: clip.video for clip in self.clips}

    @property
    def trained(self) -> tuple[str, ...]:
        """The tasks that have something to learn of their own."""
        return tuple(name for name, task in self.tasks.items() if not task.of)

    @property
    def trained_tasks(self) -> dict[str, Task]:
        """Those tasks by name."""
        return {name: self.tasks[name] for name in self.trained}

    def fitted(self, fold: str) -> dict[str, Task]:
        """All tasks by name, those of clips knowing the labels that a fold trains on."""
        train = self.folds[fold]["train"]
        return {
            name: task.fitted(self.labels[name][train][self.labelled[name][train]]) if name in self.labels else task
            for name, task in self.tasks.items()
        }

    def tested(self, fold: str) -> set[str]:
        """The digests of the videos of which a clip of the fold is in another split than train."""
        splits = self.folds[fold]
        return {self.clips[i].video.digest for split, some in splits.items() if split != "train" for i in some}

    def only(self, folds: Sequence[str]) -> "Problem":
        """The same problem with these folds alone; none named: all; an unknown one is a BadRequest."""
        names = [pick("fold", name, list(self.folds)) for name in folds] or list(self.folds)
        return replace(self, folds={name: self.folds[name] for name in names})

    def without(self, videos: Collection[str]) -> "Problem":
        """The same problem less the clips of these videos (digests); a fold left without training or test goes too."""
        kept = np.array([i for i, clip in enumerate(self.clips) if clip.video.digest not in videos], np.int64)
        place = np.full(len(self.clips), -1)
        place[kept] = np.arange(len(kept))
        folds = {
            fold: {split: place[some][place[some] >= 0] for split, some in splits.items()}
            for fold, splits in self.folds.items()
        }
        return replace(
            self,
            clips=tuple(self.clips[i] for i in kept),
            sources=tuple(self.sources[i] for i in kept),
            labels={name: labels[kept] for name, labels in self.labels.items()},
            labelled={name: known[kept] for name, known in self.labelled.items()},
            folds={
                fold: {split: some for split, some in splits.items() if len(some)}
                for fold, splits in folds.items()
                if _kinds(splits) == _kinds(self.folds[fold])
            },
        )

    @cached_property
    def description(self) -> dict[str, Any]:
        """All that is to be learnt as plain JSON: tasks, clips by their videos' bytes, folds; no place, no name."""
        clips = [
            {
                "video": clip.video.digest,
                "parts": [list(part) for part in clip.parts],
                "track": clip.track,
                "labels": {task: labels[i].tolist() for task, labels in self.labels.items() if self.labelled[task][i]},
            }
            for i, clip in enumerate(self.clips)
        ]
        folds = [{split: rows.tolist() for split, rows in fold.items()} for fold in self.folds.values()]
        return {"tasks": {name: task.describe() for name, task in self.tasks.items()}, "clips": clips, "folds": folds}

    @cached_property
    def text(self) -> str:
        """The one text of the description: many plans may share a problem."""
        return canonical_json(self.description)


def _kinds(splits: Mapping[str, Indices]) -> set[bool]:
    """Whether there is something to train on, and something to test on."""
    return {split == "train" for split, some in splits.items() if len(some)}


def problem(
    recipe: Recipe,
    root: Path,
    decoder: Prober,
    store: FeatureStore,
    rehash: bool = False,
    skip_missing: bool = False,
) -> Problem:
    """The clips, labels and folds of a recipe's data set at `root`.

    Videos that are not there are left out with `skip_missing`, else refused. A recipe without a data set
    or task, a video that cannot be read, a segment past its video's end
    and a fold that tests on a video it trains on are each refused.
    """
    if recipe.dataset is None or not recipe.tasks:
        raise BadRequest(f"the recipe {recipe.path} has no [dataset] or no [tasks.NAME], expected both to learn")
    annotations, _ = present(recipe.dataset.read(root), skip_missing)
    found = annotated(recipe, annotations, root, decoder, store, rehash)
    for name, splits in found.folds.items():
        _check_apart(name, splits, found.clips, annotations.within_videos)
    return found


def annotated(
    recipe: Recipe,
    annotations: Annotations,
    root: Path,
    decoder: Prober,
    store: FeatureStore,
    rehash: bool = False,
    known: bool = False,
) -> Problem:
    """What annotations ask of the recipe's tasks, whatever their folds share; all their videos must be there.

    Tasks that are `known` keep the label spaces they have, as those of a run do.
    """
    videos = _videos(annotations, decoder, store, rehash)
    clips = tuple(_clip(one, videos[one.video]) for one in annotations.clips)
    folds = {
        name: {split: np.asarray(indices, np.int64) for split, indices in splits.items()}
        for name, splits in annotations.folds.items()
    }
    spaces = {name: task if known else task.over(annotations.classes) for name, task in recipe.tasks.items()}
    tasks = {name: task if known else task.among(_parts(name, task, spaces)) for name, task in spaces.items()}
    numbers = {name: _encode(task, annotations.clips) for name, task in tasks.items() if not task.reads}
    return Problem(
        clips,
        tuple(one.source for one in annotations.clips),
        tasks,
        {name: labels for name, (labels, _) in numbers.items()},
        {name: labelled for name, (_, labelled) in numbers.items()},
        folds,
        _readings(recipe, root, videos),
        annotations.within_videos,
    )


def _parts(name: str, task: Task, tasks: Mapping[str, Task]) -> dict[str, Task]:
    """The tasks that a task is of; one that the recipe lacks, or that is itself of others, is a BadRequest."""
    for part in task.of:
        if part not in tasks or tasks[part].of:
            choices = ", ".join(own for own, one in tasks.items() if not one.of) or "no other"
            raise BadRequest(f"the task {name!r} is of {part!r}, the recipe learns: {choices}")
    return {part: tasks[part] for part in task.of}


def _readings(recipe: Recipe, root: Path, videos: Mapping[str, Video]) -> dict[str, dict[str, Reading]]:
    """The signals beside the videos, unless no extractor of the recipe asks for any: reading them may take long."""
    if recipe.dataset is None or not asks_for_signals(recipe.extractors.values()):
        return {}
    return {video.digest: recipe.dataset.readings(root, name) for name, video in videos.items()}


def _videos(annotations: Annotations, decoder: Prober, store: FeatureStore, rehash: bool) -> dict[str, Video]:
    """Each annotated video by its name in the annotations."""
    rates = rates_by_path(annotations)
    found = scan(annotations.videos.values(), decoder, store=store, rehash=rehash, rates=rates)
    videos = {}
    for name, one in zip(annotations.videos, found, strict=True):
        if not isinstance(one, Video):
            raise BadVideo(f"{one.error}; the data set annotates it as {name!r}: repair the file or leave it out")
        videos[name] = one
    return videos


def rates_by_path(annotations: Annotations) -> dict[str, float]:
    """Pictures a second of each of the data set's folders of pictures, by absolute path."""
    return {os.path.abspath(annotations.videos[name]): rate for name, rate in annotations.rates.items()}


def _clip(annotation: Annotation, video: Video) -> Clip:
    end = _end(video)
    for start, stop in annotation.parts:
        if end is not None and (start >= end or stop > end + OVERRUN_SECONDS):
            raise BadRequest(
                f"{annotation.source}: got a segment from {start:g} to {stop:g} s of {annotation.video!r}, "
                f"which ends at {end:.3f} s"
            )
    return Clip(video, annotation.parts, annotation.track, annotation.labels)


def _end(video: Video) -> float | None:
    """Where the container says the video ends, in seconds of its own clock; None where it does not say."""
    header = video.header
    return header.start_seconds + header.seconds_from_header if header and header.seconds_from_header else None


def _check_apart(name: str, splits: Mapping[str, Indices], clips: Sequence[Clip], within_videos: bool) -> None:
    """Nothing, or a BadRequest where a fold trains on nothing, or a video trains and is tested, under whatever name.

    Where the authors split `within_videos` it is the same seconds of a video that may not be in both.
    """
    fold = f" of fold {name!r}" if name else ""
    if not len(splits.get("train", ())):
        raise BadRequest(f"there is no clip to train on{fold}, expected some in the split 'train'")
    trains = {_seen(clips[i], within_videos) for i in splits["train"]}
    for split, indices in splits.items():
        both = [clips[i].video for i in indices if _seen(clips[i], within_videos) in trains]
        if split != "train" and both:
            raise BadRequest(
                f"the video {both[0].name!r} is in train and in {split}{fold} (its bytes count, not its name); "
                "split by video"
            )


def _seen(clip: Clip, within_videos: bool) -> object:
    """What of a clip must not be in two splits: its video, or its seconds and track of it."""
    return (clip.video.digest, clip.parts, clip.track) if within_videos else clip.video.digest


def _encode(task: Task, annotations: Iterable[Annotation]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """(labels, labelled) of all clips."""
    labels, labelled = [], []
    for one in annotations:
        try:
            number = task.encode(one.labels)
        except BadRequest as error:
            raise BadRequest(f"{one.source}: {error}") from error
        labels.append(task.blank if number is None else number)
        labelled.append(number is not None)
    return np.stack(labels), np.array(labelled)


def rows_of(time: NDArray[np.float64], parts: Sequence[tuple[float, float]], count: int) -> Indices:
    """The rows that a clip sees, in order: of each part every row whose centre lies in it.

    With `count` it is that many rows a part, each the nearest to one of `count` evenly spaced
    moments. A part between two rows sees the nearer one. `time` is (rows, 3); no rows: none.
    """
    if not len(time):
        return np.empty(0, np.int64)
    spans = parts or ((float(time[0, 0]), float(time[-1, 2])),)
    if count:
        return nearest(time[:, 1], moments(spans, count))
    found = []
    for start, stop in spans:
        inside = np.flatnonzero((time[:, 1] >= start) & (time[:, 1] < stop))
        found.append(inside if len(inside) else nearest(time[:, 1], np.array([(start + stop) / 2])))
    return np.concatenate(found)


def moments(spans: Sequence[tuple[float, float]], count: int) -> NDArray[np.float64]:
    """The centres of `count` equal parts of each span, in seconds."""
    return np.concatenate([start + (np.arange(count) + 0.5) * (stop - start) / count for start, stop in spans])


def nearest(centres: NDArray[np.float64], wanted: NDArray[np.float64]) -> Indices:
    """The index of the nearest of `centres` (any order, at least one) for each wanted moment; of two the earlier."""
    order = np.argsort(centres, kind="stable")
    ordered = centres[order]
    after = np.minimum(np.searchsorted(ordered, wanted), len(ordered) - 1)
    before = np.maximum(after - 1, 0)
    return order[np.where(wanted - ordered[before] <= np.abs(ordered[after] - wanted), before, after)]
