"""Dense optical flow of a film, exact: each pixel moves as the part seen there, under both cameras."""

import numpy as np
from numpy.typing import NDArray

from ego.datasets.kitchen.film import Film
from ego.datasets.kitchen.paths import through
from ego.datasets.kitchen.poses import DOOR, HAND, ITEM, KNOB, LEVER, PERSON, Poses
from ego.datasets.kitchen.sprites import Matrix, Pixels


def between(film: Film, poses: Poses, index: int, parts: Pixels) -> NDArray[np.float16]:
    """(h, w, 2) how far, in pixels right and down, what is seen in frame `index` is in the next one.

    `parts` are the part numbers of frame `index`. Streams of water count as still.
    """
    height, width = parts.shape
    x, y = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
    grid = np.stack([x, y], -1)
    to_pixels = np.diag([1 / film.scale, 1 / film.scale, 1.0])
    here, there = film.cameras[index] @ to_pixels, film.cameras[index + 1] @ to_pixels
    back = np.linalg.inv(here)
    flow = through(there @ back, grid) - grid
    for part in np.unique(parts):
        moved = _moved(film, poses, int(part), index)
        if moved is not None:
            where = parts == part
            flow[where] = through(there @ moved @ back, grid[where]) - grid[where]
    return np.asarray(flow, np.float16)


def _moved(film: Film, poses: Poses, part: int, index: int) -> Matrix | None:
    """How a part moves over the still room from one frame to the next; None: not at all."""
    before, after = _pose(film, poses, part, index), _pose(film, poses, part, index + 1)
    return None if before is None or after is None else after @ np.linalg.inv(before)


def _pose(film: Film, poses: Poses, part: int, index: int) -> Matrix | None:
    if part >= PERSON:
        return poses.person((part - PERSON) // 8, index)[(part - PERSON) % 8]
    if part in (LEVER, KNOB):
        return poses.twist("tap" if part == LEVER else "hob", index)
    if DOOR <= part < LEVER:
        return poses.door(list(film.spots.doors)[part - DOOR], index)
    if ITEM["cup"] <= part < DOOR:
        return poses.item(next(noun for noun, number in ITEM.items() if number == part), index)
    if HAND <= part < HAND + 24:
        return poses.hand(index, (part - HAND) // 12, (part - HAND) % 12)
    return None
