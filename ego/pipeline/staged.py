"""One entry in the making, between its first row and the moment it appears."""

import os
from collections.abc import Mapping
from typing import Any

from ego.cache.store import FeatureStore
from ego.cache.writer import Writer
from ego.errors import BadVideo
from ego.extractors._base import Extractor, Network, Rows
from ego.media.frames import folder_stamp
from ego.pipeline.jobs import Job
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
    """The rows of one entry so far; the store shows nothing of them until `publish`."""

    def __init__(self, extractor: Extractor, arrays: Mapping[str, Array]) -> None:
        self.extractor, self.arrays = extractor, arrays
        self.expected = self.done = 0
        self.closed = isinstance(extractor, Network)  # a tracker says itself when it has ended
        self._writer: Writer | None = None

    def append(self, store: FeatureStore, job: Job, rows: Rows) -> None:
        """Stages rows; the first opens the writer."""
        if self._writer is None:
            self._writer = store.writing(job.key(self.extractor), self.arrays, self.extractor)
        self._writer.append({"time": rows.time, "source": rows.source, **rows.arrays})

    def publish(self, store: FeatureStore, job: Job, about: Mapping[str, Any]) -> str:
        """`stored`, `exists`, or `absent` where there was nothing to extract."""
        if self._writer is not None:
            return self._writer.publish(about)
        window = self.extractor.window
        reason = (
            f"the video has no {window.at}"
            if window.at != "grid"
            else f"the video is shorter than one whole window of {window.frames} frames"
        )
        store.absent(job.key(self.extractor), self.arrays, reason, about, self.extractor)
        return "absent"

    def discard(self) -> None:
        """Drops what is staged."""
        if self._writer is not None:
            self._writer.discard()
            self._writer = None
