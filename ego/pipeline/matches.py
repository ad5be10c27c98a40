"""Which rows of a held extractor belong to a network's row."""

from abc import ABC, abstractmethod
from collections import deque
from typing import Any

from ego.extractors._base import Rows
from ego.sampling import Row

Arrays = dict[str, Any]


class Match(ABC):
    """Held rows that have come and that a later row may still need."""

    def __init__(self) -> None:
        self._rows: deque[tuple[int, Arrays]] = deque()  # (its first frame, its arrays)

    def take(self, rows: Rows) -> None:
        """Takes in the next held rows."""
        for place, first in enumerate(rows.source[:, 0].tolist()):
            self._rows.append((first, {name: array[place] for name, array in rows.arrays.items()}))

    @abstractmethod
    def has(self, row: Row, last: bool) -> bool:
        """Whether what belongs to a row is known; `last`: no more held rows come."""

    @abstractmethod
    def pick(self, row: Row) -> Arrays:
        """What belongs to a row, by array. Rows are asked for in order."""


class RowByRow(Match):
    """Both have one window: the nth row belongs to the nth."""

    def has(self, row: Row, last: bool) -> bool:
        """See `Match`."""
        return bool(self._rows)

    def pick(self, row: Row) -> Arrays:
        """(*shape) by array."""
        return self._rows.popleft()[1]


class EachFrame(Match):
    """For each frame of a row the last held row that begins with it or before it; before the first one, the first."""

    def has(self, row: Row, last: bool) -> bool:
        """See `Match`; settled once a held row begins with the row's last frame or after it."""
        return bool(self._rows) and (last or self._rows[-1][0] >= row.frames[-1])

    def pick(self, row: Row) -> Arrays:
        """A list of one (*shape) a frame, by array."""
        while len(self._rows) > 1 and self._rows[1][0] <= row.frames[0]:
            self._rows.popleft()
        chosen: list[Arrays] = []
        place = 0
        for frame in row.frames:
            while place + 1 < len(self._rows) and self._rows[place + 1][0] <= frame:
                place += 1
            chosen.append(self._rows[place][1])
        return {name: [one[name] for one in chosen] for name in chosen[0]}
