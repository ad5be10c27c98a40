"""Drawing one film: frames to whoever wants them, the truth gathered on the way."""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.lib.format import open_memmap

from ego.datasets.kitchen import flow, truth
from ego.datasets.kitchen.film import Film
from ego.datasets.kitchen.paint import Painter
from ego.datasets.kitchen.poses import Poses
from ego.datasets.kitchen.sound import RATE
from ego.datasets.kitchen.sprites import Pixels
from ego.media.encode import encode

QUICK = {"threads": "1", "preset": "superfast"}
"""One thread, so that how many cores there are does not change the bytes."""

Watch = Callable[[int], None]
"""Told how many frames are drawn."""


class Shoot:
    """The frames of one film, drawn once; after the last, `arrays` is the whole truth.

    Beside each frame `parts` (h, w) is the number of the moving part seen at each pixel.
    """

    def __init__(self, film: Film, watch: Watch = lambda frames: None, flow_file: Path | None = None) -> None:
        self.film, self.arrays = film, truth.known(film)
        self.poses, self.parts = Poses(film), np.zeros((0, 0), np.uint8)
        self._watch, self._flow_file = watch, flow_file

    def frames(self) -> Iterator[Pixels]:
        """(h, w, 3) uint8 RGB, one after the other; OpenCV keeps to one thread meanwhile."""
        threads = cv2.getNumThreads()
        cv2.setNumThreads(1)
        try:
            yield from self._frames()
        finally:
            cv2.setNumThreads(threads)

    def _frames(self) -> Iterator[Pixels]:
        painter, (width, height) = Painter(self.film), self.film.order.size
        count = len(self.film.times)
        mask = np.empty((count, height, (width + 7) // 8), np.uint8)
        seen = np.empty((count, 2, 8), bool)
        shape = (count - 1, height, width, 2)
        dense = open_memmap(self._flow_file, "w+", np.float16, shape) if self._flow_file else None
        for index, drawn in enumerate(painter.frames()):
            self.parts = drawn.parts
            mask[index] = np.packbits(drawn.parts > 0, axis=1)
            seen[index] = truth.visible(self.arrays["hand_points"][index], drawn.parts)
            if dense is not None and index + 1 < count:
                dense[index] = flow.between(self.film, self.poses, index, drawn.parts)
            yield drawn.picture
            if index % 15 == 14:
                self._watch(index + 1)
        self.arrays |= {"mask": mask, "hand_visible": seen}
        self._watch(count)


def film_file(path: Path, film: Film, pictures: Iterator[Pixels]) -> Path:
    """The film as H.264 with its sound, the same bytes on every machine with the same encoder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return encode(path, pictures, film.order.fps, gop=round(film.order.fps), crf=22, options=QUICK,
                  sound=(film.sound, RATE))  # fmt: skip
