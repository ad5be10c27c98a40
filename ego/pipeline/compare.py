"""`ego compare`: whether one run is better than another on the clips that both were tested on.

The paired bootstrap (Efron and Tibshirani 1993, chapters 13 and 16): clips are drawn with replacement, the same for
both runs, and the figure is taken of each draw.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.pipeline.predictions import Told, read_predictions
from ego.pipeline.read_run import Run
from ego.tasks._base import Judged, Task

Unit = Literal["clip", "video"]
SHARE = 0.95


@dataclass(frozen=True)
class Drawing:
    """How often is drawn, what is drawn at a time, and from which seed."""

    draws: int = 1000
    by: Unit = "clip"
    seed: int = 0


@dataclass(frozen=True)
class Comparison:
    """A run's `figure` beside that of the `first` run on `clips` common clips.

    `difference` is figure - first, `low` and `high` its 95 % interval and `p` how likely a difference at least so far
    from 0 is where there is none, two-sided. `left_out` clips are in one run only.
    """

    run: Run
    task: str
    metric: str
    first: float
    figure: float
    difference: float
    low: float
    high: float
    p: float
    clips: int
    left_out: int


def compare(runs: Sequence[Run], split: str, task: str | None, metric: str | None, how: Drawing) -> list[Comparison]:
    """Each run held against the first; other clips, labels or label spaces are a BadRequest."""
    if len(runs) < 2:
        raise BadRequest(f"got {len(runs)} run, expected at least two to compare")
    names = _tasks(runs, task)
    found = []
    for run in runs[1:]:
        for name in names:
            pair = _paired(runs[0], run, split, name)
            found.append(_bootstrap(runs[0], run, name, pair, metric, how))
    return found


def _tasks(runs: Sequence[Run], task: str | None) -> list[str]:
    """The tasks that all runs have, or the one named; other label spaces are a BadRequest."""
    first = runs[0].recipe.tasks
    names = [name for name in first if all(name in run.recipe.tasks for run in runs)]
    if (task is not None and task not in names) or not names:
        got = ", ".join(names) or "none"
        raise BadRequest(f"got task {task!r}, the runs have in common: {got}")
    chosen = [task] if task is not None else names
    for run in runs[1:]:
        for name in chosen:
            here, there = (getattr(one.recipe.tasks[name], "classes", ()) for one in (runs[0], run))
            if here != there:
                raise BadRequest(
                    f"{run.folder} has {len(there)} classes of {name!r} that are other than the {len(here)} of "
                    f"{runs[0].folder}; compare runs of one label space"
                )
    return chosen


@dataclass(frozen=True, eq=False)
class Pair:
    """The common clips of two runs: what each said, and what is known."""

    first: Sequence[Told]
    other: Sequence[Told]
    left_out: int


def _paired(first: Run, other: Run, split: str, task: str) -> Pair:
    """The clips that both runs tested, in one order."""
    here, there = (_by_clip(run, split, task) for run in (first, other))
    both = [clip for clip in here if clip in there]
    if not both:
        raise BadRequest(
            f"{first.folder} and {other.folder} were tested on other clips of {split!r}: of {len(here)} and "
            f"{len(there)} none is common (videos count by their bytes, clips by their seconds)"
        )
    for clip in both:
        one, two = here[clip], there[clip]
        same = one.mask.shape == two.mask.shape and bool((one.mask == two.mask).all())
        if not same or one.label.shape != two.label.shape or not np.array_equal(one.label, two.label):
            raise BadRequest(
                f"{first.folder} and {other.folder} know other labels of {task!r}, such as at {one.clip[1]} s of "
                f"{one.video!r}; compare runs on the same annotations"
            )
    left_out = len(here) + len(there) - 2 * len(both)
    return Pair([here[clip] for clip in both], [there[clip] for clip in both], left_out)


def _by_clip(run: Run, split: str, task: str) -> dict[tuple[Any, ...], Told]:
    """By clip and which time it comes: several folds may test one clip."""
    found: dict[tuple[Any, ...], Told] = {}
    times: Counter[tuple[Any, ...]] = Counter()
    for told in read_predictions(run.folder, split, task):
        found[told.clip, times[told.clip]] = told
        times[told.clip] += 1
    return found


def _bootstrap(base: Run, run: Run, name: str, pair: Pair, metric: str | None, how: Drawing) -> Comparison:
    units = _units(pair.first, how.by)
    task = base.recipe.tasks[name]
    sides = [_Side(task, told, _trained(one, name)) for one, told in ((base, pair.first), (run, pair.other))]
    everything = np.arange(len(pair.first))
    whole = [side.metrics(everything) for side in sides]
    if not whole[0]:
        raise BadRequest(f"no clip has a label of {name!r}, so there is no figure to compare")
    leading = metric or next(iter(whole[0]))
    if leading not in whole[0]:
        raise BadRequest(f"got metric {leading!r} of {name!r}, expected one of: {', '.join(whole[0])}")
    first, figure = (float(one[leading]) for one in whole)
    generator = np.random.default_rng(how.seed)
    drawn = np.empty(how.draws)
    for number in range(how.draws):
        picked = np.concatenate([units[i] for i in generator.integers(len(units), size=len(units))])
        here, there = (side.metrics(picked).get(leading, np.nan) for side in sides)
        drawn[number] = there - here
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        raise BadRequest(f"no draw of {len(units)} {how.by}s has a label of {name!r}; compare by clip")
    low, high = np.quantile(drawn, [(1 - SHARE) / 2, (1 + SHARE) / 2])
    tail = min(int((drawn <= 0).sum()), int((drawn >= 0).sum()))
    p = min(1.0, 2 * (tail + 1) / (len(drawn) + 1))
    return Comparison(
        run, name, leading, first, figure, figure - first, float(low), float(high), p, len(pair.first), pair.left_out
    )


def _units(told: Sequence[Told], by: Unit) -> list[NDArray[np.int64]]:
    """What is drawn at a time: the places of one clip, or of all clips of one video."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for place, one in enumerate(told):
        groups[one.clip if by == "clip" else one.clip[0]].append(place)
    return [np.array(places, np.int64) for places in groups.values()]


def _trained(run: Run, task: str) -> NDArray[Any] | None:
    """The labels that a run's folds were trained on, each clip once; None of tasks of steps."""
    each = {clip: label for fold in run.folds for clip, label in run.trained_labels(fold).get(task, {}).items()}
    return np.stack(list(each.values())) if each else None


class _Side:
    """One run's predictions as a task judges them, that knows the labels the run was trained on."""

    def __init__(self, task: Task, told: Sequence[Told], trained: NDArray[Any] | None) -> None:
        self._task, self._trained = task, trained
        steps = bool(task.reads)
        self._said, self._labels, self._masks = (
            [part if steps else part[None] for part in parts]
            for parts in ([t.said for t in told], [t.label for t in told], [t.mask for t in told])
        )

    def metrics(self, picked: NDArray[np.int64]) -> Mapping[str, float]:
        """The figures of these clips; one that is picked twice counts as two."""
        numbers = np.repeat(np.arange(len(picked)), [len(self._masks[i]) for i in picked])
        said, labels, masks = (
            np.concatenate([parts[i] for i in picked]) for parts in (self._said, self._labels, self._masks)
        )
        return self._task.metrics(Judged(said, labels, masks, numbers, self._trained))
