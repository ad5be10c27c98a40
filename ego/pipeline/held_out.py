"""Which of a fold's training clips are trained on, how often, and which are held out of it."""

import numpy as np

from ego.errors import BadRequest
from ego.heads._deal import equal_chances
from ego.heads._training import Training
from ego.pipeline.clips import Indices, Problem


def held_out(problem: Problem, train: Indices, training: Training) -> tuple[Indices, Indices]:
    """(trained on, held out) of a fold's training clips: whole videos, drawn by seed, until they hold the part asked.

    One video at least is left on each side; where there are not two it is a BadRequest.
    """
    if not training.hold_out:
        return train, train[:0]
    digests = np.array([problem.clips[i].video.digest for i in train])
    videos, counts = np.unique(digests, return_counts=True)
    if len(videos) < 2:
        raise BadRequest("got clips of one video to train on, training.hold_out needs two; set training.hold_out=0")
    order = np.random.default_rng([training.seed, len(videos)]).permutation(len(videos))
    enough = int(np.searchsorted(np.cumsum(counts[order]), training.hold_out * len(train))) + 1
    held = np.isin(digests, videos[order[: min(enough, len(videos) - 1)]])
    return train[~held], train[held]


def chances(
    problem: Problem, chosen: Indices, training: Training
) -> np.ndarray[tuple[int], np.dtype[np.float64]] | None:
    """How likely each of the clips is to be drawn, as `training.balance` asks; None: all once."""
    name = training.balance
    if not name:
        return None
    of_classes = [one for one, labels in problem.labels.items() if labels.ndim == 1 and labels.dtype.kind == "i"]
    if name not in of_classes:
        raise BadRequest(
            f"got training.balance = {name!r}, tasks with a class a clip: {', '.join(of_classes) or 'none'}"
        )
    return equal_chances(problem.labels[name][chosen], problem.labelled[name][chosen])
