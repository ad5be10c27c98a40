"""The riders of one video: each cuts its frames into an extractor's rows and has them computed.

A network that holds nothing is fed by the feeding thread. A tracker, and whatever holds another
extractor, follows in a thread of its own, where it may wait for the rows of those it holds.
"""

import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ego.extractors._base import Block, Extractor, Files, Rows, Tracker
from ego.pipeline.inbox import Abandoned, Inbox, Part, Seen
from ego.pipeline.lanes import Lane
from ego.pipeline.matches import EachFrame, Match, RowByRow
from ego.pipeline.needs import held_by, pictures_of, sounds_of, stands_beside
from ego.sampling import GridCutter, Row, SpanCutter

if TYPE_CHECKING:
    from ego.pipeline.ride import Ride

PATIENCE_SECONDS = 0.05
Cutter = GridCutter | SpanCutter
Give = Callable[[Any], None]


class Stopped(Exception):
    """The collecting thread has gone: whoever still makes rows for it ends."""


@dataclass(frozen=True)
class Tracked:
    """What a rider's thread says: rows, an error, or None for its end."""

    ride: "Ride"
    extractor: Extractor
    said: Rows | BaseException | None


@dataclass(frozen=True)
class Passed:
    """A rider's thread is done with a part, when it had sent out `count` rows in all."""

    ride: "Ride"
    extractor: Extractor
    part: int
    count: int


class NetworkRider:
    """Cuts a video's frames into a network's windows."""

    alive = False
    gathered_bytes = 0

    def __init__(self, ride: "Ride", lane: Lane, cut: Cutter, give: Give) -> None:
        self.extractor, self.cut = lane.extractor, cut
        self.pictures, self.sounds = pictures_of(lane.extractor), sounds_of(lane.extractor)
        self.count = 0
        self._ride, self._lane, self._give = ride, lane, give

    def emit(self, rows: list[Row]) -> None:
        """Gathers what each row is shown into the lane's batch."""
        for row in rows:
            seen = self._ride.seen(self, row)
            if seen is not None:
                self.count += 1
                self._ride.expect(self.extractor, 1)
                self._lane.add(self._ride, seen.row, seen.source, seen.shown, self._give)

    def hand_on(self, number: int, stop: float, counts: Mapping[str, int], last: bool) -> None:
        """Nothing: windows wait for nobody, the open batch for the next video's."""

    def abandon(self) -> None:
        """Nothing: rows already in a batch are computed with it and dropped."""


class ThreadRider(ABC):
    """Gathers rows into parts for a thread of its own."""

    def __init__(self, ride: "Ride", extractor: Extractor, cut: Cutter, inbox: Inbox, give: Give) -> None:
        self.extractor, self.cut, self.inbox = extractor, cut, inbox
        self.pictures, self.sounds = pictures_of(extractor), sounds_of(extractor)
        self.count = self.gathered_bytes = 0
        self._ride, self._give = ride, give
        self._rows: list[Seen] = []
        self._thread = threading.Thread(target=self._run, name=f"ego-{extractor.name}", daemon=True)

    def start(self) -> None:
        """Begins to follow."""
        self._thread.start()

    def emit(self, rows: list[Row]) -> None:
        """Keeps each row and what it is shown until the part is handed on."""
        for row in rows:
            seen = self._ride.seen(self, row)
            if seen is not None:
                self._rows.append(seen)
                self.gathered_bytes += sum(pixels.nbytes for shown in seen.shown.values() for pixels in shown)

    def hand_on(self, number: int, stop: float, counts: Mapping[str, int], last: bool) -> None:
        """Puts the part into the inbox; while there is no room, those it waits for are helped on."""
        part = Part(number, stop, self._rows, counts, last)
        self._rows, self.gathered_bytes = [], 0
        while not self.inbox.offer(part, PATIENCE_SECONDS):
            self._ride.nudge()

    @property
    def alive(self) -> bool:
        """Whether the thread is still at work."""
        return self._thread.is_alive()

    def abandon(self) -> None:
        """Tells the thread that nothing more comes."""
        self.inbox.cancel()

    def _run(self) -> None:
        with suppress(Stopped):
            try:
                self._follow()
            except Abandoned:
                pass  # what it gave so far is dropped with the video
            except Stopped:
                raise
            except BaseException as error:  # raised again by the collecting thread
                self._give(Tracked(self._ride, self.extractor, error))
            self._give(Tracked(self._ride, self.extractor, None))
        self.inbox.cancel()  # the feeding thread must not wait for one who has left

    @abstractmethod
    def _follow(self) -> None:
        """Makes rows of the parts in the inbox until the last."""


class TrackerRider(ThreadRider):
    """Feeds a video's frames, in blocks, to a tracker."""

    def __init__(
        self, ride: "Ride", tracker: Tracker, cut: Cutter, inbox: Inbox, give: Give, files: Files, device: str
    ) -> None:
        super().__init__(ride, tracker, cut, inbox, give)
        self._tracker, self._files, self._device = tracker, files, device
        self._arrays = tracker.rows(files)

    def _follow(self) -> None:
        beside = self._ride.beside(self._tracker)
        for rows in self._tracker.follow(self._blocks(), beside, self._files, self._device):
            arrays = {name: array.cast(np.asarray(rows.arrays[name])) for name, array in self._arrays.items()}
            self._give(Tracked(self._ride, self._tracker, Rows(arrays, rows.time, rows.source)))

    def _blocks(self) -> Iterator[Block]:
        for part, held in self.inbox.parts():
            if part.rows or any(len(rows.time) for rows in held.values()):
                yield self._block(part, held)
            self._give(Passed(self._ride, self._tracker, part.number, 0))

    def _block(self, part: Part, held: Mapping[str, Rows]) -> Block:
        pictures = {
            name: np.stack([seen.shown[name][0] for seen in part.rows])
            if part.rows
            else np.empty((0, 0, 0, 3), np.uint8)
            for name in self.pictures
        }
        times = np.array([seen.row.time for seen in part.rows]).reshape(-1, 3)
        source = np.array([seen.source for seen in part.rows], np.int64).reshape(-1, 4)
        return Block(pictures, times, source, held)


class HoldingRider(ThreadRider):
    """Shows a network its frames together with the rows of those it holds."""

    def __init__(self, ride: "Ride", lane: Lane, cut: Cutter, inbox: Inbox, give: Give) -> None:
        super().__init__(ride, lane.extractor, cut, inbox, give)
        self._lane = lane
        self._matches: dict[str, Match] = {
            need: RowByRow() if stands_beside(lane.extractor, held) else EachFrame()
            for need, held in held_by(lane.extractor).items()
        }

    def _follow(self) -> None:
        waiting: deque[Seen] = deque()
        for part, held in self.inbox.parts():
            for need, rows in held.items():
                self._matches[need].take(rows)
            waiting.extend(part.rows)
            while waiting and (found := self._found(waiting[0], part.last)) is not None:
                seen = waiting.popleft()
                self.count += 1
                self._ride.expect(self.extractor, 1)
                self._lane.add(self._ride, seen.row, seen.source, {**seen.shown, **found}, self._give)
            self._give(Passed(self._ride, self.extractor, part.number, self.count))

    def _found(self, seen: Seen, last: bool) -> dict[str, Any] | None:
        """What the held extractors show for a row; None where some of it has not come yet, or never will."""
        if not all(match.has(seen.row, last) for match in self._matches.values()):
            return None
        shown: dict[str, Any] = {}
        for need, match in self._matches.items():
            for array, values in match.pick(seen.row).items():
                shown[need if array == "feature" else f"{need}_{array}"] = values
        return shown
