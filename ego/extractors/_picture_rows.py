"""Rows made of pictures that lie encoded beside a video, decoded as they are asked for."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest, BadVideo
from ego.extractors._base import Beside, Block, Files, Rows, Tracker
from ego.sampling import Window
from ego.video import Reading, Signal

BATCH_BYTES = 16 * 2**20
SLACK_SECONDS = 0.0005


@dataclass(frozen=True, kw_only=True)
class PictureRows(Tracker):
    """One row a picture of a signal; it sees no frame. Pictures of several sizes are a BadVideo."""

    kind: ClassVar[str]
    planes: ClassVar[tuple[str, ...]]

    window: Window = Window()

    def needs(self) -> dict[str, Signal]:
        """The pictures."""
        return {"images": Signal(self.kind)}

    @abstractmethod
    def values(self, pictures: NDArray[np.uint8]) -> NDArray[Any]:
        """Rows (n, *shape) as real numbers of grey pictures (n, planes, H, W)."""

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        """Each row once the frames that it is of have been; one whose frames are beyond the end: BadVideo.

        Of a part of a video there are the rows that begin within it.
        """
        reading = beside.signals["images"]
        pictures = Pictures(reading, self.planes)
        done, end = 0, None
        for block in blocks:
            end = max(end or 0.0, float(block.time[:, 2].max(initial=0.0)))
            ready = int(np.searchsorted(reading.seconds[:, 1], end + SLACK_SECONDS, side="right"))
            for part in pictures.portions(done, ready):
                yield self._rows(reading, part, pictures.decoded(part))
            done = max(done, ready)
        if beside.whole and end is not None:
            pictures.check_end(done, end)
        within = (
            len(reading.seconds) if end is None else int(np.searchsorted(reading.seconds[:, 0], end - SLACK_SECONDS))
        )
        for part in pictures.portions(done, within):
            yield self._rows(reading, part, pictures.decoded(part))

    def _rows(self, reading: Reading, part: slice, pictures: NDArray[np.uint8]) -> Rows:
        seconds = reading.seconds[part]
        time = np.stack([seconds[:, 0], seconds.mean(axis=1), seconds[:, 1]], 1)
        source = np.full((len(seconds), 4), -1, np.int64)  # the frames' own timestamps are not known here
        if "frame" in reading.arrays:
            source[:, :2] = reading.arrays["frame"][part]
        return Rows({"feature": self.values(pictures)}, time, source)


class Pictures:
    """The pictures of one reading, decoded some at a time; all must have the size of the first."""

    def __init__(self, reading: Reading, planes: tuple[str, ...]) -> None:
        if set(reading.encoded) != set(planes):
            held = ", ".join(reading.encoded) or "none"
            raise BadRequest(
                f"got a reading of {reading.kind} with the encoded pictures {held}, expected {', '.join(planes)}"
            )
        self._reading, self._planes = reading, planes
        self._size: tuple[int, ...] | None = None

    def portions(self, start: int, stop: int) -> Iterator[slice]:
        """`start` to `stop` in parts that fit into bounded memory."""
        while start < stop:
            row_bytes = 4 * len(self._planes) * prod(self._size or self._decode(self._planes[0], start).shape)
            upper = min(stop, start + max(1, BATCH_BYTES // row_bytes))
            yield slice(start, upper)
            start = upper

    def decoded(self, part: slice) -> NDArray[np.uint8]:
        """(n, planes, H, W) grey."""
        return np.stack(
            [np.stack([self._decode(plane, i) for plane in self._planes]) for i in range(part.start, part.stop)]
        )

    def check_end(self, start: int, end_seconds: float) -> None:
        """Nothing, or a BadVideo where an item from `start` on begins when the video has ended."""
        late = np.flatnonzero(self._reading.seconds[start:, 0] >= end_seconds - SLACK_SECONDS)
        if len(late):
            at = start + int(late[0])
            raise BadVideo(
                f"{self._where(at)} begins at {self._reading.seconds[at, 0]:.3f} s, the video ends at "
                f"{end_seconds:.3f} s; look whether it belongs to this video, and at the rate of its frames"
            )

    def _decode(self, plane: str, index: int) -> NDArray[np.uint8]:
        import cv2

        data = np.frombuffer(self._reading.encoded[plane][index], np.uint8)
        picture = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if len(data) else None
        if picture is None:
            raise BadVideo(f"{self._where(index)} (plane {plane}) cannot be read as a picture; replace it")
        self._size = size = self._size or picture.shape
        if picture.shape != size:
            raise BadVideo(
                f"{self._where(index)} (plane {plane}) is {picture.shape[1]}x{picture.shape[0]} pixels, those before "
                f"it are {size[1]}x{size[0]}; expected one size for a video's {self._reading.kind}"
            )
        return np.asarray(picture, np.uint8)

    def _where(self, index: int) -> str:
        return self._reading.sources[index] if self._reading.sources else f"picture {index} of {self._reading.kind}"
