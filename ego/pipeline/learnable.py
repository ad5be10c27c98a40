"""Whether there is anything to learn: classes that are tested are trained, and clips show something."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.pipeline.cached import CachedClips
from ego.pipeline.clips import Problem


def check_learnable(learnt: Problem) -> None:
    """Nothing, or a BadRequest where a fold tests what it cannot have learnt."""
    for fold, splits in learnt.folds.items():
        for name in learnt.labels:
            task = learnt.tasks[name]
            labels = {
                split: learnt.labels[name][indices][learnt.labelled[name][indices]] for split, indices in splits.items()
            }
            for split, some in labels.items():
                if split != "train" and (why := task.unlearnable(labels["train"], some)):
                    where = f"fold {fold!r}, " if fold else ""
                    raise BadRequest(f"{where}task {name!r}: {why}")


def check_shown(clips: CachedClips, tell: Callable[[str], None]) -> None:
    """Nothing, or a BadRequest where no clip of a fold that is trained on shows a row; `tell` hears of some clips."""
    if not clips.columns:
        return
    shown, names = _shown(clips), ", ".join(clips.columns)
    why = "before the cut of [sampling]" if clips.sampling.causal else "in their videos"
    for fold, splits in clips.problem.folds.items():
        if not shown[splits["train"]].any():
            where = f" of fold {fold!r}" if fold else ""
            raise BadRequest(
                f"none of the {len(splits['train'])} training clips{where} has a row of {names} {why}, expected some; "
                f"{'show more of them' if clips.sampling.causal else 'name other features'}"
            )
    if not shown.all():
        tell(f"{np.sum(~shown)} of {len(shown)} clips have no row of {names} {why}; they count, and show nothing")


def _shown(clips: CachedClips) -> NDArray[np.bool_]:
    """(clips,) of which some look sees a row of some feature."""
    first = clips.looks.first
    found = np.zeros(len(first) - 1, bool)
    for column in clips.columns.values():
        there = np.concatenate([[0], np.cumsum(column.seen.looks.counts > 0)])
        found |= there[first[1:]] > there[first[:-1]]
    return found
