"""The lens and the chip: motion blur, light, exposure, noise."""

import cv2
import numpy as np

from ego.datasets.kitchen.film import Film
from ego.datasets.kitchen.paths import drift, through
from ego.datasets.kitchen.sprites import Matrix, Pixels

SHUTTER = 0.5
"""The part of a frame's time that the shutter is open."""

BALANCE = 0.3
"""How far the camera evens out colours, as automatic white balance does: 0 not at all, 1 to grey."""

METERING = 0.65
"""How far it evens out brightness."""

TILES = 5
MARGIN = 48


class Lens:
    """Turns clean frames into what a small head camera records."""

    def __init__(self, film: Film) -> None:
        self._film = film
        order, light = film.order, film.cast.light
        rng = np.random.default_rng([order.seed, order.index, 61])
        width, height = order.size
        x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
        fall = np.clip(1 - (1 - light.corners) * 0.5 * (x**2 + y**2), 0, 1)
        self._corners = np.repeat((255 * fall).astype(np.uint8)[..., None], 3, 2)
        noise = light.noise * rng.standard_normal((TILES, height + MARGIN, width + MARGIN, 3)).astype(np.float32)
        noise = 0.75 * noise + 0.5 * noise.mean(-1, keepdims=True)
        self._up = np.clip(np.rint(noise), 0, 255).astype(np.uint8)
        self._down = np.clip(np.rint(-noise), 0, 255).astype(np.uint8)
        self._shifts = rng.integers(0, (TILES, MARGIN, MARGIN), (len(film.times), 3))
        target = 122 * light.level * np.array(light.gains) * np.exp(rng.normal(0, 0.03, 3))
        self._target = target * np.exp(0.05 * drift(film.times, rng, 1, 0.15) + 0.025 * drift(film.times, rng, 3, 0.2))
        self._gain = np.ones(3)
        self._first = True
        self._speed = _speed(film)
        self._hands = _hand_speed(film)

    def take(self, index: int, picture: Pixels, parts: Pixels) -> Pixels:
        """The recorded frame; exposure follows slowly, as a camera's does."""
        picture = self._blurred(index, picture, parts)
        picture = np.asarray(cv2.multiply(picture, self._corners, scale=1 / 255), np.uint8)
        mean = picture[8::16, 8::16].reshape(-1, 3).mean(0) + 4
        wanted = (self._target[index] / (mean**BALANCE * mean.mean() ** (1 - BALANCE))) ** METERING
        follow = 1.0 if self._first else 0.12
        self._gain = self._gain + follow * (np.clip(wanted, 0.5, 1.8) - self._gain)
        self._first = False
        steps = np.arange(256)[:, None] * self._gain
        table = 255 * (1 - np.exp(-steps / 255 * 1.25)) / (1 - np.exp(-1.25)) * 0.9 + 4
        picture = np.asarray(cv2.LUT(picture, np.clip(table, 0, 255).astype(np.uint8)[None]), np.uint8)
        tile, top, left = self._shifts[index]
        area = (tile, slice(top, top + picture.shape[0]), slice(left, left + picture.shape[1]))
        cv2.add(picture, self._up[area], dst=picture)
        cv2.subtract(picture, self._down[area], dst=picture)
        return picture

    def _blurred(self, index: int, picture: Pixels, parts: Pixels) -> Pixels:
        """Smeared by the head's own turn, then the hands by theirs."""
        moved = self._speed[index] * SHUTTER
        if np.hypot(*moved) > 1.4:
            picture = np.asarray(cv2.filter2D(picture, -1, _streak(moved, 9)), np.uint8)
        for side in range(2):
            moved = self._hands[index, side] * SHUTTER
            if np.hypot(*moved) > 2.5:
                _smear(picture, parts, 1 + 12 * side, _streak(moved, 15))
        return picture


def _smear(picture: Pixels, parts: Pixels, first: int, streak: Matrix) -> None:
    """Smears what belongs to one hand, and softly what lies around it."""
    own = cv2.inRange(parts, np.array([first]), np.array([first + 11]))
    left, top, width, height = cv2.boundingRect(own)
    if width == 0 or height == 0:
        return
    reach = streak.shape[0]
    rows = slice(max(0, top - reach), top + height + reach)
    columns = slice(max(0, left - reach), left + width + reach)
    near = picture[rows, columns]
    soft = cv2.merge([cv2.filter2D(own[rows, columns], -1, streak)] * 3)
    smeared = cv2.multiply(cv2.filter2D(near, -1, streak), soft, scale=1 / 255)
    picture[rows, columns] = cv2.add(smeared, cv2.multiply(near, cv2.bitwise_not(soft), scale=1 / 255))


def _streak(moved: Matrix, longest: int) -> Matrix:
    """A line kernel as long as the movement, at most `longest` pixels."""
    length = float(np.hypot(*moved))
    reach = min(longest, max(3, int(np.ceil(length)) | 1))
    kernel = np.zeros((reach, reach), np.float32)
    middle, half = (reach - 1) / 2, np.asarray(moved) / length * (reach - 1) / 2
    start, stop = np.rint(middle - half).astype(int), np.rint(middle + half).astype(int)
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(stop[0]), int(stop[1])), 1.0)
    return np.asarray(kernel / kernel.sum(), np.float64)


def _speed(film: Film) -> Matrix:
    """(T, 2) pixels a frame by which the middle of the view moves."""
    middle = np.array(film.order.size, float) / 2
    back = np.linalg.inv(film.cameras)
    moved = np.zeros((len(film.times), 2))
    for index in range(1, len(moved)):
        moved[index] = middle - through(film.cameras[index] @ back[index - 1], middle)
    return moved


def _hand_speed(film: Film) -> Matrix:
    """(T, 2, 2) pixels a frame by which each hand moves over the counter."""
    moved = np.zeros((len(film.times), 2, 2))
    moved[1:] = np.diff(film.points[:, :, 1], axis=0) * film.scale
    return moved
