"""What the pictures say for each step of a track: moved by the flow, or by the camera alone."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ego.extractors._idt_flow import Pixels
from ego.extractors._idt_tracks import Points

PATCH = 7
"""Side of the square about a point that is compared, in pixels of the finest level."""

LEAST_NOISE = 1.0
"""A grey level: pictures are bytes."""


class Step(NamedTuple):
    """A picture and the next one as the first camera saw it, with a margin of half a patch; and their noise."""

    before: Pixels
    stable: Pixels
    noise: float


def step(before: Pixels, stable: Pixels) -> Step:
    """The step between two grey pictures (h, w); its noise is how much patches differ in the median."""
    differ = cv2.boxFilter(cv2.absdiff(before, stable), cv2.CV_32F, (PATCH, PATCH))[::PATCH, ::PATCH]
    return Step(_margin(before), _margin(stable), max(LEAST_NOISE, float(np.median(differ))))


def gain(steps: Sequence[Step], points: Points, own: Points) -> Points:
    """(n, L) how much better each step of a track explains its patch than the camera alone, in units of the noise.

    That is the mean difference of the patch to the stabilised next picture where it was, less the one where its own
    motion takes it, to a whole pixel. 0 where it does not move, below 0 where it is a mistake of the flow. Points
    (n, L or more, 2) and own motion (n, L, 2) are in pixels of the pictures.
    """
    found = np.zeros(own.shape[:2], np.float32)
    if len(own) == 0:
        return found
    start = np.rint(points[:, : own.shape[1]]).astype(np.int64)
    stop = start + np.rint(own).astype(np.int64)
    for place, (before, stable, noise) in enumerate(steps):
        was, still, moved = (
            _patches(picture, at[:, place]) for picture, at in ((before, start), (stable, start), (stable, stop))
        )
        found[:, place] = (_difference(was, still) - _difference(was, moved)) / noise
    return found


def _margin(picture: Pixels) -> Pixels:
    side = PATCH // 2
    return np.asarray(cv2.copyMakeBorder(picture, side, side, side, side, cv2.BORDER_REPLICATE), np.uint8)


def _patches(picture: Pixels, centres: NDArray[np.int64]) -> Pixels:
    """(n, 49) about whole pixels x, y of the picture without its margin."""
    squares = np.lib.stride_tricks.sliding_window_view(picture, (PATCH, PATCH))
    x, y = np.clip(centres, 0, (squares.shape[1] - 1, squares.shape[0] - 1)).T
    return np.asarray(squares[y, x].reshape(len(centres), -1), np.uint8)


def _difference(one: Pixels, other: Pixels) -> Points:
    return np.asarray(cv2.reduce(cv2.absdiff(one, other), 1, cv2.REDUCE_AVG, dtype=cv2.CV_32F)[:, 0], np.float32)
