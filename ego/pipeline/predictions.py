"""What a run said of every clip, one line a clip, fold, split and task, as a Parquet table.

`said` and `label` are in the words of the task, as JSON. `scores` are the prediction's numbers and `numbers` those of
the label, flat, with their shapes; `mask` says what of the label counts. `track` and the first and last second
tell the clips of a video apart.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.heads._train import Predicted
from ego.pipeline.clips import Problem
from ego.tasks._base import Task

Said = Mapping[str, Mapping[str, Mapping[str, Predicted]]]
"""Predictions by fold, split and task, each in the order of the problem's indices."""


def write_predictions(path: Path, problem: Problem, said: Said) -> None:
    """Writes the table."""
    import pyarrow
    from pyarrow import parquet

    spaces = {fold: problem.fitted(fold) for fold in said}
    rows = [
        _row(problem, spaces[fold][name], fold, split, name, int(index), one, place)
        for fold, splits in said.items()
        for split, predictions in splits.items()
        for name, one in predictions.items()
        for place, index in enumerate(problem.folds[fold][split])
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def _row(
    problem: Problem, task: Task, fold: str, split: str, name: str, index: int, said: Predicted, place: int
) -> dict[str, Any]:
    clip = problem.clips[index]
    scores, label, mask = said.predictions[place], said.labels[place], said.mask[place]
    if task.reads:
        words: Any = [task.say(one) for one in scores]
        known: Any = [task.say_label(one) if there.any() else None for one, there in zip(label, mask, strict=True)]
    else:
        words, known = task.say(scores), task.say_label(label) if mask else None
    return {
        "fold": fold,
        "split": split,
        "video": clip.video.name,
        "digest": clip.video.digest,
        "start_seconds": clip.parts[0][0] if clip.parts else None,
        "stop_seconds": clip.parts[-1][1] if clip.parts else None,
        "track": clip.track,
        "source": problem.sources[index],
        "task": name,
        "label": json.dumps(known) if known is not None else None,
        "said": json.dumps(words),
        **_numbers("scores", scores),
        **_numbers("numbers", label),
        "numbers_type": str(label.dtype),
        **_numbers("mask", mask),
    }


def _numbers(name: str, values: NDArray[Any]) -> dict[str, Any]:
    array = np.asarray(values)
    flat: list[Any] = [bool(one) if array.dtype == bool else float(one) for one in array.ravel()]
    return {name: flat, f"{name}_shape": list(array.shape)}


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
