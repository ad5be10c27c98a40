"""`ego evaluate`: a run's weights tested again, or on a split that the run did not test."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ego.datasets._base import Annotations, pick, present
from ego.errors import BadRequest
from ego.heads._train import Clips, Predicted
from ego.pipeline import recipe, runs
from ego.pipeline.averaging import Looked
from ego.pipeline.clips import Indices, Problem, annotated
from ego.pipeline.fit import Workplace, combined, said
from ego.pipeline.provenance import check_extractors, check_unseen
from ego.pipeline.read_run import Run
from ego.pipeline.seen import clips_of, plan_of, stored
from ego.pipeline.weights import WeightFinder
from ego.spec import canonical_json
from ego.video import Clip


@dataclass(frozen=True)
class Asked:
    """Which of a run is tested on what: `folds` (none: all), a `split` (none: every one but train), and `views`.

    `settings` change fields of the data set, such as the files it reads.
    """

    folds: tuple[str, ...] = ()
    split: str | None = None
    views: int = 1
    settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evaluated:
    """What was said of every tested clip: results by fold, and the data set's class names by label."""

    problem: Problem
    results: Sequence[runs.FoldResult]
    classes: Mapping[str, tuple[str, ...]]

    @property
    def metrics(self) -> dict[str, Any]:
        """As of `ego.pipeline.runs.figures`."""
        return runs.figures(self.problem, self.results)


def evaluate(run: Run, at: Workplace, asked: Asked) -> Evaluated:
    """A run's weights on the clips of some splits, fold by fold.

    Refused are clips of a video that weights were trained on, clips other than the run had under the same split, and
    features that are not in the store.
    """
    folds = run.pick_folds(asked.folds)
    problem, classes = tested(run, at, folds, asked)
    for fold in folds:
        advice = "name a --split or --fold whose videos it never saw"
        check_unseen(problem, fold, run.trained_on(fold), f"this run{f' (fold {fold!r})' if fold else ''}", advice)
    check_extractors(run.recipe.extractors, at.files, problem)
    problem = stored(run, problem, at)
    plan = plan_of(run, problem)
    looks = [replace(plan, problem=one) for one in _views(problem, asked.views, run.recipe.sampling.rows)]
    seen = [clips_of(run, one.problem, at) for one in looks]
    results = []
    for fold in problem.folds:
        module = run.module(fold, at.files)
        found = {}
        for split, some in problem.folds[fold].items():
            views = [
                said(one, module, clips.only(some), some, at.device) for one, clips in zip(looks, seen, strict=True)
            ]
            found[split] = _averaged(plan, seen[0], views, some)
        results.append(runs.FoldResult(fold, module, [], found, run.shapes, run.trained_labels(fold)))
    return Evaluated(problem, results, classes)


def _views(problem: Problem, count: int, rows: int) -> list[Problem]:
    """The problem, `count` times: its clips moved so that the `rows` moments of all views are evenly spaced."""
    if count == 1:
        return [problem]
    whole = not all(clip.parts for clip in problem.clips)
    if not rows or whole or any(task.reads for task in problem.tasks.values()):
        raise BadRequest(
            f"got {count} views, which look at a clip at other moments: expected sampling.rows above 0, clips in "
            "seconds and tasks that label clips"
        )
    return [
        replace(problem, clips=tuple(_moved(clip, ((view + 0.5) / count - 0.5) / rows) for clip in problem.clips))
        for view in range(count)
    ]


def _moved(clip: Clip, share: float) -> Clip:
    """The clip with each part moved by a share of its length."""
    moved = ((start + share * (stop - start), stop + share * (stop - start)) for start, stop in clip.parts)
    return replace(clip, parts=tuple((max(0.0, start), max(0.0, stop)) for start, stop in moved))


def _averaged(
    plan: runs.Plan, clips: Clips, views: Sequence[Mapping[str, Predicted]], chosen: Indices
) -> dict[str, Predicted]:
    """The predictions of all tasks from those of each view, averaged as several looks at a clip are."""
    if len(views) == 1:
        return dict(views[0])
    place = np.repeat(np.arange(len(chosen)), len(views))
    looked = Looked(clips, place, np.ones(len(place)))
    each = {
        name: Predicted(
            np.stack([view[name].predictions for view in views], axis=1).reshape(-1, *first.predictions.shape[1:]),
            first.labels[place],
            first.mask[place],
        )
        for name, first in views[0].items()
        if name in plan.problem.trained
    }
    return combined(plan, each, looked, chosen)


def tested(
    run: Run, at: Workplace, folds: Sequence[str], asked: Asked
) -> tuple[Problem, Mapping[str, tuple[str, ...]]]:
    """(the clips that are tested, class names by label), from the run's data set at `at.root`."""
    dataset = run.recipe.dataset
    if asked.settings:
        if not all(setting.startswith("dataset.") for setting in asked.settings):
            raise BadRequest(f"got --set {asked.settings[0]!r}, expected a field of the data set: --set dataset.FIELD=")
        settings = (*run.recipe.settings, *asked.settings)
        dataset = recipe.read_dataset(Path(run.recipe.path), settings, WeightFinder([]))
    if dataset is None:
        raise BadRequest(f"the run {run.folder} has no data set to be tested on; use ego predict")
    annotations = dataset.read(at.root)
    chosen, _ = present(_only(annotations, folds, asked.split), at.skip_missing)
    problem = annotated(run.recipe, chosen, at.root, at.decoder, at.store, at.rehash, known=True)
    if not asked.settings and not at.skip_missing:
        for fold in folds:
            _check_same(run, problem, fold, at.root)
    return problem, annotations.classes


def _only(annotations: Annotations, folds: Sequence[str], split: str | None) -> Annotations:
    """The annotations of the clips of some folds and of one split, or of all but train."""
    chosen: dict[str, dict[str, tuple[int, ...]]] = {}
    for fold in folds:
        splits = annotations.folds[pick("fold", fold, list(annotations.folds))]
        names = [pick("split", split, list(splits))] if split else [name for name in splits if name != "train"]
        chosen[fold] = {name: splits[name] for name in names if splits[name]}
        if not chosen[fold]:
            raise BadRequest(f"there is no clip to test{f' in fold {fold!r}' if fold else ''}; name another --split")
    kept = sorted({index for splits in chosen.values() for some in splits.values() for index in some})
    place = {index: new for new, index in enumerate(kept)}
    clips = tuple(annotations.clips[index] for index in kept)
    named = {clip.video for clip in clips}
    return replace(
        annotations,
        videos={name: path for name, path in annotations.videos.items() if name in named},
        clips=clips,
        folds={
            fold: {name: tuple(place[i] for i in some) for name, some in splits.items()}
            for fold, splits in chosen.items()
        },
    )


def _check_same(run: Run, problem: Problem, fold: str, root: Path) -> None:
    """Nothing, or a BadRequest where a split that the run had is made of other clips or labels now."""
    told = problem.description["clips"]
    for split, indices in problem.folds[fold].items():
        before = run.clips(fold, split)
        if before is None:
            continue
        then, now = (Counter(map(canonical_json, some)) for some in (before, [told[i] for i in indices]))
        if then != now:
            raise BadRequest(
                f"{root} is other data than the run's: of {split!r}{f' in fold {fold!r}' if fold else ''} "
                f"{(now - then).total()} of {len(indices)} clips differ in video, seconds or label from those of the "
                f"run, and {(then - now).total()} of its {len(before)} are not there; name the run's own data, or "
                "another --split"
            )
