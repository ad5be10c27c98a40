"""A play sampled at the frames: paths of the hands, of doors and taps, of the eyes and of the head."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ego.datasets.kitchen.play import Play, Pose
from ego.datasets.kitchen.room import CENTRE, Point
from ego.datasets.kitchen.sprites import Matrix

UNTRACKED, FIXATION, SACCADE, UNKNOWN, TRUNCATED = range(5)
"""Types of gaze, as the gaze files of the field number them."""

FOCAL = 360.0
"""Of the camera, in units: a picture 456 units wide sees 65 degrees."""


def smooth_step(u: Matrix) -> Matrix:
    """The minimum-jerk rise from 0 to 1 (Flash and Hogan 1985)."""
    u = np.clip(u, 0, 1)
    return u * u * u * (10 - 15 * u + 6 * u * u)


def keyed(times: Matrix, keys: Sequence[tuple[float, float]]) -> Matrix:
    """A value at each time from its (seconds, value) keys, at rest at each key."""
    at, values = np.array([key[0] for key in keys]), np.array([key[1] for key in keys], float)
    after = np.clip(np.searchsorted(at, times, side="right"), 1, max(1, len(at) - 1))
    if len(at) == 1:
        return np.full(len(times), values[0])
    span = np.maximum(at[after] - at[after - 1], 1e-6)
    rise = smooth_step((times - at[after - 1]) / span)
    return np.asarray(values[after - 1] + rise * (values[after] - values[after - 1]))


def hand(times: Matrix, keys: Sequence[tuple[float, Pose]], rng: np.random.Generator) -> Matrix:
    """(T, 5) pose of one hand: minimum-jerk moves, slightly arched, with the tremor of a living hand."""
    path = np.stack([keyed(times, [(when, pose[axis]) for when, pose in keys]) for axis in range(5)], 1)
    at = np.array([when for when, _ in keys])
    for first in range(len(at) - 1):
        (x, y), (x2, y2) = keys[first][1][:2], keys[first + 1][1][:2]
        far = float(np.hypot(x2 - x, y2 - y))
        if far > 30:
            u = (times - at[first]) / max(at[first + 1] - at[first], 1e-6)
            inside = (u > 0) & (u < 1)
            path[inside, 1] -= 0.09 * far * np.sin(np.pi * smooth_step(u[inside]))
    path[:, :2] += 1.1 * drift(times, rng, 2, 1.2)
    path[:, 2] += 1.5 * drift(times, rng, 1, 1.0)[:, 0]
    return path


def waves(times: Matrix, play: Play, side: int) -> Matrix:
    """(T, 2) the to and fro of one hand in units."""
    moved = np.zeros((len(times), 2))
    for wave in play.waves:
        if wave.side == side:
            u = (times - wave.start) / (wave.stop - wave.start)
            strength = smooth_step(u * 8) * smooth_step((1 - u) * 8)
            angle = 2 * np.pi * wave.hertz * (times - wave.start)
            moved[:, 0] += strength * wave.across * np.cos(angle)
            moved[:, 1] += strength * wave.down * np.sin(angle)
    return moved


def drift(times: Matrix, rng: np.random.Generator, axes: int, hertz: float) -> Matrix:
    """(T, axes) smooth noise of about unit deviation up to `hertz`, the same whatever the frame rate."""
    total = np.zeros((len(times), axes))
    for axis in range(axes):
        for _ in range(6):
            rate, phase = rng.uniform(0.15, 1.0) * hertz, rng.uniform(0, 2 * np.pi)
            total[:, axis] += np.sin(2 * np.pi * rate * times + phase)
    return np.asarray(total / np.sqrt(3))


def eyes(
    times: Matrix, events: Sequence[tuple[float, Point]], rng: np.random.Generator
) -> tuple[Matrix, NDArray[np.uint8]]:
    """(T, 2) point of the world that is looked at, in units, and (T,) type.

    `events` are the targets and when the eyes arrive there; between them the eyes hop about the target
    every few hundred milliseconds, drift a little, and now and then blink.
    """
    hops = sorted(_hops(events, float(times[-1]), rng))
    point, kind = np.tile(hops[0][1], (len(times), 1)).astype(float), np.full(len(times), FIXATION, np.uint8)
    for (_, old), (when, new) in pairwise(hops):
        far = float(np.hypot(new[0] - old[0], new[1] - old[1]))
        length = 0.021 + 0.0022 * far / FOCAL * 57.3
        u = (times - (when - length)) / length
        point[u > 0] += smooth_step(u[u > 0])[:, None] * (np.array(new) - np.array(old))
        kind[(u > -0.15) & (u < 1)] = SACCADE
    point += 0.5 * drift(times, rng, 2, 1.5)
    when = float(rng.uniform(1, 5))
    while when < times[-1]:
        kind[(times >= when) & (times < when + 0.13)] = UNTRACKED
        when += float(rng.uniform(2.5, 7))
    return point, kind


def _hops(events: Sequence[tuple[float, Point]], end: float, rng: np.random.Generator) -> list[tuple[float, Point]]:
    hops: list[tuple[float, Point]] = []
    for number, (when, at) in enumerate(events):
        until = events[number + 1][0] if number + 1 < len(events) else end
        hops.append((when, at))
        when += float(rng.uniform(0.35, 0.9))
        while when < until - 0.2:
            x, y = rng.normal(0, 7, 2)
            hops.append((when, (at[0] + x, at[1] + y)))
            when += float(rng.uniform(0.3, 0.8))
    return hops


def head(times: Matrix, looked_at: Matrix, lift: float, rng: np.random.Generator, size: tuple[int, int]) -> Matrix:
    """(T, 3, 3) homography from units of the world to pixels of a picture of `size` (width, height).

    The head turns smoothly towards what is looked at, sways, steps from foot to foot when it turns far,
    and trembles. `lift` is how many units higher than its work it looks.
    """
    aim = softened(looked_at, times, 0.55)
    x = np.clip(0.62 * (aim[:, 0] - CENTRE[0]), -115, 115)
    y = np.clip(0.55 * (aim[:, 1] - 330) + 318 - lift - CENTRE[1], -110, 75)
    walk = np.abs(np.gradient(x, times)) if len(times) > 1 else np.zeros(1)
    walk = np.clip(softened(walk[:, None], times, 0.4)[:, 0] / 60, 0, 1)
    phase = 2 * np.pi * float(rng.uniform(1.6, 2.1)) * times
    sway, shake, roll = drift(times, rng, 2, 0.35), drift(times, rng, 2, 6.0), drift(times, rng, 1, 0.5)[:, 0]
    yaw = np.arctan((x + 7 * sway[:, 0] + 4 * walk * np.sin(phase / 2)) / FOCAL) + 0.0011 * shake[:, 0]
    pitch = np.arctan((y + 5 * sway[:, 1] + 3 * walk * np.sin(phase)) / FOCAL) + 0.0011 * shake[:, 1]
    zoom = 1 + 0.012 * drift(times, rng, 1, 0.3)[:, 0]
    turned = np.deg2rad(1.3 * roll + 0.8 * walk * np.sin(phase / 2))
    return np.stack([_view(*row, size) for row in zip(yaw, pitch, turned, zoom, strict=True)])


def _view(yaw: float, pitch: float, roll: float, zoom: float, size: tuple[int, int]) -> Matrix:
    """K R K'^-1: the world's plane straight ahead onto the picture of a head turned by these angles."""
    width, height = size
    scale = height / 256 * zoom
    back = np.array([[1 / FOCAL, 0, -CENTRE[0] / FOCAL], [0, 1 / FOCAL, -CENTRE[1] / FOCAL], [0, 0, 1.0]])
    lens = np.array([[FOCAL * scale, 0, width / 2], [0, FOCAL * scale, height / 2], [0, 0, 1.0]])
    cy, sy, cp, sp, cr, sr = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch), np.cos(roll), np.sin(roll)
    about_y = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1.0]])
    whole = lens @ about_z @ about_x @ about_y @ back
    return np.asarray(whole / whole[2, 2])


def softened(values: Matrix, times: Matrix, seconds: float) -> Matrix:
    """Values (T, n) averaged over time by a Gaussian of this deviation, the ends held."""
    step = float(times[1] - times[0]) if len(times) > 1 else 1.0
    reach = max(1, round(3 * seconds / step))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * step / seconds) ** 2)
    kernel /= kernel.sum()
    padded = np.pad(values, ((reach, reach), (0, 0)), mode="edge")
    return np.stack([np.convolve(column, kernel, "valid") for column in padded.T], 1)


def through(homography: Matrix, points: Matrix) -> Matrix:
    """Points (..., 2) taken through a homography."""
    flat = points @ homography[:2, :2].T + homography[:2, 2]
    depth = points @ homography[2, :2] + homography[2, 2]
    return np.asarray(flat / depth[..., None])
