"""Decoded windows of one video: the same rows that extraction cuts, with their pixels."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadVideo
from ego.extractors._base import Extractor
from ego.media.decode import Decoder, Look
from ego.pipeline.needs import pictures_of, spans_of
from ego.sampling import Row, cutter
from ego.video import Picture, Reading, Video, slack_seconds

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Shown:
    """One row and what its extractor is shown for it by need: pictures (frames, height, width, 3), sound, held rows.

    `number` is the row's among all of its video.
    """

    row: Row
    given: Mapping[str, NDArray[Any]]
    number: int = 0


def windows(decoder: Decoder, video: Video, extractor: Extractor, readings: Mapping[str, Reading]) -> Iterator[Shown]:
    """Every row of the extractor's window over the video with its pictures, in time order.

    Only what later rows need is held.
    """
    pictures = pictures_of(extractor)
    spans = spans_of(extractor, readings)
    cut = cutter(extractor.window, slack_seconds(video.header.time_base) if video.header else 0.0, spans)
    held: dict[int, dict[Picture, Pixels]] = {}
    numbers = count()

    def show(rows: list[Row]) -> Iterator[Shown]:
        for row in rows:
            given = {need: np.stack([held[i][size] for i in row.frames]) for need, size in pictures.items()}
            yield Shown(row, given, next(numbers))

    looks = [Look(picture, extractor.window, spans) for picture in dict.fromkeys(pictures.values())]
    for frame in decoder.frames(video, looks):
        if frame.pictures:  # the decoder reuses its memory
            held[frame.index] = {picture: pixels.copy() for picture, pixels in frame.pictures.items()}
        yield from show(cut.push(frame.index, frame.start, frame.stop))
        while held and (first := next(iter(held))) < cut.oldest:
            del held[first]
    yield from show(cut.finish())


def nearest_windows(
    decoder: Decoder,
    video: Video,
    extractor: Extractor,
    readings: Mapping[str, Reading],
    moments: NDArray[np.float64],
) -> list[Shown]:
    """For each moment, in seconds, the window whose centre is nearest; of two equally near the earlier.

    No more windows are held than there are moments. A video without a row is a BadVideo.
    """
    distance = np.full(len(moments), np.inf)
    found: list[Shown | None] = [None] * len(moments)
    for shown in windows(decoder, video, extractor, readings):
        away = np.abs(shown.row.time[1] - moments)
        for index in np.flatnonzero(away < distance):
            found[index] = shown
        distance = np.minimum(distance, away)
    kept = [one for one in found if one is not None]
    if len(kept) < len(found):
        raise BadVideo(f"{video.name!r} has no row of {extractor.name}: it is shorter than one window")
    return kept
