"""Cutting faces out of frames: the box itself, or TalkNet's smoothed window."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from ego.extractors._base import Block, Rows

SIDE, INNER = 224, 112
AROUND, GREY = 1.8, 110
KERNEL, GAP_FRAMES = 13, 2

Pixels = NDArray[np.uint8]


def lam(blocks: Iterator[Block]) -> Iterator[Rows]:
    """The boxes of each block, as squares."""
    for block in blocks:
        held = block.held["faces"]
        place = np.searchsorted(block.source[:, 1], held.source[:, 1])
        crops = [
            boxed(block.pictures["frames"][frame], box) for frame, box in zip(place, held.arrays["box"], strict=True)
        ]
        feature = np.array(crops, np.uint8).reshape(-1, SIDE, SIDE, 3)
        yield Rows({"feature": feature, "track": held.arrays["track"].astype(np.int32)}, held.time, held.source)


def boxed(picture: Pixels, box: NDArray[np.float64]) -> Pixels:
    """(224, 224, 3) what a box in fractions holds, whatever its shape."""
    height, width = picture.shape[:2]
    left, top, right, bottom = (np.clip(box, 0, 1) * [width, height, width, height]).astype(int)
    if right <= left or bottom <= top:
        return np.zeros((SIDE, SIDE, 3), np.uint8)
    return np.asarray(cv2.resize(picture[top:bottom, left:right], (SIDE, SIDE)), np.uint8)


@dataclass
class Piece:
    """One face's rows without a gap, in pixels: half sides and centres so far, and whether more can come."""

    last_frame: int
    halves: list[float] = field(default_factory=list)
    centres: list[tuple[float, float]] = field(default_factory=list)
    ended: bool = False

    def add(self, box: NDArray[np.float64], frame: int) -> int:
        """Takes in one more box; its place."""
        self.halves.append(float(max(box[2] - box[0], box[3] - box[1])) / 2)
        self.centres.append((float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2))
        self.last_frame = frame
        return len(self.halves) - 1

    def ready(self, place: int) -> bool:
        """Whether all rows that smooth this one are there: the kernel's width too depends on how many there are."""
        return self.ended or len(self.halves) >= max(place + KERNEL // 2 + 1, KERNEL)

    def window(self, place: int) -> tuple[float, float, float]:
        """Half side and centre of a row, smoothed."""
        count = len(self.halves)
        reach = min(KERNEL, count - 1 + count % 2) // 2
        around = [self.halves[i] if 0 <= i < count else 0.0 for i in range(place - reach, place + reach + 1)]
        here, before = self.centres[place], self.centres[max(place - 1, 0)]
        return float(np.median(around)), 0.8 * before[0] + 0.2 * here[0], 0.8 * before[1] + 0.2 * here[1]


@dataclass
class Waiting:
    """One frame whose faces are not all smoothed yet."""

    picture: Pixels
    time: NDArray[np.float64]
    source: NDArray[np.int64]
    faces: list[tuple[int, Piece, int]] = field(default_factory=list)


def asd(blocks: Iterator[Block]) -> Iterator[Rows]:
    """TalkNet's windows, as soon as the rows after them are known."""
    pieces: dict[int, Piece] = {}
    waiting: deque[Waiting] = deque()
    frame = 0
    for block in blocks:
        held = block.held["faces"]
        starts = np.searchsorted(held.source[:, 1], block.source[:, 1], side="left")
        stops = np.searchsorted(held.source[:, 1], block.source[:, 1], side="right")
        for place, picture in enumerate(block.pictures["frames"]):
            scale = np.tile([picture.shape[1], picture.shape[0]], 2)
            one = Waiting(picture, block.time[place], block.source[place])
            for row in range(starts[place], stops[place]):
                track = int(held.arrays["track"][row])
                piece = pieces.get(track)
                if piece is None or piece.ended:
                    piece = pieces[track] = Piece(frame)
                one.faces.append((track, piece, piece.add(held.arrays["box"][row] * scale, frame)))
            for track in [track for track, piece in pieces.items() if frame - piece.last_frame > GAP_FRAMES]:
                pieces.pop(track).ended = True
            waiting.append(one)
            frame += 1
        yield from _ready(waiting)
    for piece in pieces.values():
        piece.ended = True
    yield from _ready(waiting)


def _ready(waiting: "deque[Waiting]") -> Iterator[Rows]:
    while waiting and all(piece.ready(place) for _, piece, place in waiting[0].faces):
        one = waiting.popleft()
        if one.faces:
            count = len(one.faces)
            crops = [windowed(one.picture, *piece.window(place)) for _, piece, place in one.faces]
            tracks = np.array([track for track, _, _ in one.faces], np.int32)
            yield Rows({"feature": np.array(crops), "track": tracks}, np.tile(one.time, (count, 1)),
                       np.tile(one.source, (count, 1)))  # fmt: skip


def span(half: float, x: float, y: float) -> tuple[int, int, int, int, int]:
    """Pixels of padding, then top, bottom, left and right of the window in the padded picture."""
    pad = int(half * AROUND)
    y, x = y + pad, x + pad
    return pad, int(y - half), int(y + half * AROUND), int(x - half * 1.4), int(x + half * 1.4)


def windowed(picture: Pixels, half: float, x: float, y: float) -> Pixels:
    """(112, 112) grey: the middle of TalkNet's window around a face."""
    pad, top, bottom, left, right = span(half, x, y)
    wide = cv2.copyMakeBorder(picture, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(GREY, GREY, GREY))
    crop = wide[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if not crop.size:
        return np.zeros((INNER, INNER), np.uint8)
    grey = cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (SIDE, SIDE))
    edge = (SIDE - INNER) // 2
    return np.ascontiguousarray(grey[edge : edge + INNER, edge : edge + INNER], np.uint8)
