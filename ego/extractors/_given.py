"""Hands that were found before: boxes of a file beside the video."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ego.errors import BadVideo
from ego.extractors._base import Beside, Files
from ego.extractors._detector import Detections, Detector, Shot
from ego.video import Picture, Reading, Signal


@dataclass(frozen=True)
class GivenBoxes(Detector):
    """The boxes of a reading of kind `hand_boxes`, each on the frame on display at its time.

    The reading has `box` (n, 4) in fractions, `score` (n,), `side` (n,) -1 unknown, 0 left, 1 right, and
    `frames` (n,): of how many frames its file speaks, 0 where it does not say. A file of another number of
    frames than the video, or with boxes after its end, is a BadVideo. No weights, no pixels.
    """

    def needs(self) -> dict[str, Picture | Signal]:
        """The boxes; the picture only counts the frames."""
        return {"frames": Picture("squash", 8), "hand_boxes": Signal("hand_boxes")}

    def detect(self, shots: Iterator[Shot], beside: Beside, files: Files) -> Iterator[Detections]:
        """See the class."""
        reading = beside.signals["hand_boxes"]
        times, taken, count, stop = reading.seconds.mean(axis=1), 0, 0, 0.0
        order = np.argsort(times, kind="stable")
        for shot in shots:
            until = taken + int(np.searchsorted(times[order[taken:]], shot.stop - 1e-9))
            here = order[taken:until]
            here = here[reading.arrays["score"][here] > 0]
            side = reading.arrays["side"][here].astype(np.float64)
            yield Detections.make(
                reading.arrays["box"][here], reading.arrays["score"][here], np.where(side < 0, np.nan, side)
            )
            taken, count, stop = until, count + 1, shot.stop
        if beside.whole:
            _check(reading, count, times[order[taken:]], stop)


def _check(reading: Reading, count: int, left: NDArray[np.float64], stop: float) -> None:
    """Nothing, or a BadVideo where the file is of another video."""
    said = int(reading.arrays["frames"].max(initial=0))
    if said and said != count:
        raise BadVideo(
            f"the file of hand boxes speaks of {said} frames and the video has {count}; is it this video's, and "
            "were its frames counted at this rate?"
        )
    if len(left):
        raise BadVideo(
            f"the file of hand boxes has {len(left)} boxes after the video's end at {stop:.3f} s, the last at "
            f"{left.max():.3f} s; is it this video's, and was its rate stated rightly?"
        )
