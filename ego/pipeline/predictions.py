"""What a run said of every clip, one line a clip, fold, split and task, as a Parquet table.

`said` and `label` are in the words of the task, as JSON. `scores` are the prediction's numbers and `numbers` those of
the label, flat, with their shapes; `mask` says what of the label counts. `track` and the first and last second
tell the clips of a video apart.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.heads._train import Predicted
from ego.pipeline.clips import Indices, Problem
from ego.tasks._base import Task

Said = Mapping[str, Mapping[str, Mapping[str, Predicted]]]
"""Predictions by fold, split and task, each in the order of the problem's indices."""


def write_predictions(path: Path, problem: Problem, said: Said) -> None:
    """Writes the table."""
    import pyarrow
    from pyarrow import parquet

    columns: dict[str, list[Any]] = {}
    for fold, splits in said.items():
        tasks = problem.fitted(fold)
        for split, predictions in splits.items():
            for name, one in predictions.items():
                some = {
                    key: [value] * len(one.mask) for key, value in (("fold", fold), ("split", split), ("task", name))
                }
                some |= _columns_of(problem, tasks[name], problem.folds[fold][split], one)
                for column, values in some.items():
                    columns.setdefault(column, []).extend(values)
    parquet.write_table(pyarrow.Table.from_pydict(columns), path)


def _columns_of(problem: Problem, task: Task, places: Indices, said: Predicted) -> dict[str, list[Any]]:
    """Values of each column for the clips at these places."""
    clips = [problem.clips[i] for i in places]
    words, known = zip(*(_words(task, said, i) for i in range(len(clips))), strict=True) if clips else ((), ())
    return {
        "video": [clip.video.name for clip in clips],
        "digest": [clip.video.digest for clip in clips],
        "start_seconds": [clip.parts[0][0] if clip.parts else None for clip in clips],
        "stop_seconds": [clip.parts[-1][1] if clip.parts else None for clip in clips],
        "track": [clip.track for clip in clips],
        "source": [problem.sources[i] for i in places],
        "label": [None if one is None else json.dumps(one) for one in known],
        "said": [json.dumps(one) for one in words],
        **_numbers("scores", said.predictions.astype(float)),
        **_numbers("numbers", said.labels.astype(float)),
        "numbers_type": [str(said.labels.dtype)] * len(clips),
        **_numbers("mask", said.mask),
    }


def _words(task: Task, said: Predicted, place: int) -> tuple[Any, Any]:
    """What is said of a clip and what is known of it, or None, in the words of the task."""
    scores, label, mask = said.predictions[place], said.labels[place], said.mask[place]
    if not task.reads:
        return task.say(scores), task.say_label(label) if mask else None
    known = [task.say_label(one) if there.any() else None for one, there in zip(label, mask, strict=True)]
    return [task.say(one) for one in scores], known


def _numbers(name: str, values: NDArray[Any]) -> dict[str, list[Any]]:
    """Numbers (n, ...) of each clip, flat, and their shape."""
    flat = values.reshape(len(values), prod(values.shape[1:]))
    return {name: flat.tolist(), f"{name}_shape": [list(values.shape[1:])] * len(values)}


@dataclass(frozen=True, eq=False)
class Told:
    """One line of the table: what was said of a clip, its label as numbers, and what of that counts."""

    fold: str
    clip: tuple[Any, ...]
    """(digest, start, stop, track): the clip, whoever names it how."""
    video: str
    said: NDArray[np.float32]
    label: NDArray[Any]
    mask: NDArray[np.bool_]


def read_predictions(folder: Path, split: str, task: str) -> list[Told]:
    """What a run said of the clips of one split under one task; a split or task it lacks is a BadRequest."""
    path = folder / "predictions.parquet"
    columns = _columns(path)
    splits, tasks = dict.fromkeys(columns["split"]), dict.fromkeys(columns["task"])
    for what, given, choices in (("split", split, splits), ("task", task, tasks)):
        if given not in choices:
            raise BadRequest(f"{folder} has no {what} {given!r}, it has: {', '.join(choices) or 'none'}")
    return list(_told(columns, split, task, path))


def _columns(path: Path) -> dict[str, list[Any]]:
    import pyarrow
    from pyarrow import parquet

    try:
        table: dict[str, list[Any]] = parquet.read_table(path).to_pydict()
    except (OSError, pyarrow.ArrowException) as error:
        raise BadRequest(f"{path} cannot be read ({type(error).__name__}); fit the run again") from error
    missing = {"fold", "split", "task", "digest", "numbers", "mask"} - set(table)
    if missing:
        raise BadRequest(f"{path} has no column {min(missing)!r}; fit the run again")
    return table


def _told(columns: Mapping[str, list[Any]], split: str, task: str, path: Path) -> Iterator[Told]:
    for i in range(len(columns["fold"])):
        if (columns["split"][i], columns["task"][i]) != (split, task):
            continue
        clip = tuple(columns[name][i] for name in ("digest", "start_seconds", "stop_seconds", "track"))
        yield Told(
            columns["fold"][i],
            clip,
            columns["video"][i],
            _array(columns, "scores", i, np.float32),
            _array(columns, "numbers", i, columns["numbers_type"][i]),
            _array(columns, "mask", i, np.bool_),
        )


def _array(columns: Mapping[str, list[Any]], name: str, place: int, kind: Any) -> NDArray[Any]:
    return np.array(columns[name][place]).astype(kind).reshape(columns[f"{name}_shape"][place])
