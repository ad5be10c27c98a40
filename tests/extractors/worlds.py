"""Small worlds whose motion is known, and trackers run over them block by block."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from ego.datasets.kitchen import flow
from ego.datasets.kitchen.film import Order, direct
from ego.datasets.kitchen.paths import through
from ego.datasets.kitchen.shoot import Shoot
from ego.extractors._base import Beside, Block, Rows, Tracker
from ego.extractors.motion_map import MotionMap

FPS = 25
Pictures = Any


def texture(height: int, width: int, seed: int = 0, sigma: float = 3.0) -> Any:
    """(h, w, 3) uint8: noise blurred with `sigma`, stretched to the full range."""
    noise = np.random.default_rng(seed).standard_normal((height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigma)
    smooth = (smooth - smooth.mean()) / smooth.std()
    grey = np.clip(128 + 45 * smooth, 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def shifted(frames: int, step: tuple[int, int], height: int = 270, width: int = 480, seed: int = 0) -> Pictures:
    """Pictures of a texture that moves by `step` pixels a frame, right and down."""
    reach = (abs(step[0]) * frames, abs(step[1]) * frames)
    world = texture(height + reach[1], width + reach[0], seed)
    left, top = (reach[axis] if step[axis] > 0 else 0 for axis in range(2))
    return np.stack([
        world[top - step[1] * t :, left - step[0] * t :][:height, :width] for t in range(frames)
    ])  # fmt: skip


def turning(frames: int, height: int = 540, width: int = 960) -> tuple[Pictures, Any]:
    """A textured still seen by a camera that turns, rolls and zooms; and its homographies, still to frame."""
    still = texture(height + 400, width + 400, 5)
    to_frame = []
    for t in range(frames):
        angle, zoom = 0.012 * np.sin(t / 7), 1 + 0.02 * np.sin(t / 9)
        turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        middle = np.array([width / 2 + 200, height / 2 + 200])
        pan = np.array([width / 2 + 60 * np.sin(t / 12), height / 2 + 40 * np.sin(t / 10)])
        matrix = np.eye(3)
        matrix[:2, :2], matrix[:2, 2] = turn, pan - turn @ middle
        matrix[2, :2] = 4e-6 * np.sin(t / 8), 3e-6 * np.sin(t / 11)
        to_frame.append(matrix)
    return np.stack([cv2.warpPerspective(still, one, (width, height)) for one in to_frame]), np.stack(to_frame)


def patched(frames: int = 30, size: int = 60) -> tuple[Pictures, Any]:
    """Check 3 of the method: camera (2, 1) a frame, a patch (3, 0) more; and where the patch is, (T, h, w)."""
    pictures = shifted(frames, (2, 1)).copy()
    patch = texture(size, size, 9, 2.0)
    where = np.zeros(pictures.shape[:3], bool)
    for t in range(frames):
        left, top = 120 + 5 * t, 90 + t
        pictures[t, top : top + size, left : left + size] = patch
        where[t, top : top + size, left : left + size] = True
    return pictures, where


@dataclass(frozen=True)
class Cook:
    """A kitchen: its pictures, its truth by name, `mask` what counts as moving and `moving` what does move."""

    pictures: Pictures
    truth: Any
    mask: Any
    moving: Any

    def camera(self, frame: int, step: int = 1) -> Any:
        """What moves the background from a frame to a later one, in pixels."""
        return self.truth["camera"][frame + step] @ np.linalg.inv(self.truth["camera"][frame])


def kitchen(seed: int, index: int, seconds: float, size: tuple[int, int], judge: bool = True) -> Cook:
    """A drawn kitchen, uncompressed.

    `moving` is the mask without the parts that, over a third of a second, never move by more than a pixel a frame
    against the background; without `judge` it is not looked into.
    """
    shoot = Shoot(direct(Order(seed, index, "train", seconds, 30, size)))
    pictures, parts = [], []
    for picture in shoot.frames():
        pictures.append(picture.copy())
        parts.append(shoot.parts.copy())
    speed = np.zeros((len(parts), 256))
    for t in range(len(parts) - 1 if judge else 0):
        for part in np.unique(parts[t][::4, ::4]):
            speed[t, part] = _own_pixels(shoot, t, part, parts[t])
    moves = [speed[max(0, t - 5) : t + 5].max(axis=0) > 1 for t in range(len(parts))]
    mask = np.stack([part > 0 for part in parts])
    moving = np.stack([move[part] & (part > 0) for move, part in zip(moves, parts, strict=True)])
    return Cook(np.stack(pictures), shoot.arrays, mask, moving)


def _own_pixels(shoot: Shoot, t: int, part: int, parts: Any) -> float:
    """How far a part moves against the background until the next frame, in the median over its pixels."""
    film, scale = shoot.film, np.diag([1 / shoot.film.scale, 1 / shoot.film.scale, 1.0])
    moved = flow._moved(film, shoot.poses, int(part), t)
    if moved is None:
        return 0.0
    here, there = film.cameras[t] @ scale, film.cameras[t + 1] @ scale
    points = 4.0 * np.argwhere(parts[::4, ::4] == part)[:, ::-1]
    own = through(there @ moved @ np.linalg.inv(here), points) - through(there @ np.linalg.inv(here), points)
    return float(np.median(np.hypot(own[:, 0], own[:, 1])))


def blocks(pictures: Pictures, size: int = 16, held: Rows | None = None, name: str = "tracks") -> list[Block]:
    """The frames as blocks, with the rows of one extractor that end with each."""
    found = []
    for start in range(0, len(pictures), size):
        frames = np.arange(start, min(start + size, len(pictures)))
        time = np.stack([frames, frames + 0.5, frames + 1], 1) / FPS
        source = np.stack([frames, frames, frames * 512, frames * 512], 1)
        beside = {} if held is None else {name: _between(held, frames[0], frames[-1])}
        found.append(Block({"frames": pictures[frames]}, time, source, beside))
    return found


def _between(rows: Rows, first: int, last: int) -> Rows:
    kept = (rows.source[:, 1] >= first) & (rows.source[:, 1] <= last)
    return Rows({name: array[kept] for name, array in rows.arrays.items()}, rows.time[kept], rows.source[kept])


def follow(tracker: Tracker, given: Sequence[Block], width: int, height: int) -> Rows:
    """All rows of a tracker, cast as they are stored."""
    arrays = tracker.rows({})
    parts = list(tracker.follow(iter(given), Beside({}, width, height), {}, "cpu"))
    if not parts:
        empty = {name: np.zeros((0, *array.shape), array.dtype) for name, array in arrays.items()}
        return Rows(empty, np.zeros((0, 3)), np.zeros((0, 4), np.int64))
    joined = {name: np.concatenate([array.cast(part.arrays[name]) for part in parts]) for name, array in arrays.items()}
    return Rows(joined, np.concatenate([part.time for part in parts]), np.concatenate([part.source for part in parts]))


def track(spec: Tracker, pictures: Pictures, size: int = 16) -> Rows:
    """The rows of an extractor that sees pictures of just its height."""
    return follow(spec, blocks(pictures, size), pictures.shape[2], pictures.shape[1])


def maps(spec: MotionMap, pictures: Pictures, size: int = 16) -> Rows:
    """The motion maps of pictures of just idt's height."""
    tracks = track(spec.idt, pictures, size)
    return follow(spec, blocks(pictures, size, tracks), pictures.shape[2], pictures.shape[1])


def recall(found: Any, truth: Any) -> float:
    """The share of what is true that is found."""
    return float((found & truth).sum() / truth.sum())


def precision(found: Any, truth: Any, radius: int) -> float:
    """The share of what is found that lies within `radius` pixels of what is true."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    near = np.stack([cv2.dilate(one.astype(np.uint8), disc) > 0 for one in truth])
    return float((found & near).sum() / found.sum())


def corner_error(found: Any, true: Any, width: int, height: int) -> float:
    """The mean distance, in pixels, at the four corners of the picture."""
    corners = np.array([[[0, 0]], [[width - 1, 0]], [[width - 1, height - 1]], [[0, height - 1]]], np.float32)
    far = cv2.perspectiveTransform(corners, found) - cv2.perspectiveTransform(corners, true)
    return float(np.hypot(far[:, 0, 0], far[:, 0, 1]).mean())
