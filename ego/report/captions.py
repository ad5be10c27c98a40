"""What was predicted for a moment, written below its frame: a line a task with a bar of how sure it is, and points."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ego.report.overlay import LEFT_HAND, POINT, RIGHT_HAND, Colour, Pixels

LINE, MARGIN, FONT = 24, 6, 0.5
INK, PAPER, BAR = (30, 34, 40), (255, 255, 255), (120, 190, 235)
COLOURS: dict[str, Colour] = {"left": LEFT_HAND, "right": RIGHT_HAND}


@dataclass(frozen=True)
class Caption:
    """One line: its words, and a share from 0 to 1 as a bar behind them (None: no bar)."""

    words: str
    share: float | None = None


def captioned(
    picture: Pixels, captions: Sequence[Caption], count: int, points: Sequence[tuple[str, float, float]] = ()
) -> Pixels:
    """(h, w, 3), even sides: a picture with points (name, x, y in fractions), below it room for `count` captions."""
    height, width = picture.shape[:2]
    drawn = np.full((height + count * LINE, width, 3), PAPER, np.uint8)
    drawn[:height] = _pointed(picture, points)
    for number, caption in enumerate(captions[:count]):
        line = drawn[height + number * LINE : height + (number + 1) * LINE]
        _line(line, caption)
    return np.ascontiguousarray(drawn[: drawn.shape[0] // 2 * 2, : width // 2 * 2])


def _pointed(picture: Pixels, points: Sequence[tuple[str, float, float]]) -> Pixels:
    drawn = picture.copy()
    height, width = picture.shape[:2]
    for name, x, y in points:
        place = (round(x * width), round(y * height))
        own = name.rpartition(" ")[2]
        colour = COLOURS.get(own, POINT)
        cv2.circle(drawn, place, 9, colour, 2, cv2.LINE_AA)
        cv2.putText(drawn, own, (place[0] + 12, place[1] + 5), cv2.FONT_HERSHEY_SIMPLEX, FONT, colour, 1, cv2.LINE_AA)
    return drawn


def _line(line: NDArray[np.uint8], caption: Caption) -> None:
    """Writes a caption into its part of the picture."""
    if caption.share is not None:
        line[2:-2, : round(min(max(caption.share, 0.0), 1.0) * line.shape[1])] = BAR
    words = caption.words.encode("ascii", "replace").decode()  # the font has no other letters
    cv2.putText(line, words, (MARGIN, LINE - 8), cv2.FONT_HERSHEY_SIMPLEX, FONT, INK, 1, cv2.LINE_AA)
