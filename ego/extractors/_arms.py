"""Arms told from the room by colour and motion, and the hands at their ends."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ego.extractors._detector import Detections, Shot
from ego.extractors._lately import Lately
from ego.extractors._limbs import ends
from ego.extractors._parting import Patch, joined
from ego.extractors._room import Plane, Room, View, apart

BINS = (8, 24, 24)
"""Of brightness, red and blue difference: steps of 32, 4 and 4 grey levels."""

HUE_DEGREES, HUE_WIDTH = 39.0, 13.0
"""Where skin of every tone lies around grey in (-Cb, Cr), and how far it strays."""

STRONGEST = 50.0
"""How far from grey skin is; tomatoes, glowing rings and yellow tables lie beyond."""

RESTING = 0.9
"""How much the learnt colour of arms excuses that a place does not move, unless it has been there: hands rest."""

STILL = 14.0
"""A place moves where its colour is farther than this from the room's."""

SLAB, FILLED = 0.25, 0.7
"""What does not move, is wider than this part of the frame and fills its box so far is a board and no hand."""

LEAST_AREA = 0.002
FIRST_SHOTS = 8


class Colours:
    """What colours moving arms have and the still room has not, learnt as the video goes."""

    def __init__(self) -> None:
        self.prior = skin_prior()
        self._even = self.prior / self.prior.sum()
        self._arms, self._room = 300 * self._even, np.full(len(self.prior), 300 / len(self.prior))
        self._leaning = np.log((self.prior + 0.02) / 0.35).astype(np.float32)
        self._learnt = np.zeros(len(self.prior), np.float32)
        self._count = 0

    def weigh(self, bins: NDArray[np.intp]) -> tuple[Plane, Plane]:
        """Log odds of skin at each place: as learnt, and as everybody's skin is."""
        if self._count % 3 == 0:
            arms, room = (smooth(one) / one.sum() + 1e-6 for one in (self._arms, self._room))
            self._learnt = np.clip(np.log(arms / room), -4, 4).astype(np.float32)
        self._count += 1
        return self._learnt[bins], self._leaning[bins]

    def learn(self, arms: NDArray[np.intp], room: NDArray[np.intp]) -> None:
        """Takes in the colours of moving arms and of the still room; what was seen seconds ago counts less."""
        size = len(self.prior)
        self._arms *= 0.99
        self._room *= 0.99
        self._arms += 3 * self._even + 0.05 * np.bincount(arms, minlength=size)
        self._room += 0.5 / size + 0.03 * np.bincount(room, minlength=size)


def arms(shots: Iterator[Shot], span_seconds: float, step_seconds: float, hand_width: float) -> Iterator[Detections]:
    """The ends of arms in each shot."""
    first = list(islice(shots, FIRST_SHOTS))
    if not first:
        return
    fps = 1 / float(np.median([shot.stop - shot.start for shot in first]))
    room, colours, lately = Room(fps, span_seconds, step_seconds), Colours(), Lately(fps)
    for view in room.views(shot.picture for shot in chain(first, shots)):
        yield _found(view, colours, lately, hand_width)


def _found(view: View, colours: Colours, lately: Lately, hand_width: float) -> Detections:
    bins = binned(view.pixels)
    learnt, leaning = colours.weigh(bins)
    distance = cv2.GaussianBlur(apart(view.room, view.pixels), (0, 0), 1.0)
    distance[view.known < 2] = 0
    trust = np.clip((view.known - 1) / 3, 0, 1)
    moves = np.clip((distance - STILL) / 4, -3, 2.5) * trust - 1.5 * (1 - trust)
    excused = np.clip(learnt, 0, 3) * RESTING - 3
    moves = np.where((view.lasting > 0.5) & (distance < STILL), moves, np.maximum(moves, excused))
    height, width = distance.shape
    low = np.clip(np.linspace(-1.5, 1.5, height, dtype=np.float32), -1.5, 1)[:, None]
    odds = cv2.GaussianBlur(0.7 * learnt + 1.2 * leaning + 1.3 * moves + 0.7 * low - 1, (0, 0), 1.2)
    mask = solid((odds > 0).astype(np.uint8))
    moving = ((distance > 12) & (trust > 0.3)).astype(np.uint8)
    whole = cv2.morphologyEx(mask | moving, cv2.MORPH_CLOSE, _disc(9))
    kept = np.zeros(mask.shape, np.int16)
    parts = joined(list(_parts(mask, whole, moves, learnt)))
    for label, (columns, rows, _, _) in enumerate(parts, 1):
        kept[rows, columns] = label
    lately.move(view.step, width, height)
    boxes, scores, origins, seen = [], [], [], []
    for label, (columns, rows, _, _) in enumerate(parts, 1):
        hands = ends(columns, rows, width, height, hand_width * width, lately.inside(kept, label))
        for hand in hands:
            sure = 1 / (1 + np.exp(-float(odds[hand.rows, hand.columns].mean())))
            boxes.append(hand.box)
            scores.append(sure * min(1.0, len(hand.rows) / (0.01 * width * height)))
            origins.append(hand.origin)
            seen.append((hand.box, hand.origin, len(hands) == 1))
    lately.take(seen)
    view.free = (cv2.dilate((kept > 0).astype(np.uint8), _disc(7)) == 0).astype(np.uint8)
    colours.learn(bins[(kept > 0) & (moves > 1) & (leaning > -1)], bins[(distance < 8) & (trust > 0.5) & (kept == 0)])
    return Detections.make(np.array(boxes), np.array(scores), np.array(origins))


