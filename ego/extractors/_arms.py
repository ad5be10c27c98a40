"""Arms told from the room by colour and motion, and the hands at their ends."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ego.extractors._detector import Detections, Shot
from ego.extractors._room import Plane, Room, View

BINS = (8, 24, 24)
"""Of brightness, red and blue difference: steps of 32, 4 and 4 grey levels."""

HUE_DEGREES, HUE_WIDTH = 39.0, 13.0
"""Where skin of every tone lies around grey in (-Cb, Cr), and how far it strays."""

ELBOWS = 1.35
"""How far below the frame's top the elbows are, in heights of the frame."""

LONG = 1.6
"""From here on the ratio of a patch's length to its width tells where its arm points."""

STRONGEST = 50.0
"""How far from grey skin is; tomatoes, glowing rings and yellow tables lie beyond."""

RESTING = 0.9
"""How much the learnt colour of arms excuses that a place does not move: hands rest."""

LEAST_AREA = 0.002
FIRST_SHOTS = 8


class Hand(NamedTuple):
    """The end of an arm: its box and the elbow's x in fractions, and which pixels it is made of."""

    box: tuple[float, float, float, float]
    origin: float
    columns: NDArray[np.intp]
    rows: NDArray[np.intp]


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
    room, colours = Room(fps, span_seconds, step_seconds), Colours()
    for view in room.views(shot.picture for shot in chain(first, shots)):
        yield _found(view, colours, hand_width)


def _found(view: View, colours: Colours, hand_width: float) -> Detections:
    bins = binned(view.pixels)
    learnt, leaning = colours.weigh(bins)
    apart = (view.pixels - view.room) * np.array([0.6, 1.6, 1.6], np.float32)
    distance = cv2.GaussianBlur(np.sqrt((apart**2).sum(axis=2)), (0, 0), 1.0)
    distance[view.known < 2] = 0
    trust = np.clip((view.known - 1) / 3, 0, 1)
    moves = np.clip((distance - 14) / 4, -3, 2.5) * trust - 1.5 * (1 - trust)
    moves = np.maximum(moves, np.clip(learnt, 0, 3) * RESTING - 3)
    height, width = distance.shape
    low = np.clip(np.linspace(-1.5, 1.5, height, dtype=np.float32), -1.5, 1)[:, None]
    odds = cv2.GaussianBlur(0.7 * learnt + 1.2 * leaning + 1.3 * moves + 0.7 * low - 1, (0, 0), 1.2)
    mask = solid((odds > 0).astype(np.uint8))
    moving = ((distance > 12) & (trust > 0.3)).astype(np.uint8)
    whole = cv2.morphologyEx(mask | moving, cv2.MORPH_CLOSE, _disc(9))
    parts = _parts(mask, whole, moves, learnt)
    kept = np.zeros_like(mask)
    boxes, scores, origins = [], [], []
    for rows, columns in parts:
        kept[rows, columns] = 1
        for hand in ends(columns, rows, width, height, hand_width * width):
            sure = 1 / (1 + np.exp(-float(odds[hand.rows, hand.columns].mean())))
            boxes.append(hand.box)
            scores.append(sure * min(1.0, len(hand.rows) / (0.01 * width * height)))
            origins.append(hand.origin)
    view.free = (cv2.dilate(kept, _disc(7)) == 0).astype(np.uint8)
    colours.learn(bins[(kept > 0) & (moves > 1) & (leaning > -1)], bins[(distance < 8) & (trust > 0.5) & (kept == 0)])
    return Detections.make(np.array(boxes), np.array(scores), np.array(origins))


def _parts(
    mask: NDArray[Any], whole: NDArray[Any], moves: Plane, learnt: Plane
) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """(rows, columns) of what can be an arm: large enough, moving or surely skin, and joined to the lower border."""
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
        if (moves[window][part] > 0.5).mean() >= 0.3 or learnt[window][part].mean() >= 1.5:
            rows, columns = np.nonzero(part)
            yield rows + top, columns + left


