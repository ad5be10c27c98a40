"""Short ways to ask a decoder, for tests."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ego.media.decode import Decoder as Decoder
from ego.media.decode import Look as Look
from ego.sampling import Window
from ego.video import Picture, Video

NATIVE = Picture("native", 0)
EVERY = Window()


@dataclass
class Seen:
    """A frame copied out of the ring."""

    index: int
    pts: int
    stop_pts: int
    start: float
    stop: float
    picture: np.ndarray


def video(path: Path | str, part: tuple[float, float] | None = None) -> Video:
    return Video("0" * 64, Path(path).name, str(path), part=part)


def watch(decoder: Decoder, path: Path | str, picture: Picture = NATIVE, **more: Any) -> list[Seen]:
    """Every frame with a picture of its own."""
    return [
        Seen(one.index, one.pts, one.stop_pts, one.start, one.stop, one.pictures[picture].copy())
        for one in decoder.frames(video(path, **more), [Look(picture, EVERY)])
    ]