def _parts(mask: NDArray[Any], whole: NDArray[Any], moves: NDArray[Any], learnt: Plane) -> Iterator[Patch]:
    """The pixels of what can be an arm: large enough, moving or surely skin, and joined to the lower border."""
    height, width = mask.shape
    _, joined = cv2.connectedComponents(whole)
    half = height // 2
    edge = [joined[-2:].ravel(), joined[half:, :2].ravel(), joined[half:, -2:].ravel()]
    border = np.unique(np.concatenate(edge))
    count, labels, sizes, _ = cv2.connectedComponentsWithStats(mask)
    for label in range(1, count):
        left, top, wide, tall, area = sizes[label]
        window = np.s_[top : top + tall, left : left + wide]
        part = labels[window] == label
        if area < LEAST_AREA * width * height or not np.isin(joined[window][part], border[border > 0]).any():
            continue
        slab = wide > SLAB * width and area > FILLED * wide * tall
        if (moves[window][part] > 0.5).mean() >= 0.3 or (learnt[window][part].mean() >= 1.5 and not slab):
            rows, columns = np.nonzero(part)
            yield Patch(columns + left, rows + top, width, height)


def binned(pixels: NDArray[np.uint8]) -> NDArray[np.intp]:
    """(h, w) the bin of each YCrCb pixel."""
    bright, red, blue = (pixels[..., channel].astype(np.intp) for channel in range(3))
    colour = np.clip((red - 96) >> 2, 0, 23) * 24 + np.clip((blue - 64) >> 2, 0, 23)
    return np.asarray((bright >> 5) * 24 * 24 + colour, np.intp)


def skin_prior() -> NDArray[np.float64]:
    """(bins,) how much a colour is like skin of any tone: a narrow hue, neither grey nor glaring."""
    bright, red, blue = np.meshgrid(
        np.arange(8) * 32 + 16, np.arange(24) * 4 + 98 - 128, np.arange(24) * 4 + 66 - 128, indexing="ij"
    )
    hue, strength = np.degrees(np.arctan2(-blue, red)), np.hypot(red, blue)
    like = np.exp(-0.5 * ((hue - HUE_DEGREES) / HUE_WIDTH) ** 2)
    like = like / (1 + np.exp((10 - strength) / 2.5)) / (1 + np.exp((strength - STRONGEST) / 5))
    return np.asarray(like * np.where(bright < 30, 0.3, 1.0)).ravel()


def smooth(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """(bins,) counts spread to the colours beside."""
    cube = np.stack([cv2.GaussianBlur(plane, (0, 0), 1.0) for plane in counts.reshape(BINS)])
    wide = np.pad(cube, ((1, 1), (0, 0), (0, 0)), mode="edge")
    return np.asarray(0.2 * wide[:-2] + 0.6 * wide[1:-1] + 0.2 * wide[2:]).ravel()


def solid(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The mask without specks and spurs, gaps between fingers closed; the frame's border is no edge."""
    pad = 8
    wide = cv2.copyMakeBorder(mask, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    wide = cv2.morphologyEx(wide, cv2.MORPH_OPEN, _disc(3))
    wide = cv2.morphologyEx(wide, cv2.MORPH_CLOSE, _disc(9))
    wide = cv2.morphologyEx(wide, cv2.MORPH_OPEN, _disc(11))
    return np.ascontiguousarray(wide[pad:-pad, pad:-pad])


def _disc(size: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)), np.uint8)
