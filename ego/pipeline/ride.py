"""A ride is one video's way through a run: its frames go in, its entries come out."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from queue import Queue
from typing import Any

import numpy as np

from ego.cache.store import FeatureStore
from ego.extractors._base import Beside, Block, Extractor, Files, Network, Rows, Tracker
from ego.media.decode import Frame, Look
from ego.pipeline.jobs import Job, Outcome, pictures_of, spans_of
from ego.pipeline.lanes import Lane, Pixels
from ego.pipeline.staged import Staged, check_unchanged, remember
from ego.sampling import GridCutter, Row, SpanCutter, cutter
from ego.video import Picture, Signal, slack_seconds

BLOCK_BYTES = 16 * 2**20


class Stopped(Exception):
    """The collecting thread has gone: whoever still makes rows for it ends."""


class Ride:
    """One video in a run: what its riders still need of its frames, and the rows already made."""

    def __init__(self, job: Job, lanes: Mapping[str, Lane], files: Files, device: str, give: Callable[[Any], None]):
        self.job = job
        self.failed: str | None = None
        self.ended = False
        self.started = time.monotonic()
        self._held: dict[Picture, dict[int, Pixels]] = {}
        self._pts: dict[int, int] = {}
        self._entries: dict[str, Staged] = {}
        self._riders: list[NetworkRider | TrackerRider] = []
        slack = slack_seconds(job.video.header.time_base) if job.video.header else 0.0
        for extractor in job.extractors:
            spans = spans_of(extractor, job.readings)
            cut = cutter(extractor.window, slack, spans)
            self._held.update({picture: {} for picture in pictures_of(extractor).values()})
            if isinstance(extractor, Network):
                lane = lanes[extractor.digest]
                self._riders.append(NetworkRider(self, lane, cut, give))
                self._entries[extractor.digest] = Staged(extractor, lane.arrays)
            elif isinstance(extractor, Tracker):
                self._riders.append(TrackerRider(self, extractor, cut, give, files, device))
                self._entries[extractor.digest] = Staged(extractor, extractor.rows(files))

    def beside(self, extractor: Extractor) -> Beside:
        """What an extractor knows of this video besides its frames."""
        header, readings = self.job.video.header, self.job.readings
        signals = {
            name: readings[need.kind]
            for name, need in extractor.needs().items()
            if isinstance(need, Signal) and need.kind in readings
        }
        return Beside(signals, header.width if header else 0, header.height if header else 0)

    @property
    def looks(self) -> list[Look]:
        """What the decoder must show: each picture on the frames that some row of its rider sees."""
        return [
            Look(picture, extractor.window, spans_of(extractor, self.job.readings))
            for extractor in self.job.extractors
            for picture in pictures_of(extractor).values()
        ]

    def push(self, frame: Frame) -> None:
        """Shows one frame to every rider and lets go of frames no row needs any more."""
        self._pts[frame.index] = frame.pts
        for picture, pixels in frame.pictures.items():
            self._held[picture][frame.index] = pixels.copy()  # the decoder reuses its memory
        for rider in self._riders:
            rider.emit(rider.cut.push(frame.index, frame.start, frame.stop))
        self._release(min(rider.cut.oldest for rider in self._riders))

    def finish(self) -> None:
        """The rows that only the end of the video completes."""
        for rider in self._riders:
            rider.emit(rider.cut.finish())
            rider.finish()
        self._held.clear()

    def frames(self, picture: Picture, row: Row) -> list[Pixels]:
        """The pictures a row sees, in order."""
        return [self._held[picture][index] for index in row.frames]

    def source(self, row: Row) -> tuple[int, int, int, int]:
        """First and last frame of a row and their integer timestamps."""
        first, last = row.frames[0], row.frames[-1]
        return first, last, self._pts[first], self._pts[last]

    def _release(self, oldest: int) -> None:
        _drop(self._pts, oldest)
        for pictures in self._held.values():
            _drop(pictures, oldest)

    def expect(self, extractor: Extractor, rows: int) -> None:
        """Counts rows on their way; the ride is complete when as many have arrived."""
        self._entries[extractor.digest].expected += rows

    @property
    def follows(self) -> bool:
        """Whether a tracker of this video is still at work."""
        return any(rider.alive for rider in self._riders)

    def join(self) -> None:
        """Waits for the trackers to give their last rows."""
        for rider in self._riders:
            rider.join()

    def abandon(self) -> None:
        """The video failed or the run stops: trackers are told that no more frames come."""
        for rider in self._riders:
            rider.abandon()
        self._held.clear()

    # from here on: called by the collecting thread only

    def close(self, extractor: Extractor) -> None:
        """A tracker has given its last row."""
        self._entries[extractor.digest].closed = True

    def add(self, store: FeatureStore, extractor: Extractor, rows: Rows) -> None:
        """Appends finished rows to the extractor's entry."""
        entry = self._entries[extractor.digest]
        entry.done += len(rows.time)
        if self.failed is None:
            entry.append(store, self.job, rows)

    @property
    def complete(self) -> bool:
        """Whether every row that was cut has arrived."""
        return self.ended and all(entry.done >= entry.expected and entry.closed for entry in self._entries.values())

    def publish(self, store: FeatureStore, about: Mapping[str, Any]) -> Outcome:
        """Makes the entries visible, or notes the failure; nothing half written stays."""
        video = self.job.video
        remember(store, video)
        states, rows = set(), {}
        if self.failed is None:
            check_unchanged(video)
        for entry in self._entries.values():
            if self.failed is None:
                states.add(entry.publish(store, self.job, about))
                rows[entry.extractor.name] = entry.done
            else:
                entry.discard()
                store.note_failure(self.job.key(entry.extractor), video.name, self.failed)
        state = "failed" if self.failed else next(one for one in ("stored", "exists", "absent") if one in states)
        return Outcome(video, state, rows, self.failed, time.monotonic() - self.started, about)

    def discard(self) -> None:
        """Drops whatever is staged."""
        for entry in self._entries.values():
            entry.discard()


