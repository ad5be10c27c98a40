"""Training on clips that show nothing is refused, and told where some do."""

from types import SimpleNamespace

import numpy as np
import pytest

from ego.errors import BadRequest
from ego.pipeline.learnable import check_shown
from ego.pipeline.looks import Looks, Ragged, Seen
from ego.samplers import Sampling


def clips(first, colour, gaze):
    """Four clips, two to train on, of two features that see so many rows in each look."""

    def column(counts):
        looks = Ragged.of([np.arange(count) for count in counts])
        return SimpleNamespace(seen=Seen(looks, looks, np.arange(5)))

    problem = SimpleNamespace(folds={"one": {"train": np.array([0, 1]), "validation": np.array([2, 3])}})
    looks = Looks(np.array(first), np.ones(first[-1]))
    return SimpleNamespace(
        columns={"colour": column(colour), "gaze": column(gaze)}, problem=problem, looks=looks,
        sampling=Sampling(anticipate=1.0),
    )  # fmt: skip


def test_clips_of_which_nothing_is_left_are_told_or_refused():
    told = []
    check_shown(clips([0, 1, 2, 3, 4], [0, 2, 1, 0], [0, 0, 0, 1]), told.append)
    assert told == [
        "1 of 4 clips have no row of colour, gaze before the cut of [sampling]; they count, and show nothing"
    ]
    check_shown(clips([0, 2, 3, 4, 6], [0, 1, 1, 1, 1, 0], [0] * 6), told.append)  # several looks: one is enough
    assert len(told) == 1
    with pytest.raises(
        BadRequest, match=r"none of the 2 training clips of fold 'one' has a row of colour, gaze before"
    ):
        check_shown(clips([0, 1, 2, 3, 4], [0, 0, 1, 1], [0, 0, 1, 1]), told.append)
