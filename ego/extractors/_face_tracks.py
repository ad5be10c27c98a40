"""Rows of faces: given tracks put on their frames, and detections put into tracks."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadVideo
from ego.extractors._base import Beside, Block, Files, Rows
from ego.extractors._sort import Sort
from ego.video import Reading

if TYPE_CHECKING:
    from ego.extractors._face_detectors import UltraFace, YuNet
    from ego.extractors.faces import Faces

SORT_HEIGHT = 256.0
"""SORT's noise is in pixels: of frames of this height."""


def given(blocks: Iterator[Block], reading: Reading, whole: bool) -> Iterator[Rows]:
    """A row for each item of a reading, on the frame on display in its middle; after the video's end: BadVideo."""
    times = reading.seconds.mean(axis=1)
    order = np.argsort(times, kind="stable")
    taken, stop = 0, 0.0
    for block in blocks:
        until = taken + np.searchsorted(times[order[taken:]], block.time[:, 2] - 1e-9)
        count = np.diff(until, prepend=taken)
        here = order[taken : until[-1]] if len(until) else order[:0]
        frames = np.repeat(np.arange(len(block.time)), count)
        arrays = {
            "box": reading.arrays["box"][here].astype(np.float32),
            "score": np.ones(len(here), np.float32),
            "track": reading.arrays["track"][here].astype(np.int32),
        }
        yield Rows(arrays, block.time[frames], block.source[frames])
        taken, stop = taken + len(here), float(block.time[-1, 2])
    if whole and taken < len(order):
        raise BadVideo(
            f"the face tracks go on until {times[order[-1]]:.3f} s and the video ends at {stop:.3f} s; are they of "
            "this video, and was their rate stated rightly?"
        )


def detected(
    faces: "Faces", detector: "YuNet | UltraFace", blocks: Iterator[Block], beside: Beside, files: Files
) -> Iterator[Rows]:
    """A row for each tracked face that was detected in its frame."""
    find, sort = detector.start(files), None
    aspect = beside.width / beside.height if beside.width and beside.height else 1.0
    scale = np.tile([SORT_HEIGHT * aspect, SORT_HEIGHT], 2)
    for block in blocks:
        if sort is None:
            fps = 1 / float(np.median(block.time[:, 2] - block.time[:, 0]))
            sort = Sort(round(faces.max_age_seconds * fps), faces.min_hits, faces.iou)
        boxes, scores, points, tracks, frames = [], [], [], [], []
        for frame, picture in enumerate(block.pictures["frames"]):
            found = find(picture)
            live = sort.update(found.boxes * scale)
            shown = live.shown & (live.detection >= 0)
            which = live.detection[shown]
            boxes.append(np.clip(live.boxes[shown] / scale, 0, 1))
            scores.append(found.scores[which])
            points.append(found.points[which])
            tracks.append(live.ids[shown])
            frames += [frame] * int(shown.sum())
        arrays: dict[str, NDArray[np.generic]] = {
            "box": np.concatenate(boxes).astype(np.float32),
            "score": np.concatenate(scores).astype(np.float32),
            "track": np.concatenate(tracks).astype(np.int32),
        }
        if detector.landmarks:
            arrays["landmarks"] = np.concatenate(points).astype(np.float32)
        yield Rows(arrays, block.time[frames], block.source[frames])