def _drop(held: dict[int, Any], oldest: int) -> None:
    """Frames come in order: the first to drop lie first."""
    while held and (first := next(iter(held))) < oldest:
        del held[first]


@dataclass(frozen=True)
class Tracked:
    """What a tracker's thread says: rows, an error, or None for its end."""

    ride: Ride
    tracker: Tracker
    said: Rows | BaseException | None


class NetworkRider:
    """Cuts a video's frames into a network's windows."""

    def __init__(self, ride: Ride, lane: Lane, cut: GridCutter | SpanCutter, give: Callable[[Any], None]) -> None:
        self.cut = cut
        self._ride, self._lane, self._give = ride, lane, give

    def emit(self, rows: list[Row]) -> None:
        """Gathers each row's frames into the lane's batch."""
        ride = self._ride
        for row in rows:
            ride.expect(self._lane.extractor, 1)
            frames = {name: ride.frames(picture, row) for name, picture in self._lane.pictures.items()}
            for batch in self._lane.add(ride, row, ride.source(row), frames):
                self._give(batch)

    def finish(self) -> None:
        """Nothing more: the open batch waits for the next video's windows."""

    alive = False

    def join(self) -> None:
        """Nothing to wait for."""

    def abandon(self) -> None:
        """Nothing: rows already in a batch are computed with it and dropped."""


class TrackerRider:
    """Feeds a video's frames, in blocks, to a tracker that runs in a thread of its own."""

    def __init__(
        self,
        ride: Ride,
        tracker: Tracker,
        cut: GridCutter | SpanCutter,
        give: Callable[[Any], None],
        files: Files,
        device: str,
    ) -> None:
        self.cut = cut
        self._ride, self._tracker, self._give = ride, tracker, give
        self._pictures = pictures_of(tracker)
        self._rows: list[tuple[Row, tuple[int, int, int, int], dict[str, Pixels]]] = []
        self._bytes = 0
        self._blocks: Queue[Block | None] = Queue(maxsize=2)
        self._arrays = tracker.rows(files)
        self._thread = threading.Thread(target=self._run, args=(files, device), daemon=True)
        self._thread.start()

    def emit(self, rows: list[Row]) -> None:
        """Gathers frames and hands them on in blocks of bounded size."""
        for row in rows:
            frames = {name: self._ride.frames(picture, row)[0] for name, picture in self._pictures.items()}
            self._rows.append((row, self._ride.source(row), frames))
            self._bytes += sum(pixels.nbytes for pixels in frames.values())
            if self._bytes >= BLOCK_BYTES or len(self._rows) >= 64:
                self._hand_on()

    def finish(self) -> None:
        """Hands on what is left and tells the tracker that the video has ended."""
        self._hand_on()
        self._blocks.put(None)

    @property
    def alive(self) -> bool:
        """Whether the tracker is still at work."""
        return self._thread.is_alive()

    def join(self) -> None:
        """Waits until the tracker has given its last row."""
        self._thread.join()

    def abandon(self) -> None:
        """Tells the tracker that no more frames come."""
        self._blocks.put(None)

    def _hand_on(self) -> None:
        if not self._rows:
            return
        rows, self._rows, self._bytes = self._rows, [], 0
        pictures = {name: np.stack([frames[name] for _, _, frames in rows]) for name in self._pictures}
        times = np.array([row.time for row, _, _ in rows])
        self._blocks.put(Block(pictures, times, np.array([source for _, source, _ in rows], np.int64)))

    def _run(self, files: Files, device: str) -> None:
        blocks = iter(self._blocks.get, None)
        try:
            self._follow(blocks, files, device)
            self._give(Tracked(self._ride, self._tracker, None))
        except Stopped:
            pass
        finally:
            for _ in blocks:  # frames nobody waits for any more: the feeding thread must not block on them
                pass

    def _follow(self, blocks: Iterator[Block], files: Files, device: str) -> None:
        try:
            for rows in self._tracker.follow(blocks, self._ride.beside(self._tracker), files, device):
                arrays = {name: array.cast(np.asarray(rows.arrays[name])) for name, array in self._arrays.items()}
                self._give(Tracked(self._ride, self._tracker, Rows(arrays, rows.time, rows.source)))
        except Stopped:
            raise
        except BaseException as error:  # raised again by the collecting thread
            self._give(Tracked(self._ride, self._tracker, error))
