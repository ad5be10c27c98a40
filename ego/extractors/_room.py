"""What stands still behind what moves: the room as a turning camera sees it, from the frames around."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Plane = NDArray[np.float32]

POINTS, LEAST_POINTS = 200, 12
KEY_SECONDS = 0.2
SAME, FREE, MOSTLY = 13.0, 0.5, 0.6
"""What lasts was no arm in so many of the frames before, and in so many of those no farther from its colour now."""

LOWER = 0.9
"""Below this part of the frame nothing is tracked to tell the camera's motion: the hands rest there."""


@dataclass
class View:
    """One frame on its way: YCrCb pixels, the homography from the frame before, and where no arm was seen.

    `room` and `known` are as `Room` says; `lasting` is 1 where no arm was before and the room looked the same.
    """

    pixels: Pixels
    step: NDArray[np.float64]
    free: Pixels
    room: Plane = field(default_factory=lambda: np.zeros(0, np.float32))
    known: Plane = field(default_factory=lambda: np.zeros(0, np.float32))
    lasting: Plane = field(default_factory=lambda: np.zeros(0, np.float32))


class Camera:
    """How the view moves: corners followed from frame to frame, and the homography most of them agree on."""

    def __init__(self) -> None:
        self._before: Pixels | None = None

    def step(self, grey: Pixels) -> NDArray[np.float64]:
        """(3, 3) from the frame before to this one; the identity where too little can be followed."""
        before, self._before = self._before, grey
        if before is None:
            return np.eye(3)
        upper = np.full(grey.shape, 255, np.uint8)
        upper[int(LOWER * len(grey)) :] = 0
        corners = cv2.goodFeaturesToTrack(before, POINTS, 0.01, 7, mask=upper)
        if corners is None or len(corners) < LEAST_POINTS:
            return np.eye(3)
        moved, status, _ = cv2.calcOpticalFlowPyrLK(before, grey, corners, np.empty_like(corners), winSize=(15, 15))
        found = status.ravel() > 0
        if found.sum() < LEAST_POINTS:
            return np.eye(3)
        cv2.setRNGSeed(0)
        motion, agree = cv2.findHomography(corners[found], moved[found], cv2.RANSAC, 1.0)
        if motion is None or agree.sum() < LEAST_POINTS or abs(np.linalg.det(motion[:2, :2]) - 1) > 0.4:
            return np.eye(3)
        return np.asarray(motion, np.float64)


class Room:
    """The frames around the present one, and the room they show.

    `views` gives each frame with `room` (h, w, 3), the median of the frames around it in its own view,
    and `known` (h, w), how many of them show each place. Set a view's `free` to 0 where an arm is:
    it is then no part of the room later.
    """

    def __init__(self, fps: float, span_seconds: float, step_seconds: float) -> None:
        self._gap = max(1, round(step_seconds * fps))
        self._reach = max(1, round(span_seconds / step_seconds)) * self._gap
        self._key = max(1, round(KEY_SECONDS * fps))

    def views(self, pictures: Iterator[Pixels]) -> Iterator[View]:
        """Each frame's view, in order, `span_seconds` behind the frames that are read."""
        camera, held = Camera(), deque[View]()
        place = count = 0
        for picture in pictures:
            pixels = np.asarray(cv2.cvtColor(cv2.GaussianBlur(picture, (0, 0), 0.8), cv2.COLOR_RGB2YCrCb), np.uint8)
            step = camera.step(np.ascontiguousarray(pixels[..., 0]))
            held.append(View(pixels, step, np.ones(pixels.shape[:2], np.uint8)))
            if len(held) > place + self._reach:
                yield self._present(held, place, count)
                place, count = place + 1, count + 1
            if place > self._reach:
                held.popleft()
                place -= 1
        while place < len(held):
            yield self._present(held, place, count)
            place, count = place + 1, count + 1

    def _present(self, held: "deque[View]", place: int, count: int) -> View:
        view = held[place]
        height, width = view.free.shape
        if count % self._key == 0:
            self._median(held, place)
        else:  # between keys the room is only moved on
            before = held[place - 1]
            view.room = cv2.warpPerspective(
                before.room, view.step, (width, height), borderMode=cv2.BORDER_REPLICATE
            ).astype(np.float32)
            view.known = cv2.warpPerspective(before.known, view.step, (width, height)).astype(np.float32)
            view.lasting = cv2.warpPerspective(before.lasting, view.step, (width, height)).astype(np.float32)
            before.room = before.known = before.lasting = np.zeros(0, np.float32)
        return view

    def _median(self, held: "deque[View]", place: int) -> None:
        view = held[place]
        size = (view.free.shape[1], view.free.shape[0])
        layers, shown = [], []
        for other, motion in self._around(held, place):
            layers.append(cv2.warpPerspective(other.pixels, motion, size))
            shown.append(cv2.warpPerspective(other.free, motion, size) > 0)
        if not layers:
            view.room, view.known = view.pixels.astype(np.float32), np.zeros(view.free.shape, np.float32)
            view.lasting = view.known
            return
        seen = np.array(shown)
        count = seen.sum(axis=0)
        # hidden layers are sorted to the end, so the median of the others is at a place that can be counted
        ordered = np.where(seen[..., None], np.array(layers, np.int16), np.int16(999))
        ordered.sort(axis=0)
        middle = np.broadcast_to((np.maximum(count, 1) - 1)[None, ..., None] // 2, (1, *ordered.shape[1:]))
        median = np.take_along_axis(ordered, middle, 0)[0]
        view.room = np.where(count[..., None] > 0, median, view.pixels).astype(np.float32)
        view.known = count.astype(np.float32)
        past = min(self._reach, place) // self._gap
        view.lasting = _lasting(view.pixels, layers[:past], shown[:past])

    def _around(self, held: "deque[View]", place: int) -> Iterator[tuple[View, NDArray[np.float64]]]:
        """The frames around, every gap, each with the homography from it to the present one."""
        motion = np.eye(3)
        for back in range(1, min(self._reach, place) + 1):
            motion = motion @ held[place - back + 1].step
            if back % self._gap == 0:
                yield held[place - back], motion / motion[2, 2]
        motion = np.eye(3)
        for ahead in range(1, min(self._reach, len(held) - 1 - place) + 1):
            motion = held[place + ahead].step @ motion
            if ahead % self._gap == 0:
                back_here = np.linalg.inv(motion)
                yield held[place + ahead], back_here / back_here[2, 2]


def apart(one: NDArray[Any], other: NDArray[Any]) -> Plane:
    """(h, w) how far YCrCb colours are from each other; brightness counts less, since shadows change it."""
    between = (one - other.astype(np.float32)) * np.array([0.6, 1.6, 1.6], np.float32)
    return np.asarray(np.sqrt((between**2).sum(axis=2)))


def _lasting(pixels: Pixels, layers: list[NDArray[Any]], shown: list[NDArray[np.bool_]]) -> Plane:
    """1 where many of the frames before show no arm, and most of those show what there is now."""
    seen, same = np.zeros(pixels.shape[:2], np.float32), np.zeros(pixels.shape[:2], np.float32)
    for layer, free in zip(layers, shown, strict=True):
        seen += free
        same += free & (apart(pixels, layer) < SAME)
    return ((seen > 0) & (seen >= FREE * len(layers)) & (same >= MOSTLY * seen)).astype(np.float32)
