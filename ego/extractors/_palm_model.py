"""The palm detector's anchors and outputs, and the landmark model on crops turned upright (MediaPipe)."""

from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.extractors._base import Files
from ego.extractors._boxes import suppress
from ego.extractors._detector import Detections
from ego.extractors._outputs import Outputs

if TYPE_CHECKING:
    from ego.extractors._palms import Palms

SIDE = 256
GRIDS = ((32, 2), (16, 2), (8, 6))
"""Cells along a side and anchors a cell, for strides 8, 16 and 32."""

OVERLAP = 0.3
WRIST, MIDDLE = 0, 2
"""Of the palm's seven key points: the wrist, and where the middle finger begins."""

AHEAD = 0.1
"""The centre of a hand lies so many palms towards the fingers."""

GROW, BOX = 1.6, 1.2
"""A hand's crop and its box are so many palms wide.

This detector's boxes hold nearly the whole hand (0.125 of the frame's width where marked hands have 0.145), so
the 2.6 palms, half a palm ahead, of its later, narrower ones would show the landmark model mostly background.
"""

TILE = 0.8
"""The side of a tile, of the frame's height."""

Points = NDArray[np.float64]


def anchors() -> Points:
    """(2944, 2) centres of the anchors as fractions of the picture."""
    found = []
    for cells, each in GRIDS:
        y, x = np.mgrid[:cells, :cells]
        found.append(np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5, each, axis=0) / cells)
    return np.concatenate(found)


class PalmModel:
    """Both models, ready to run."""

    def __init__(self, spec: "Palms", files: Files) -> None:
        self._spec = spec
        self._palms = Outputs(files[spec.weights])
        self._marks = None if spec.points is None else Outputs(files[spec.points])
        self._anchors = anchors()

    def find(self, picture: NDArray[np.uint8]) -> Detections:
        """The hands of an (h, w, 3) picture."""
        height, width = picture.shape[:2]
        size = np.array([width, height], np.float64)
        palms, scores = self._everywhere(picture)
        large = palms[:, 1, 0] - palms[:, 0, 0] >= self._spec.least_size * width
        palms, scores = palms[large], scores[large]
        kept = suppress(_bounds(palms / size, 0), scores, OVERLAP)
        boxes, sure, origins, marks = [], [], [], []
        for palm, score in zip(palms[kept], scores[kept], strict=True):
            points, flag = self._landmarks(picture, palm)
            if flag < self._spec.least_flag:
                continue
            marks.append(points / size)
            boxes.append(hand_box(palm) / np.tile(size, 2))
            sure.append(score)
            origins.append(_origin(palm[2 + WRIST] / size, palm[2 + MIDDLE] / size))
        if not boxes:
            return Detections.make(np.zeros((0, 4)), np.zeros(0))
        found = np.clip(np.array(boxes), 0, 1)
        return Detections.make(found, np.array(sure), np.array(origins), np.clip(np.array(marks), 0, 1))

    def _everywhere(self, picture: NDArray[np.uint8]) -> tuple[Points, NDArray[np.float64]]:
        """(n, 9, 2) palms in pixels, their box's two corners and seven key points, and (n,) scores."""
        height, width = picture.shape[:2]
        views = [(0, 0, width, height)]
        side = min(round(TILE * height), width)
        for left in np.linspace(0, width - side, self._spec.tiles).astype(int) if self._spec.tiles else ():
            views.append((int(left), height - side, int(left) + side, height))
        palms, scores = [], []
        for left, top, right, bottom in views:
            found, sure = self._view(picture[top:bottom, left:right])
            palms.append(found * [right - left, bottom - top] + [left, top])
            scores.append(sure)
        return np.concatenate(palms), np.concatenate(scores)

    def _view(self, view: NDArray[np.uint8]) -> tuple[Points, NDArray[np.float64]]:
        small = cv2.resize(view, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        found = self._palms(small.astype(np.float32) / 127.5 - 1)
        if set(found) != {"classificators", "regressors"} or found["regressors"].shape != (len(self._anchors), 18):
            raise BadRequest(f"{self._palms.name} is no palm detector of 2944 anchors and 18 numbers each")
        scores = 1 / (1 + np.exp(-found["classificators"][:, 0].astype(np.float64)))
        good = scores >= self._spec.least_palm
        raw = found["regressors"][good].astype(np.float64).reshape(-1, 9, 2) / SIDE
        centre, half = raw[:, 0] + self._anchors[good], raw[:, 1] / 2
        corners = np.stack([centre - half, centre + half], axis=1)
        return np.concatenate([corners, raw[:, 2:] + self._anchors[good][:, None]], axis=1), scores[good]

    def _landmarks(self, picture: NDArray[np.uint8], palm: Points) -> tuple[Points, float]:
        """(21, 2) points in pixels and the flag; without a model zeros and 1."""
        crop = hand_crop(palm)
        if self._marks is None:
            return np.zeros((21, 2)), 1.0
        into = cv2.getAffineTransform(
            _through(crop, np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])).astype(np.float32),
            np.array([[0, 0], [SIDE, 0], [0, SIDE]], np.float32),
        )
        upright = cv2.warpAffine(picture, into, (SIDE, SIDE))
        found = self._marks(upright.astype(np.float32) / 255)
        points = found["ld_21_3d"].reshape(21, 3)[:, :2].astype(np.float64) / SIDE
        return _through(crop, points), float(found["output_handflag"][0])


def hand_box(palm: Points) -> Points:
    """(4,) the box of a hand in pixels, upright."""
    side = float(np.max(palm[1] - palm[0]))
    centre = (palm[0] + palm[1]) / 2 + _up(palm) * AHEAD * side
    return np.concatenate([centre - BOX * side / 2, centre + BOX * side / 2])


def _up(palm: Points) -> Points:
    """(2,) the direction from the wrist to the fingers, of length 1."""
    up = palm[2 + MIDDLE] - palm[2 + WRIST]
    return np.asarray(up / max(float(np.hypot(*up)), 1e-6))


def hand_crop(palm: Points) -> Points:
    """(3, 2) the crop of a hand in pixels: its centre, and the vectors along its width and height.

    It is turned so that the middle finger points up.
    """
    up, side = _up(palm), float(np.max(palm[1] - palm[0]))
    centre = (palm[0] + palm[1]) / 2 + up * AHEAD * side
    across = np.array([-up[1], up[0]])
    return np.stack([centre, across * GROW * side, -up * GROW * side])


def _through(crop: Points, inside: Points) -> Points:
    """(n, 2) points of the crop, in fractions of it, as pixels of the picture."""
    away = inside - 0.5
    return np.asarray(crop[0] + away[:, :1] * crop[1] + away[:, 1:] * crop[2])


def _bounds(points: Points, margin: float) -> Points:
    """(n, 4) boxes around n groups of points, each side moved out by a part of the size."""
    low, high = points.min(axis=1), points.max(axis=1)
    grow = (high - low) * margin
    return np.concatenate([low - grow, high + grow], axis=1)


def _origin(wrist: Points, middle: Points) -> float:
    """x where the forearm's line meets the frame's lower border; NaN for a hand that points down."""
    down = wrist - middle
    if down[1] <= 0.02:
        return float("nan")
    return float(np.clip(wrist[0] + down[0] * (1 - wrist[1]) / down[1], -0.5, 1.5))
