"""Improved dense trajectories frame by frame: what `idt` does with the pictures of one video."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ego.extractors._base import Block, Rows
from ego.extractors._homography import between, corners, eigen, outside, stabilise
from ego.extractors._idt_descriptors import Described, trajectory, width_of
from ego.extractors._idt_flow import ENGINES, Field, Pixels, Pyramid, pyramid, sizes
from ego.extractors._idt_gain import Step, gain, step
from ego.extractors._idt_tracks import Tracks, survives

if TYPE_CHECKING:
    from ego.extractors.idt import IDT

Arrays = dict[str, NDArray[Any]]

SHORTEST = 4
"""Steps of a track in a clip too short for whole ones; a clip with fewer has none."""


class Follower:
    """The pictures of one video in, tracks out: memory is the pictures of one track and the points alive."""

    def __init__(self, spec: "IDT", width: int, height: int) -> None:
        self._spec = spec
        self._engine = ENGINES[spec.engine]()
        every = sizes(width, height)
        self._levels = every[: spec.scales]
        self._seen = every if self._engine.whole_pyramid else self._levels
        self._tracks = [
            Tracks(size, (width / size[0], height / size[1]), spec.length, spec.stride) for size in self._levels
        ]
        self._described = [Described(spec.descriptors, tracks) for tracks in self._tracks]
        self._before: Pyramid | None = None
        self._keep: Pixels | None = None
        self._eigen = np.zeros((0, 0), np.float32)
        self._steps: deque[Step] = deque(maxlen=spec.length)
        self._frames = 0

    @property
    def sampled(self) -> int:
        """How many points were put down so far."""
        return sum(tracks.sampled for tracks in self._tracks)

    def push(self, picture: Pixels, keep: Pixels | None = None) -> Arrays:
        """The tracks that end with this picture (h, w, 3); `keep` is 0 where no camera motion may be read."""
        now = pyramid(np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8), self._seen)
        self._frames += 1
        if self._before is not None:
            self._advance(self._before, now, keep)
        ended = self._ended(self._spec.length)
        for level, (tracks, described) in enumerate(zip(self._tracks, self._described, strict=True)):
            found = eigen(now[level])
            described.begin(tracks.sample(found, self._spec.quality))
            if level == 0:
                self._eigen = found
        self._before, self._keep = now, keep
        return ended

    def finish(self) -> Arrays:
        """The tracks of a clip too short for any: from its first frame to its last, four steps at least."""
        steps = self._frames - 1
        return self._ended(steps) if SHORTEST <= steps < self._spec.length else self._none()

    def _advance(self, before: Pyramid, now: Pyramid, keep: Pixels | None) -> None:
        flow, stable = self._flows(before, now, keep)
        parts = zip(self._tracks, self._described, before[: len(self._levels)], flow, stable, strict=True)
        for tracks, described, grey, moves, own in parts:
            described.see(grey, own)
            tracks.advance(moves, own)

    def _flows(self, before: Pyramid, now: Pyramid, keep: Pixels | None) -> tuple[list[Field], list[Field]]:
        """The ordinary flow at each level, and the one that is left when the camera is held still."""
        flow = self._engine.flow(before, now, self._levels)
        masks = (self._keep, keep)
        start = corners(self._spec.camera, before[0], self._eigen, self._keep)
        moves = flow[0].at(start.astype(np.int64) @ (1, before[0].shape[1]))
        motion = between(self._spec.camera, before[0], now[0], (start, start + moves), masks)
        warped = stabilise(now[0], motion, before[0])
        self._steps.append(step(before[0], warped))
        stable = pyramid(warped, self._seen) if self._engine.whole_pyramid else [warped]
        return flow, self._engine.flow(before, stable, self._levels)

    def _ended(self, length: int) -> Arrays:
        levels = [self._of_level(level, length) for level in range(len(self._levels))]
        found = {name: np.concatenate([one[name] for one in levels]) for name in levels[0]}
        pixels = found["points"] * np.array(self._levels[0], np.float32) - np.float32(0.5)
        gained = gain(self._steps, pixels, found["own_pixels"][:, :length])
        return found | {"gain": np.pad(gained, ((0, 0), (0, self._spec.length - length)))}

    def _of_level(self, level: int, length: int) -> Arrays:
        """The survivors of one level; a path shorter than L ends with its last point again and again."""
        spec, size = self._spec, np.array(self._levels[level], np.float32)
        ended = self._tracks[level].end(length)
        # a pixel is its centre: level and picture agree on where that is
        fractions = (ended.points + np.float32(0.5)) / size
        kept = survives(fractions * np.array(self._levels[0], np.float32), ended.own, spec)
        points = np.pad(fractions[kept], ((0, 0), (0, spec.length - length), (0, 0)), mode="edge")
        own = np.pad(ended.own[kept], ((0, 0), (0, spec.length - length), (0, 0)))
        arrays: Arrays = {"points": points, "own_pixels": own, "scale": np.full(len(points), level, np.int8)}
        if spec.descriptors:
            arrays |= self._described[level].of(ended.places[kept])
        if "trajectory" in spec.descriptors:
            steps = np.pad(ended.points[kept], ((0, 0), (0, spec.length - length), (0, 0)), mode="edge")
            arrays["trajectory"] = trajectory(steps)
        return arrays

    def _none(self) -> Arrays:
        spec = self._spec
        empty: Arrays = {name: np.zeros((0, width_of(name, spec.length)), np.float32) for name in spec.descriptors}
        points, own = np.zeros((0, spec.length + 1, 2), np.float32), np.zeros((0, spec.length, 2), np.float32)
        return {"points": points, "own_pixels": own, "gain": own[..., 0], "scale": np.zeros(0, np.int8), **empty}


def follow(spec: "IDT", blocks: Iterable[Block]) -> Iterator[Rows]:
    """The rows of `idt` for one video: those that end with a block before the next is taken."""
    follower: Follower | None = None
    recent: deque[tuple[NDArray[np.float64], NDArray[np.int64]]] = deque(maxlen=spec.length + 1)
    for block in blocks:
        pictures = block.pictures["frames"]
        if len(pictures) == 0:  # rows it holds may end after the last frame
            continue
        if follower is None:
            follower = Follower(spec, pictures.shape[2], pictures.shape[1])
        found = []
        for place, picture in enumerate(pictures):
            recent.append((block.time[place], block.source[place]))
            ended = follower.push(picture, _keep(block, place, picture))
            if len(ended["points"]):
                found.append(_rows(ended, recent))
        if found:
            yield _joined(found)
    ended = follower.finish() if follower is not None else {}
    if ended and len(ended["points"]):
        yield _rows(ended, recent)


def _keep(block: Block, place: int, picture: Pixels) -> Pixels | None:
    hands = block.held.get("hands")
    if hands is None:
        return None
    row = int(np.searchsorted(hands.time[:, 0], block.time[place, 0], side="right")) - 1
    if row < 0:
        return None
    return outside(hands.arrays["boxes"][row], hands.arrays["visible"][row] > 0, *picture.shape[:2])


def _rows(ended: Arrays, recent: "deque[tuple[NDArray[np.float64], NDArray[np.int64]]]") -> Rows:
    """Tracks that began with the oldest of the recent frames and end with the newest."""
    (first, begun), (last, done) = recent[0], recent[-1]
    count = len(ended["points"])
    time = np.array([first[0], (first[0] + last[2]) / 2, last[2]])
    source = np.array([begun[0], done[1], begun[2], done[3]], np.int64)
    return Rows(ended, np.tile(time, (count, 1)), np.tile(source, (count, 1)))


def _joined(rows: list[Rows]) -> Rows:
    arrays = {name: np.concatenate([one.arrays[name] for one in rows]) for name in rows[0].arrays}
    return Rows(arrays, np.concatenate([one.time for one in rows]), np.concatenate([one.source for one in rows]))
