"""SORT: boxes of one frame after another become tracks (Bewley et al. 2016), with the published matrices.

A track's state is (centre x, centre y, area, width / height, and the velocities of the first three); all
tracks are predicted and updated in one step of linear algebra.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ego.extractors._boxes import Boxes, overlaps

MOTION = np.eye(7) + np.eye(7, k=4)
SEEN = np.eye(4, 7)
MEASURED = np.diag([1.0, 1.0, 10.0, 10.0])
UNSURE = np.diag([10.0, 10.0, 10.0, 10.0, 1e4, 1e4, 1e4])
DRIFT = np.diag([1.0, 1.0, 1.0, 1.0, 0.01, 0.01, 0.0001])
"""Motion, measurement, its noise, the first uncertainty and the noise of a step: F, H, R, P0 and Q."""


@dataclass(frozen=True)
class Tracked:
    """The live tracks of one frame, newest first.

    `detection` is the index of the box that updated each, -1 where it is only predicted. `shown` says
    which the published tracker gives: updated now, and by enough detections in a row.
    """

    ids: NDArray[np.int64]
    boxes: Boxes
    detection: NDArray[np.int64]
    shown: NDArray[np.bool_]


class Kalman:
    """The filters of n tracks side by side: `state` (n, 7) and `unsure` (n, 7, 7)."""

    def __init__(self) -> None:
        self.state = np.zeros((0, 7))
        self.unsure = np.zeros((0, 7, 7))

    def begin(self, boxes: Boxes) -> None:
        """Adds a track at rest for each box."""
        fresh = np.hstack([measure(boxes), np.zeros((len(boxes), 3))])
        self.state = np.concatenate([self.state, fresh])
        self.unsure = np.concatenate([self.unsure, np.broadcast_to(UNSURE, (len(boxes), 7, 7))])

    def predict(self) -> None:
        """One step ahead; an area that would vanish stops shrinking first."""
        self.state[self.state[:, 2] + self.state[:, 6] <= 0, 6] = 0.0
        self.state = self.state @ MOTION.T
        self.unsure = MOTION @ self.unsure @ MOTION.T + DRIFT

    def update(self, rows: NDArray[np.intp], boxes: Boxes) -> None:
        """Takes in one box for each of these tracks."""
        if not len(rows):
            return
        state, unsure = self.state[rows], self.unsure[rows]
        gain = unsure @ SEEN.T @ np.linalg.inv(SEEN @ unsure @ SEEN.T + MEASURED)
        missed = (measure(boxes) - state @ SEEN.T)[:, :, None]
        left = np.eye(7) - gain @ SEEN
        self.state[rows] = state + (gain @ missed)[:, :, 0]
        # Joseph's form stays symmetric and positive whatever the gain's rounding
        self.unsure[rows] = left @ unsure @ left.transpose(0, 2, 1) + gain @ MEASURED @ gain.transpose(0, 2, 1)

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drops the other tracks."""
        self.state, self.unsure = self.state[kept], self.unsure[kept]

    @property
    def boxes(self) -> Boxes:
        """(n, 4) the boxes that the states say; NaN where they say none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            width = np.sqrt(self.state[:, 2] * self.state[:, 3])
            half = np.stack([width, self.state[:, 2] / width], axis=1) / 2
        return np.hstack([self.state[:, :2] - half, self.state[:, :2] + half])


class Sort:
    """One video's tracks. `update` is called once a frame, also where nothing was detected.

    Boxes are in pixels: the noise of the matrices is. A track dies when it was not updated for more than
    `max_age` frames; ids count from 1.
    """

    def __init__(self, max_age: int = 1, min_hits: int = 3, iou: float = 0.3) -> None:
        self._max_age, self._min_hits, self._iou = max_age, min_hits, iou
        self._filters = Kalman()
        self._ids = np.zeros(0, np.int64)
        self._since = np.zeros(0, np.int64)
        self._streak = np.zeros(0, np.int64)
        self._frames = self._born = 0

    def update(self, boxes: Boxes) -> Tracked:
        """The tracks after one more frame with these boxes (n, 4)."""
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        self._frames += 1
        self._filters.predict()
        self._streak[self._since > 0] = 0
        self._since += 1
        self._keep(np.asarray(np.isfinite(self._filters.boxes).all(axis=1)))
        detections, tracks, fresh = match(boxes, self._filters.boxes, self._iou)
        self._filters.update(tracks, boxes[detections])
        self._since[tracks] = 0
        self._streak[tracks] += 1
        updated = np.full(len(self._ids), -1, np.int64)
        updated[tracks] = detections
        self._begin(boxes[fresh])
        return self._tracked(np.concatenate([updated, fresh]))

    def _begin(self, boxes: Boxes) -> None:
        self._filters.begin(boxes)
        count = len(boxes)
        self._ids = np.concatenate([self._ids, self._born + 1 + np.arange(count)])
        self._since = np.concatenate([self._since, np.zeros(count, np.int64)])
        self._streak = np.concatenate([self._streak, np.zeros(count, np.int64)])
        self._born += count

    def _tracked(self, detection: NDArray[np.int64]) -> Tracked:
        young = self._frames <= self._min_hits
        shown = (self._since < 1) & ((self._streak >= self._min_hits) | young)
        kept = self._since <= self._max_age
        found = Tracked(
            self._ids[kept][::-1], self._filters.boxes[kept][::-1], detection[kept][::-1], shown[kept][::-1]
        )
        self._keep(kept)
        return found

    def _keep(self, kept: NDArray[np.bool_]) -> None:
        self._filters.keep(kept)
        self._ids, self._since, self._streak = self._ids[kept], self._since[kept], self._streak[kept]


def match(boxes: Boxes, predicted: Boxes, least: float) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """(detections, tracks, fresh): pairs whose overlap is at least `least`, and the detections left over.

    Where the overlaps above `least` are one-to-one already they are the pairs; else the pairs are those
    of the greatest sum. Left over are first the boxes in no pair, then those whose pair overlaps too little.
    """
    overlap = overlaps(boxes, predicted)
    if overlap.size:
        close = overlap > least
        if close.sum(axis=0).max() == 1 and close.sum(axis=1).max() == 1:
            rows, columns = np.nonzero(close)
        else:
            from scipy.optimize import linear_sum_assignment

            rows, columns = linear_sum_assignment(-overlap)
    else:
        rows, columns = np.zeros(0, np.intp), np.zeros(0, np.intp)
    good = overlap[rows, columns] >= least
    alone = np.setdiff1d(np.arange(len(boxes)), rows)
    return rows[good], columns[good], np.concatenate([alone, rows[~good]])


def measure(boxes: Boxes) -> NDArray[np.float64]:
    """(n, 4) centre x and y, area and width / height."""
    size = boxes[:, 2:4] - boxes[:, :2]
    with np.errstate(invalid="ignore", divide="ignore"):
        shape = size[:, :1] / size[:, 1:]
    return np.hstack([boxes[:, :2] + size / 2, size.prod(axis=1, keepdims=True), shape])
