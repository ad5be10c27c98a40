"""The hands of the last moments: which of them a patch of skin may be made of."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ego.extractors._boxes import overlaps
from ego.extractors._limbs import Before, Box

APART_SECONDS, LATELY_SECONDS = 0.2, 1.5
"""A hand is known once it was a patch of its own for so long; two that met are told apart for so long by it."""

FILLED = 0.4
"""What share of a hand's box a patch fills that may be made of it."""

SAME = 0.3
"""From this overlap on a hand is that of the frame before."""


@dataclass(frozen=True)
class Seen:
    """A hand of the frame before, with the frames in which it was a patch of its own and those since.

    `origin` and `rest` are the elbow's x and its box when it was that last.
    """

    box: Box
    origin: float
    rest: Box
    alone: int = 0
    since: int = 0


class Lately:
    """The hands of one video's last frame."""

    def __init__(self, fps: float) -> None:
        self._apart, self._lately = round(APART_SECONDS * fps), round(LATELY_SECONDS * fps)
        self._seen: list[Seen] = []

    def move(self, step: NDArray[np.float64], width: int, height: int) -> None:
        """Takes where hands rest to the view of the next frame, by the homography (3, 3) to it in pixels."""
        scale = np.array([width, height], float)
        for place, one in enumerate(self._seen):
            corners = np.array(one.rest).reshape(1, 2, 2) * scale
            left, top, right, bottom = (cv2.perspectiveTransform(corners, step)[0] / scale).ravel().tolist()
            self._seen[place] = replace(one, rest=(left, top, right, bottom))

    def inside(self, labels: NDArray[Any], label: int) -> list[Before]:
        """The two hands at most whose boxes one patch fills most, where it fills them enough."""
        height, width = labels.shape
        found = []
        for one in self._seen:
            left, top, right, bottom = one.box
            window = labels[
                int(top * height) : int(np.ceil(bottom * height)), int(left * width) : int(np.ceil(right * width))
            ]
            if window.size and (window == label).mean() > FILLED:
                lately = one.alone >= self._apart and one.since <= self._lately
                found.append((int((window == label).sum()), Before(one.box, one.origin, one.rest, lately)))
        return [before for _, before in sorted(found, reverse=True)[:2]]

    def take(self, hands: Sequence[tuple[Box, float, bool]]) -> None:
        """The hands of the next frame, each with the elbow's x and whether it is a patch of its own."""
        seen = []
        boxes, known = [one[0] for one in hands], [one.box for one in self._seen]
        overlap = overlaps(np.array(boxes).reshape(-1, 4), np.array(known).reshape(-1, 4))
        for (box, origin, alone), with_each in zip(hands, overlap, strict=True):
            same = with_each.max(initial=0) > SAME
            one = self._seen[int(with_each.argmax())] if same else Seen(box, origin, box)
            met = replace(one, box=box, since=one.since + 1)
            seen.append(Seen(box, origin, box, one.alone + 1) if alone else met)
        self._seen = seen
