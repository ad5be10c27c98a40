"""One entry in the making, between its first row and the moment it appears."""

import os
from collections.abc import Mapping
from typing import Any

from ego.cache.store import FeatureStore
from ego.cache.writer import Writer
from ego.errors import BadVideo
from ego.extractors._base import Extractor, Rows, Tracker
from ego.media.frames import folder_stamp
from ego.pipeline.jobs import Job
from ego.pipeline.needs import frame_size
from ego.pipeline.scan import header_facts
from ego.video import Array, Video


def remember(store: FeatureStore, video: Video) -> None:
    """Notes the video's name, size and probe facts in the store, for colleagues and for `show`."""
    if video.stamp is not None:
        size, mtime = video.stamp
        about = header_facts(video.header)
        store.remember_video(video.digest, name=video.name, size=size, mtime_ns=mtime, facts=about)


def check_unchanged(video: Video) -> None:
    """Refuses, as BadVideo, a file that is not the one whose bytes were hashed: its rows have no key."""
    if video.stamp is None:
        return
    try:
        stamp = folder_stamp(video.path) if video.is_folder else _stamp(video.path)
    except OSError as error:
        raise BadVideo(f"{video.name!r} was taken away while it was read: {error.strerror}") from error
    if stamp != video.stamp:
        raise BadVideo(f"{video.name!r} was changed after it was hashed; run the same command again")


def _stamp(path: str) -> tuple[int, int]:
    facts = os.stat(path)
    return facts.st_size, facts.st_mtime_ns


class Staged:
    """The rows of one extractor so far; the store shows nothing of them until `publish`.

    Without a `store` they are only counted: they are made for those who hold the extractor. `reason` says
    why there is nothing to extract, where that is known beforehand.
    """

    def __init__(
        self, extractor: Extractor, arrays: Mapping[str, Array], store: FeatureStore | None, reason: str | None
    ) -> None:
        self.extractor, self.arrays, self.store = extractor, arrays, store
        self.expected = self.done = 0
        self.closed = reason is not None  # whether all its rows have set out
        self._reason = reason
        self._writer: Writer | None = None

    @property
    def complete(self) -> bool:
        """Whether every row has arrived."""
        return self.closed and self.done >= self.expected

    def append(self, job: Job, rows: Rows) -> None:
        """Stages rows; the first open the writer and tell what the free sides are."""
        if self.store is None:
            return
        if self._writer is None:
            self.arrays = {
                name: array.sized(*rows.arrays[name].shape[-2:]) if array.free else array
                for name, array in self.arrays.items()
            }
            self._writer = self.store.writing(job.key(self.extractor), self.arrays, self.extractor)
        self._writer.append({"time": rows.time, "source": rows.source, **rows.arrays})

    def publish(self, job: Job, about: Mapping[str, Any]) -> str | None:
        """`stored`, `exists`, or `absent` where there was nothing to extract; None where nothing is kept."""
        if self.store is None:
            return None
        if self._writer is not None:
            return self._writer.publish(about)
        sides = frame_size(self.extractor, job.video.header)
        arrays = {name: array.sized(*(max(side, 1) for side in sides)) for name, array in self.arrays.items()}
        reason = self._reason or _why_none(self.extractor)
        self.store.absent(job.key(self.extractor), arrays, reason, about, self.extractor)
        return "absent"

    def discard(self) -> None:
        """Drops what is staged."""
        if self._writer is not None:
            self._writer.discard()
            self._writer = None


def _why_none(extractor: Extractor) -> str:
    """Why a video that was followed to its end gave no rows."""
    if extractor.window.at != "grid":
        return f"the video has no {extractor.window.at}"
    if isinstance(extractor, Tracker):
        return f"{extractor.name} found nothing in the video"
    return f"the video is shorter than one whole window of {extractor.window.frames} frames"
