"""Which clips come in which step: streams of clips, shuffled by seed and dealt evenly."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.heads._base import Batch
from ego.heads._training import Training

Indices = NDArray[np.int64]


class Clips(Protocol):
    """Clips that can be drawn by index: from the store, or live from decoded windows."""

    def __len__(self) -> int: ...

    @property
    def still(self) -> bool:
        """Whether training sees each clip alike every time."""

    def batch(self, indices: Indices, draw: np.random.Generator | None = None) -> Batch:
        """These clips as one batch on the CPU: as they are tested, or with `draw` as they are trained on."""


@dataclass(frozen=True)
class Stream:
    """Clips and the tasks they label. `cycle` starts again while others go on; else its end ends the epoch.

    `chances` are how likely each clip is to be drawn, with repetition; None: every clip once a pass.
    """

    clips: Clips
    tasks: tuple[str, ...]
    cycle: bool = False
    chances: NDArray[np.float64] | None = None


class Dealer:
    """The clips of each step of one stream, numbered among all streams."""

    def __init__(self, stream: Stream, number: int, training: Training) -> None:
        self._stream, self._number, self._seed = stream, number, training.seed
        self.hands = ceil(len(stream.clips) / (training.batch * training.accumulate))
        self._pass: tuple[int, int] | None = None
        self._dealt: list[Indices] = []

    def deal(self, epoch: int, place: int) -> Indices:
        """The clips at this place of an epoch: a pass's, shuffled by seed, stream, epoch and pass, dealt evenly."""
        turn, place = divmod(place, self.hands)
        if self._pass != (epoch, turn):
            rng = np.random.default_rng([self._seed, self._number, epoch, turn])
            self._dealt = np.array_split(self._order(rng), self.hands)
            self._pass = epoch, turn
        return self._dealt[place]

    def _order(self, rng: np.random.Generator) -> Indices:
        count = len(self._stream.clips)
        if self._stream.chances is None:
            return rng.permutation(count)
        return rng.choice(count, size=count, p=self._stream.chances)


def dealers(streams: Sequence[Stream], training: Training) -> list[Dealer]:
    """One for each stream; no stream, or one without a clip, is a BadRequest."""
    if not streams or any(len(stream.clips) == 0 for stream in streams):
        raise BadRequest("got no clip to train on; look at the data set's split")
    return [Dealer(stream, number, training) for number, stream in enumerate(streams)]


def steps_per_epoch(streams: Sequence[Stream], dealt: Sequence[Dealer]) -> int:
    """How many steps an epoch has: until a stream that does not cycle ends; all cycle: until the longest has."""
    ends = [dealer.hands for stream, dealer in zip(streams, dealt, strict=True) if not stream.cycle]
    return min(ends) if ends else max(dealer.hands for dealer in dealt)


def equal_chances(labels: NDArray[Any], labelled: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) chances with which each class of labels (n,) is drawn as often as any other; 0 for clips without one."""
    known = labels[labelled]
    if not len(known):
        raise BadRequest("got no labelled clip to balance; look at training.balance")
    classes, counts = np.unique(known, return_counts=True)
    chances = np.zeros(len(labels))
    chances[labelled] = 1 / (counts[np.searchsorted(classes, known)] * len(classes))
    return np.asarray(chances / chances.sum(), np.float64)
