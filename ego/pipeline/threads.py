"""The threads of one run and the bounded queue between them.

    child program      feeding thread          compute threads        collecting thread (the generator)
    decode  ──frames──▶ cut into windows ──batches──▶ networks ──rows──▶ append, publish ──▶ outcomes

Every arrow is bounded, so memory does not grow with a video's length, and all four work at once.
Windows of several videos share a batch. Only `BadVideo` is caught: it ends one video, not the run.
"""

import dataclasses
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from queue import Empty, Full, Queue
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import ego
from ego.cache.store import FeatureStore
from ego.errors import BadVideo, EgoError
from ego.extractors._base import Extractor, Files, Rows
from ego.media.decode import Choice, Decoded, Decoder
from ego.pipeline.device import libraries
from ego.pipeline.engine import How
from ego.pipeline.jobs import Advance, Job, Outcome
from ego.pipeline.lanes import Batch, Lane
from ego.pipeline.listening import Listener
from ego.pipeline.needs import held_by
from ego.pipeline.ride import Ride
from ego.pipeline.riders import PATIENCE_SECONDS, Passed, Stopped, Tracked
from ego.video import Video

RIDES_AT_ONCE = 4
"""How many videos may still be followed to their end while the next is decoded."""


@dataclass(frozen=True)
class _Computing:
    batch: Batch
    future: "Future[dict[str, NDArray[Any]]]"


@dataclass(frozen=True)
class _Ended:
    ride: Ride
    decoded: Decoded | None
    heard: Mapping[str, Any]
    error: str | None