def ends(columns: NDArray[np.intp], rows: NDArray[np.intp], width: int, height: int, reach: float) -> list[Hand]:
    """The hands of one patch of skin: one, or two where arms come in at two places of the frame's border."""
    entries = _entries(columns, rows, width, height) or [_beyond(columns, rows, width, height)]
    if len(entries) == 1:
        return _end(columns, rows, entries[0], width, height, reach)
    first, last = entries[0], entries[-1]
    nearer = np.hypot(columns - first[0], rows - first[1]) < np.hypot(columns - last[0], rows - last[1])
    return _end(columns[nearer], rows[nearer], first, width, height, reach) + _end(
        columns[~nearer], rows[~nearer], last, width, height, reach
    )


def _beyond(columns: NDArray[np.intp], rows: NDArray[np.intp], width: int, height: int) -> tuple[float, float]:
    """Where the line of a patch that ends inside the frame, at its sleeve, comes to the lower border or a side."""
    x, y = float(columns.mean()), float(rows.mean())
    across, slant, upright = np.var(columns), np.mean((columns - x) * (rows - y)), np.var(rows)
    spread, lines = np.linalg.eigh(np.array([[across, slant], [slant, upright]]))
    line = lines[:, 1] * np.sign(lines[1, 1] or 1.0)
    if spread[1] < LONG**2 * spread[0] or line[1] < 0.3:
        return x, 1.2 * height
    steps = min((height - y) / line[1], ((width - x) if line[0] > 0 else x) / max(abs(line[0]), 1e-9))
    return x + steps * float(line[0]), y + steps * float(line[1])


def _entries(columns: NDArray[np.intp], rows: NDArray[np.intp], width: int, height: int) -> list[tuple[float, float]]:
    """Where a patch touches the border, from the left side's middle along the bottom to the right side's middle."""
    half = height // 2
    left, right, low = columns <= 1, columns >= width - 2, rows >= height - 2
    way = [rows[left] - half, columns[low] + half, 3 * half + width - rows[right]]
    along = np.unique(np.concatenate(way))
    along = along[(along >= 0) & (along <= 2 * half + width)]
    runs = np.split(along, np.flatnonzero(np.diff(along) > 0.05 * width) + 1) if len(along) else []
    found = []
    for run in runs:
        if len(run) >= 0.02 * width:
            place = float(run.mean())
            x = min(max(place - half, 0.0), float(width))
            found.append((x, half + min(place, half, 2 * half + width - place)))
    return found


def _end(
    columns: NDArray[np.intp], rows: NDArray[np.intp], entry: tuple[float, float], width: int, height: int, reach: float
) -> list[Hand]:
    """What of a patch lies around its point farthest from where the arm comes in."""
    if len(columns) < 0.0015 * width * height:
        return []
    away = np.hypot(columns - entry[0], rows - entry[1])
    far = away >= np.percentile(away, 95)
    x, y = np.median(columns[far]), np.median(rows[far])
    near = (np.hypot(columns - x, rows - y) < 1.25 * reach) & (away > away.max() - 1.15 * reach)
    if not near.any():
        return []
    left, right = np.percentile(columns[near], [2, 98])
    top, bottom = np.percentile(rows[near], [2, 98])
    box = (left / width, top / height, (right + 1) / width, (bottom + 1) / height)
    return [Hand(box, _elbow(entry, (float(x), float(y)), height) / width, columns[near], rows[near])]


def _elbow(entry: tuple[float, float], tip: tuple[float, float], height: int) -> float:
    """x where an arm's line comes to the height of the elbows, below the frame; a short arm's is where it comes in."""
    rise = entry[1] - tip[1]
    if rise < 0.2 * height:
        return entry[0]
    lean = float(np.clip((entry[0] - tip[0]) / rise, -1.5, 1.5))
    return entry[0] + lean * (ELBOWS * height - entry[1])


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
