"""A ride is one video's way through a run: its frames go in, its entries come out."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from ego.cache.store import FeatureStore
from ego.errors import BrokenEntry
from ego.extractors._base import Beside, Extractor, Files, Network, Rows, Tracker
from ego.media.decode import Frame, Look
from ego.pipeline.inbox import Inbox, Seen, Source, Stored, Stream, ahead_of, barrier_of
from ego.pipeline.jobs import Job, Outcome, State
from ego.pipeline.lanes import Lane, Pixels
from ego.pipeline.listening import Listener
from ego.pipeline.needs import held_by, pictures_of, spans_of, why_absent
from ego.pipeline.riders import Give, HoldingRider, NetworkRider, ThreadRider, TrackerRider
from ego.pipeline.sharing import Cell
from ego.pipeline.staged import Staged, check_unchanged, remember
from ego.sampling import Row, cutter
from ego.video import Picture, Signal, slack_seconds

ENDED: tuple[State, ...] = ("stored", "exists", "absent")
PART_BYTES = 16 * 2**20
PART_FRAMES = 64


class Ride:
    """One video in a run: what its riders still need of its frames, and the rows already made.

    `nudge` helps on what a full inbox waits for; it raises Stopped where the run has ended.
    """

    def __init__(
        self,
        job: Job,
        store: FeatureStore,
        lanes: Mapping[str, Lane],
        files: Files,
        device: str,
        give: Give,
        nudge: Callable[[], None],
        listener: Listener,
        scratch: FeatureStore | None = None,
    ) -> None:
        self.job, self.nudge, self._listener = job, nudge, listener
        self._keeping: dict[str, FeatureStore | None] = {one.digest: scratch for one in job.lent}
        self._keeping |= {one.digest: store for one in job.extractors}
        self.failed: str | None = None
        self.ended = False
        self.started = time.monotonic()
        self._pixels: dict[Picture, dict[int, Pixels]] = {}
        self._cells: dict[str, dict[tuple[int, ...], Cell]] = {}
        self._pts: dict[int, int] = {}
        self._entries: dict[str, Staged] = {}
        self._riders: list[NetworkRider | ThreadRider] = []
        self._streams: dict[str, list[Stream]] = {}
        self._part, self._gathered_frames = 0, 0
        self._stop = 0.0
        for extractor in job.riding:
            self._take_on(extractor, store, lanes, files, device, give)
        for rider in self._riders:
            if isinstance(rider, ThreadRider):
                rider.start()

    def _take_on(
        self,
        extractor: Extractor,
        store: FeatureStore,
        lanes: Mapping[str, Lane],
        files: Files,
        device: str,
        give: Give,
    ) -> None:
        reason = why_absent(extractor, self.job.video.header, self.job.readings)
        try:
            reason = reason or self._held_reason(extractor, store)
        except BrokenEntry as error:
            self.failed = reason = str(error)
        kept = self._keeping.get(extractor.digest)
        self._entries[extractor.digest] = Staged(extractor, extractor.rows(files), kept, reason)
        if reason is not None:
            return
        slack = slack_seconds(self.job.video.header.time_base) if self.job.video.header else 0.0
        cut = cutter(extractor.window, slack, spans_of(extractor, self.job.readings))
        self._pixels.update({picture: {} for picture in pictures_of(extractor).values()})
        rider: NetworkRider | ThreadRider
        if isinstance(extractor, Tracker):
            rider = TrackerRider(self, extractor, cut, self._inbox(extractor, store), give, files, device)
        elif held_by(extractor):
            rider = HoldingRider(self, lanes[extractor.digest], cut, self._inbox(extractor, store), give)
        else:
            rider = NetworkRider(self, lanes[extractor.digest], cut, give)
        self._riders.append(rider)

    def _inbox(self, extractor: Extractor, store: FeatureStore) -> Inbox:
        sources: dict[str, Source] = {}
        inbox = Inbox(sources, ahead_of(extractor), loose=isinstance(extractor, Network))
        for need, held in held_by(extractor).items():
            if held.digest in self._entries:
                arrays = self._entries[held.digest].arrays
                stream = Stream(arrays, held.digest, barrier_of(extractor, held), inbox.moved)
                self._streams.setdefault(held.digest, []).append(stream)
                sources[need] = stream
            else:
                sources[need] = Stored(store, self.job.key(held).path)
        return inbox

    def _held_reason(self, extractor: Extractor, store: FeatureStore) -> str | None:
        """Why an extractor it holds has nothing, by its entry; BrokenEntry where that cannot be read."""
        for held in held_by(extractor).values():
            if held.digest not in self._entries:
                marker = store.marker(self.job.key(held))
                if marker.state == "absent":
                    return f"its {held.name} is absent: {marker.reason}"
        return None

    def beside(self, extractor: Extractor) -> Beside:
        """What an extractor knows of this video besides its frames."""
        video, readings = self.job.video, self.job.readings
        signals = {
            name: readings[need.kind]
            for name, need in extractor.needs().items()
            if isinstance(need, Signal) and need.kind in readings
        }
        width, height = (video.header.width, video.header.height) if video.header else (0, 0)
        return Beside(signals, width, height, whole=video.part is None)

    @property
    def looks(self) -> list[Look]:
        """What the decoder must show: each picture on the frames that some row of its rider sees."""
        return [
            Look(picture, rider.extractor.window, spans_of(rider.extractor, self.job.readings))
            for rider in self._riders
            for picture in rider.pictures.values()
        ]

    @property
    def sees_frames(self) -> bool:
        """Whether any rider is there to look at frames or their times."""
        return bool(self._riders)

    def push(self, frame: Frame) -> None:
        """Shows one frame to every rider and lets go of frames no row needs any more."""
        self._pts[frame.index] = frame.pts
        for picture, pixels in frame.pictures.items():
            self._pixels[picture][frame.index] = pixels.copy()  # the decoder reuses its memory
        for rider in self._riders:
            rider.emit(rider.cut.push(frame.index, frame.start, frame.stop))
        self._stop = frame.stop
        self._gathered_frames += 1
        if self._gathered_frames >= PART_FRAMES or sum(one.gathered_bytes for one in self._riders) >= PART_BYTES:
            self._hand_on(last=False)
        self._release(min(rider.cut.oldest for rider in self._riders))

    def finish(self) -> None:
        """The rows that only the end of the video completes."""
        for rider in self._riders:
            rider.emit(rider.cut.finish())
        self._hand_on(last=True)
        self._pixels.clear()
        self._cells.clear()

    def _hand_on(self, last: bool) -> None:
        """Gives every rider in a thread the rows up to here; whoever is held comes before those who hold it."""
        counts = {rider.extractor.digest: rider.count for rider in self._riders}
        for rider in self._riders:
            rider.hand_on(self._part, self._stop, counts, last)
        self._part, self._gathered_frames = self._part + 1, 0

    def seen(self, rider: NetworkRider | ThreadRider, row: Row) -> Seen | None:
        """A row with the pictures its rider sees, in order, and its sound; None where that has ended before it."""
        shown: dict[str, Any] = {
            need: [self._pixels[picture][index] for index in row.frames] for need, picture in rider.pictures.items()
        }
        for need, sound in rider.sounds.items():
            heard = self._listener.take(self.job.video, row, rider.extractor.window, sound)
            if heard is None:
                return None
            shown[need] = heard
        first, last = row.frames[0], row.frames[-1]
        return Seen(row, (first, last, self._pts[first], self._pts[last]), shown)

    def cells(self, digest: str) -> dict[tuple[int, ...], Cell]:
        """The known rows of a shared network, each for as long as the frame that its key begins with."""
        return self._cells.setdefault(digest, {})

    def _release(self, oldest: int) -> None:
        _drop(self._pts, oldest)
        for pictures in self._pixels.values():
            _drop(pictures, oldest)
        for cells in self._cells.values():
            _drop(cells, (oldest,))

    def expect(self, extractor: Extractor, rows: int) -> None:
        """Counts rows on their way; the ride is complete when as many have arrived."""
        self._entries[extractor.digest].expected += rows

    @property
    def follows(self) -> bool:
        """Whether a rider in a thread is still at work."""
        return any(rider.alive for rider in self._riders)

    def abandon(self) -> None:
        """The video failed or the run stops: riders are told that no more frames come."""
        for rider in self._riders:
            rider.abandon()
        self._pixels.clear()
        self._cells.clear()

    # from here on: called by the collecting thread only

    def close(self, extractor: Extractor) -> None:
        """A rider in a thread has sent out its last row."""
        self._entries[extractor.digest].closed = True
        self._pass_end(extractor.digest)

    def end(self, error: str | None) -> None:
        """The last frame has been shown, or the video failed: what networks of the feeding thread expect is final."""
        self.ended = True
        self.failed = self.failed or error
        for rider in self._riders:
            if isinstance(rider, NetworkRider):
                self.close(rider.extractor)

    def passed(self, extractor: Extractor, part: int, count: int) -> None:
        """A rider in a thread is done with a part."""
        for stream in self._streams.get(extractor.digest, ()):
            stream.done(part, count)

    def add(self, extractor: Extractor, rows: Rows) -> None:
        """Appends finished rows to the extractor's entry and passes them on to those who hold it."""
        entry = self._entries[extractor.digest]
        entry.done += len(rows.time)
        if self.failed is None:
            entry.append(self.job, rows)
        for stream in self._streams.get(extractor.digest, ()):
            stream.put(rows)
        self._pass_end(extractor.digest)

    def _pass_end(self, digest: str) -> None:
        if self._entries[digest].complete:
            for stream in self._streams.get(digest, ()):
                stream.end()

    def fail(self, error: str) -> None:
        """The video cannot go on: nothing of it is stored."""
        self.failed = self.failed or error
        for rider in self._riders:
            rider.abandon()

    @property
    def complete(self) -> bool:
        """Whether every row that was cut has arrived."""
        return self.ended and all(entry.complete for entry in self._entries.values())

    def publish(self, store: FeatureStore, about: Mapping[str, Any]) -> Outcome:
        """Makes the entries visible, or notes the failure; nothing half written stays."""
        video = self.job.video
        remember(store, video)
        states, rows = set(), {}
        if self.failed is None:
            check_unchanged(video)
        for entry in self._entries.values():
            if self.failed is None:
                states.add(entry.publish(self.job, about))
                rows[entry.extractor.name] = entry.done
            else:
                entry.discard()
                if entry.store is not None:
                    store.note_failure(self.job.key(entry.extractor), video.name, self.failed)
        rows = {one.name: rows[one.name] for one in self.job.extractors if one.name in rows}
        ended: State = next((one for one in ENDED if one in states), "stored")
        state: State = ended if self.failed is None else "failed"
        return Outcome(video, state, rows, self.failed, time.monotonic() - self.started, about)

    def discard(self) -> None:
        """Drops whatever is staged."""
        for entry in self._entries.values():
            entry.discard()


def _drop(held: dict[Any, Any], oldest: Any) -> None:
    """Frames come in order: the first to drop lie first."""
    while held and (first := next(iter(held))) < oldest:
        del held[first]
