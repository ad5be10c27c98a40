"""What finds hands in frames: a plain spec held by the extractor that follows them."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ego.extractors._base import Beside, Files
from ego.extractors._boxes import Boxes
from ego.spec import Spec
from ego.video import Picture, Signal


@dataclass(frozen=True)
class Shot:
    """One frame as a detector sees it: its picture, and when it is on display in seconds."""

    picture: NDArray[np.uint8]
    start: float
    stop: float


@dataclass(frozen=True)
class Detections:
    """What was found in one frame, in fractions of it: `boxes` (n, 4) and `scores` (n,) in [0, 1].

    `origin` (n,) is the x from which the arm comes, at the frame's lower border or below, NaN where unknown; a
    detector that knows which hand it is says 0 for the left and 1 for the right one. `landmarks` is (n, 21, 2).
    """

    boxes: Boxes
    scores: NDArray[np.float64]
    origin: NDArray[np.float64]
    landmarks: NDArray[np.float64]

    @classmethod
    def make(
        cls,
        boxes: Boxes,
        scores: NDArray[np.float64],
        origin: NDArray[np.float64] | None = None,
        landmarks: NDArray[np.float64] | None = None,
    ) -> "Detections":
        """Detections of which only boxes and scores need be known."""
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        count = len(boxes)
        return cls(
            boxes,
            np.asarray(scores, np.float64).reshape(count),
            np.full(count, np.nan) if origin is None else np.asarray(origin, np.float64).reshape(count),
            np.zeros((count, 21, 2)) if landmarks is None else landmarks,
        )

    def take(self, kept: NDArray[np.intp] | NDArray[np.bool_]) -> "Detections":
        """Some of them."""
        return Detections(self.boxes[kept], self.scores[kept], self.origin[kept], self.landmarks[kept])


@dataclass(frozen=True)
class Detector(Spec, ABC):
    """Finds hands frame by frame."""

    @property
    def landmarks(self) -> bool:
        """Whether it gives the 21 points of a hand."""
        return False

    @abstractmethod
    def needs(self) -> dict[str, Picture | Signal]:
        """What it is shown: a picture called `frames`, and what lies beside the video."""

    @abstractmethod
    def detect(self, shots: Iterator[Shot], beside: Beside, files: Files) -> Iterator[Detections]:
        """The hands in each shot of one video, in order; it may look ahead by a bounded number of shots."""
