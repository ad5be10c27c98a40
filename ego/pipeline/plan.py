"""What an extraction would cost, before it is begun: rows, bytes, inodes, time."""

import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ego.cache.store import FeatureStore
from ego.errors import BadVideo
from ego.extractors._base import Extractor, Files, Tracker
from ego.pipeline.extract import extract
from ego.pipeline.jobs import Job, Outcome, computed_for
from ego.pipeline.needs import frame_size, spans_of
from ego.video import Array

PROBE_SECONDS = 4.0
ENTRY_FILES = 2  # zarr.json and marker.json; the folder itself is one inode more


@dataclass(frozen=True)
class Share:
    """What one extractor would add to the store."""

    videos: int
    rows: int
    bytes: int
    inodes: int


@dataclass(frozen=True)
class Plan:
    """What is missing and what it would cost; rows come from the containers' claims.

    `seconds_estimated` is None where nothing could be probed: it scales the time that the first
    seconds of the first video took, on this machine with these settings.
    """

    videos: int
    video_seconds: float
    rows: int
    bytes: int
    inodes: int
    seconds_estimated: float | None
    per_extractor: Mapping[str, Share]


def plan(jobs: Sequence[Job], files: Files, *, probe: bool = True, **settings: Any) -> Plan:
    """The cost of these jobs; `settings` as for `extract`. The probe writes to a scratch store only."""
    shares: dict[str, Share] = {}
    called = _called(jobs)
    total = sum(job.seconds for job in jobs)
    probed = _probe(jobs, files, settings) if probe and jobs else {}
    for job in jobs:
        for extractor in job.extractors:
            name = called[extractor.digest]
            before = shares.get(name, Share(0, 0, 0, 0))
            rows = expected_rows(job, extractor)
            if isinstance(extractor, Tracker) and _riders(job) in probed:
                rows = round(job.seconds * probed[_riders(job)].rows_a_second.get(extractor.name, 0.0))
            sides = frame_size(extractor, job.video.header)
            arrays = {own: array.sized(*sides) for own, array in extractor.rows(files).items()}
            shares[name] = Share(
                before.videos + 1,
                before.rows + rows,
                before.bytes + rows * row_bytes(arrays),
                before.inodes + entry_inodes(arrays, rows),
            )
    return Plan(
        len(jobs),
        total,
        sum(share.rows for share in shares.values()),
        sum(share.bytes for share in shares.values()),
        sum(share.inodes for share in shares.values()),
        _estimate(jobs, probed) if total else None,
        shares,
    )


def _called(jobs: Sequence[Job]) -> dict[str, str]:
    """What each extractor is called, by its digest: its name, with the digest where two have one name."""
    names = {extractor.digest: extractor.name for job in jobs for extractor in job.extractors}
    counts = Counter(names.values())
    return {digest: name if counts[name] == 1 else f"{name}-{digest[:16]}" for digest, name in names.items()}


def expected_rows(job: Job, extractor: Extractor) -> int:
    """How many rows an extractor would make of a video, by what its container claims."""
    spans = spans_of(extractor, job.readings)
    if spans is not None:
        return len(spans)
    header = job.video.header
    fps = extractor.window.fps or (header.fps_from_header if header else 0.0)
    ticks = job.seconds * fps
    if extractor.window.fps is None and job.video.part is None and header and header.frames_from_header:
        ticks = header.frames_from_header
    return extractor.window.count(int(np.ceil(ticks - 1e-6)))


def row_bytes(arrays: Mapping[str, Array]) -> int:
    """Bytes of one row of an entry, its time and source included, before any compression."""
    own = sum(int(np.prod(array.shape, dtype=np.int64)) * np.dtype(array.dtype).itemsize for array in arrays.values())
    return own + 3 * 8 + 4 * 8


def entry_inodes(arrays: Mapping[str, Array], rows: int) -> int:
    """Files and folders of one entry of so many rows."""
    names = {"time": Array((3,), "float64"), "source": Array((4,), "int64"), **arrays}
    total = 1 + ENTRY_FILES
    for array in names.values():
        size = rows * int(np.prod(array.shape, dtype=np.int64)) * np.dtype(array.dtype).itemsize
        shards = max(1, -(-size // 64_000_000)) if rows else 0
        # the array's folder and zarr.json, `c`, and one file and a folder for each further axis a shard
        total += 3 + shards * (1 + len(array.shape))
    return total


@dataclass(frozen=True)
class Probed:
    """What the first seconds of a video took: wall seconds and rows a second, and what a run pays once."""

    wall_a_second: float
    once: float
    rows_a_second: Mapping[str, float]


def _riders(job: Job) -> tuple[str, ...]:
    return tuple(one.digest for one in job.riding)


def _probe(jobs: Sequence[Job], files: Files, settings: dict[str, Any]) -> dict[tuple[str, ...], Probed]:
    """The first seconds of the first job of each set of extractors, extracted; a set that cannot be is left out."""
    found = {}
    for riders, job in {_riders(job): job for job in reversed(jobs)}.items():
        video = job.video
        start = video.part[0] if video.part else (video.header.start_seconds if video.header else 0.0)
        probe = replace(job, video=video.cut(start, start + PROBE_SECONDS), passing=_alone(job))
        with tempfile.TemporaryDirectory(prefix="ego-plan-") as folder:
            store = FeatureStore(folder, create=True)
            began = time.monotonic()
            try:
                done = [event for event in extract([probe], store, files, **settings) if isinstance(event, Outcome)]
            except BadVideo:
                continue
            # what a run pays once (models, the decoder's start) is not scaled
            once = max(0.0, time.monotonic() - began - done[0].wall_seconds)
            if done[0].state != "failed":
                seconds = min(PROBE_SECONDS, job.seconds or PROBE_SECONDS)
                rows = {name: count / seconds for name, count in done[0].rows.items()}
                found[riders] = Probed(done[0].wall_seconds / seconds, once, rows)
    return found


def _alone(job: Job) -> tuple[Extractor, ...]:
    """All that the extractors of a job hold: in a scratch store nothing of it is there."""
    return computed_for(job.extractors, lambda held: False)


def _estimate(jobs: Sequence[Job], probed: Mapping[tuple[str, ...], Probed]) -> float | None:
    """Seconds for all jobs, scaled from the probes; None where one is missing."""
    if any(_riders(job) not in probed for job in jobs):
        return None
    scaled = sum(probed[_riders(job)].wall_a_second * job.seconds for job in jobs)
    return scaled + sum(one.once for one in probed.values())