class Run:
    """The threads of one share and the queue between them."""

    def __init__(
        self,
        jobs: Sequence[Job],
        store: FeatureStore,
        files: Files,
        lanes: Mapping[str, Lane],
        how: How,
        workers: int,
        decoder: Choice,
        scratch: FeatureStore | None = None,
    ) -> None:
        self._scratch = scratch
        self._jobs, self._store, self._files, self._lanes, self._how = jobs, store, files, lanes, how
        self._decoder, self._listener = Decoder(decoder), Listener()
        self._queue: Queue[Any] = Queue(maxsize=2 * workers + 2)
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="ego-compute")
        self._stopping = threading.Event()
        self._feeder = threading.Thread(target=self._feed, name="ego-feed", daemon=True)
        self._rides: dict[int, Ride] = {}
        self._about: dict[int, dict[str, Any]] = {}
        self._live: list[Ride] = []
        self._awaited = _awaited(jobs, lanes)

    # ---- the feeding thread

    def _feed(self) -> None:
        try:
            for job in self._jobs:
                self._feed_one(job)
                self._settle_down(RIDES_AT_ONCE)
            self._settle_down(1)
            for lane in self._lanes.values():
                lane.flush(self._give)
            self._give(None)
        except Stopped:
            pass
        except BaseException as error:  # raised again by the collecting thread
            with suppress(Stopped):
                self._give(error)
        finally:
            for ride in self._live:
                ride.abandon()

    def _feed_one(self, job: Job) -> None:
        ride = Ride(
            job,
            self._store,
            self._lanes,
            self._files,
            self._how.device,
            self._give,
            self._nudge,
            self._listener,
            self._scratch,
        )
        self._live.append(ride)
        told = 0.0
        try:
            if ride.failed is not None:
                raise BadVideo(ride.failed)
            for frame in self._decoder.frames(job.video, ride.looks) if ride.sees_frames else ():
                if ride.failed is not None:
                    raise BadVideo(ride.failed)
                ride.push(frame)
                if frame.stop - told > 1.0:
                    told = frame.stop
                    self._give(Advance(job.video, frame.stop - (job.video.part or (0.0,))[0]))
                    self._settle_down(RIDES_AT_ONCE)
            ride.finish()
            decoded = self._decoder.decoded if ride.sees_frames else None
            self._give(_Ended(ride, decoded, self._listener.finish(), None))
        except BadVideo as error:
            self._listener.leave()
            ride.abandon()
            self._give(_Ended(ride, None, {}, str(error)))

    def _settle_down(self, rides: int) -> None:
        """Helps rides that still follow to their end until fewer than `rides` are left.

        Their last rows may wait in a batch that no other video fills.
        """
        self._live = [ride for ride in self._live if ride.follows]
        if self._live and len(self._live) >= rides:
            self._nudge()
            while [ride for ride in self._live if ride.follows][rides - 1 :]:
                time.sleep(PATIENCE_SECONDS)
                self._nudge()

    def _nudge(self) -> None:
        """Sends the open batches that others wait for on their way; Stopped where the run has ended."""
        if self._stopping.is_set():
            raise Stopped
        for digest in self._awaited:
            self._lanes[digest].flush(self._give)

    def _give(self, item: Any) -> None:
        """Queues an item for the collecting thread; a batch is sent to the compute threads first."""
        if isinstance(item, Batch):
            item = _Computing(item, self._pool.submit(item.compute))
        while not self._stopping.is_set():
            try:
                self._queue.put(item, timeout=0.2)
                return
            except Full:
                continue
        raise Stopped

    # ---- the collecting thread

    def events(self) -> Iterator[Advance | Outcome]:
        """Collects rows in order, publishes complete videos and yields what happened."""
        self._feeder.start()
        while (item := self._queue.get()) is not None:
            if isinstance(item, Advance):
                yield item
            elif isinstance(item, BaseException):
                raise item
            else:
                yield from self._collect(item)

    def _collect(self, item: _Computing | Passed | Tracked | _Ended) -> Iterator[Outcome]:
        if isinstance(item, _Computing):
            arrays = item.future.result()
            start = 0
            for ride, rows, sources in item.batch.runs:
                part = {name: array[start : start + len(rows)] for name, array in arrays.items()}
                start += len(rows)
                times = np.array([row.time for row in rows])
                self._add(ride, item.batch.extractor, Rows(part, times, np.array(sources, np.int64)))
                yield from self._settle(ride)
        elif isinstance(item, Passed):
            item.ride.passed(item.extractor, item.part, item.count)
        elif isinstance(item, Tracked):
            if item.said is None:
                item.ride.close(item.extractor)
            elif isinstance(item.said, Rows):
                self._add(item.ride, item.extractor, item.said)
            elif isinstance(item.said, BadVideo):
                item.ride.fail(str(item.said))
            else:
                raise item.said
            yield from self._settle(item.ride)
        else:
            item.ride.end(item.error)
            self._about[id(item.ride)] = about_run(
                item.decoded, self._how.device, item.ride.job.video, item.heard, self._how.compiled
            )
            yield from self._settle(item.ride)

    def _add(self, ride: Ride, extractor: Extractor, rows: Rows) -> None:
        self._rides[id(ride)] = ride
        try:
            with _written(self._store):
                ride.add(extractor, rows)
        except BadVideo as error:
            ride.fail(str(error))

    def _settle(self, ride: Ride) -> Iterator[Outcome]:
        """Publishes a ride whose last row has arrived."""
        if not ride.complete:
            return
        about = self._about.pop(id(ride))
        with _written(self._store):
            try:
                outcome = ride.publish(self._store, about)
            except BadVideo as error:
                ride.failed = str(error)
                outcome = ride.publish(self._store, about)
        self._rides.pop(id(ride), None)
        yield outcome

    def stop(self) -> None:
        """Ends every thread and drops what is staged; harmless when all is done."""
        self._stopping.set()
        while self._feeder.is_alive():
            try:
                self._queue.get(timeout=0.05)
            except Empty:
                continue
        self._pool.shutdown(cancel_futures=True)
        self._decoder.close()
        self._listener.close()
        for ride in self._rides.values():
            ride.discard()


def _awaited(jobs: Sequence[Job], lanes: Mapping[str, Lane]) -> list[str]:
    """The digests of the networks whose rows some extractor of these jobs waits for."""
    held = {held.digest for job in jobs for one in job.riding for held in held_by(one).values()}
    return sorted(held & set(lanes))


def about_run(
    decoded: Decoded | None,
    device: str,
    video: Video,
    heard: Mapping[str, Any] | None = None,
    compiled: bool = False,
) -> dict[str, Any]:
    """The facts of a run that a marker keeps beside its key: decoder, libraries, device, date."""
    facts: dict[str, Any] = {
        "ego": ego.__version__,
        "libraries": libraries(),
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "video": video.name,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    if compiled:
        facts["compiled"] = True
    if video.part is not None:
        facts["part_seconds"] = list(video.part)
    if heard:
        facts["heard"] = dict(heard)
    if decoded is not None:
        facts["time_base"] = str(decoded.time_base)
        facts["decoded"] = {
            name: str(value) if isinstance(value, Fraction) else value
            for name, value in dataclasses.asdict(decoded).items()
        }
    return facts


@contextmanager
def _written(store: FeatureStore) -> Iterator[None]:
    """A full or failing disk is one sentence, not a traceback; nothing half written becomes visible."""
    try:
        yield
    except OSError as error:
        where = ", ".join(store.places[:1])
        raise EgoError(
            f"the store {where} cannot be written: {error.strerror or error}; free space or repair it, "
            "then run the same command again: what is stored is kept"
        ) from error
