"""Negative controls: the same run with a signal that belongs to another clip, or with its moments out of order.

What a signal gives must vanish when it is permuted; what an order gives, when it is shuffled.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from ego.errors import BadRequest
from ego.pipeline.cached import CachedClips, Column
from ego.pipeline.clips import Indices
from ego.pipeline.looks import Ragged, Seen
from ego.pipeline.targets import StepLabels
from ego.samplers import Sampling

Chosen = TypeVar("Chosen")


def others(count: int, seed: int) -> Indices:
    """For each of `count` clips another one, none twice and none itself; of one clip itself."""
    order = np.random.default_rng([seed, count]).permutation(count)
    found = np.empty(count, np.int64)
    found[order] = np.roll(order, 1)
    return found


def with_controls(clips: CachedClips, sampling: Sampling) -> CachedClips:
    """The clips as `sampling.permuted` and `shuffled` say; a name that is no feature, no task of steps: BadRequest."""
    dense = [name for name, task in clips.problem.tasks.items() if task.reads]
    for name in sampling.permuted:
        if name not in dense and not any(_is(name, feature) for feature in clips.columns):
            choices = ", ".join([*clips.columns, *dense])
            raise BadRequest(f"got {name!r} in sampling.permuted, expected some of: {choices}")
    other = others(len(clips.problem.clips), sampling.control_seed)
    columns = {}
    for feature, column in clips.columns.items():
        if any(_is(name, feature) for name in sampling.permuted):
            column = replace(column, seen=_of_others(column, clips, other))
        if sampling.shuffled:
            column = replace(column, seen=_shuffled(column.seen, sampling.control_seed))
        columns[feature] = column
    return replace(clips, columns=columns)


def with_permuted_targets(clips: Chosen, sampling: Sampling) -> Chosen:
    """The chosen clips, each with the labels of another's steps for the tasks in `sampling.permuted`.

    Only what is stored is permuted; clips of another kind stay.
    """
    if not isinstance(clips, CachedClips) or clips.lead is None:
        return clips
    names = [name for name in clips.targets if name in sampling.permuted]
    rows = [_rows(clips.lead.seen, clip) for clip in clips.chosen]
    other = others(len(rows), sampling.control_seed)
    targets = {name: _relabelled(clips.targets[name], rows, other) for name in names}
    return replace(clips, targets={**clips.targets, **targets})


def _is(name: str, feature: str) -> bool:
    """Whether a feature is that name, or an array of the extractor of that name."""
    return name in (feature, feature.partition(".")[0])


def _of_others(column: Column, clips: CachedClips, other: Indices) -> Seen:
    """What the other clips see, look by look and part by part."""
    seen, first = column.seen, clips.looks.first
    if (np.diff(first) != 1).any() or (np.diff(seen.part) != 1).any():
        raise BadRequest("sampling.permuted needs clips of one part, each looked at once; set sampling.pick = 'even'")
    return replace(seen, looks=_picked(seen.looks, other), inside=_picked(seen.inside, other))


def _picked(lists: Ragged, chosen: Indices) -> Ragged:
    return Ragged.of([lists[place] for place in chosen])


def _shuffled(seen: Seen, seed: int) -> Seen:
    """Every list in another order; lists of one length that stand at one place, in the same."""
    return replace(seen, looks=_disordered(seen.looks, seed), inside=_disordered(seen.inside, seed))


def _disordered(lists: Ragged, seed: int) -> Ragged:
    own = [lists[place] for place in range(len(lists.counts))]
    return Ragged.of([np.random.default_rng([seed, i]).permutation(one) for i, one in enumerate(own)])


def _rows(seen: Seen, clip: int) -> Indices:
    """All rows of a clip, of every part."""
    return np.concatenate([seen.inside[place] for place in range(seen.part[clip], seen.part[clip + 1])])


def _relabelled(target: StepLabels, rows: Sequence[Indices], other: Indices) -> StepLabels:
    """Row k of n of a clip has the labels of row k * m // n of the m of the other clip."""
    labels, mask = target.labels.copy(), target.mask.copy()
    for clip, own in enumerate(rows):
        theirs = rows[other[clip]]
        if len(own) and len(theirs):
            picked = theirs[np.arange(len(own)) * len(theirs) // len(own)]
            labels[own], mask[own] = target.labels[picked], target.mask[picked]
    return StepLabels(labels, mask)
