"""Textured cut-outs and how they are laid over a picture, each with the number of the part it shows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Matrix = NDArray[np.float64]
Colour = tuple[int, int, int]
Number = float | Matrix

FINE = 4
"""How much finer a sprite is drawn than it is kept, for smooth edges."""


@dataclass(frozen=True, eq=False)
class Sprite:
    """A cut-out: `rgba` (h, w, 4) uint8 with colour already multiplied by alpha, and its anchor in pixels."""

    rgba: Pixels
    anchor: tuple[float, float]


class Sheet:
    """Paper for one sprite in units of the world, drawn `FINE` times finer than the sprite it becomes."""

    def __init__(self, width: float, height: float, scale: float) -> None:
        self.scale = scale
        self._fine = scale * FINE
        self.rgb = np.zeros((round(height * self._fine), round(width * self._fine), 3), np.uint8)
        self.alpha = np.zeros(self.rgb.shape[:2], np.uint8)

    def polygon(self, points: Sequence[tuple[float, float]], colour: Colour) -> None:
        """A filled polygon; points are (x, y) in units."""
        corners = np.rint(np.asarray(points, float) * self._fine).astype(np.int32)
        cv2.fillPoly(self.rgb, [corners], colour)
        cv2.fillPoly(self.alpha, [corners], 255)

    def ellipse(self, x: float, y: float, across: float, down: float, colour: Colour, turn: float = 0.0) -> None:
        """A filled ellipse with half axes `across` and `down`, turned by degrees."""
        box = ((x * self._fine, y * self._fine), (2 * across * self._fine, 2 * down * self._fine), turn)
        cv2.ellipse(self.rgb, box, colour, -1)
        cv2.ellipse(self.alpha, box, 255, -1)

    def stroke(self, points: Sequence[tuple[float, float]], thick: float, colour: Colour) -> None:
        """A line with round ends through the points."""
        corners = np.rint(np.asarray(points, float) * self._fine).astype(np.int32)
        width = max(1, round(thick * self._fine))
        cv2.polylines(self.rgb, [corners], False, colour, width)
        cv2.polylines(self.alpha, [corners], False, 255, width)

    def grain(self, rng: np.random.Generator, strength: float, size: float = 2.0) -> None:
        """Fine blotches over all that is drawn, so that a surface can be followed."""
        noise = blotches(rng, self.alpha.shape, size * self._fine) * strength
        self.rgb = np.clip(self.rgb + noise[..., None], 0, 255).astype(np.uint8)

    def round_off(self, strength: float = 0.35) -> None:
        """Shades the sides darker than the lit upper left, as light from the window does."""
        across = np.linspace(-1, 1, self.alpha.shape[1])[None, :] + 0.3
        down = np.linspace(-1, 1, self.alpha.shape[0])[:, None] + 0.3
        light = 1.08 - strength * np.clip(across**2 + 0.4 * down**2, 0, 1.5)
        self.rgb = np.clip(self.rgb * light[..., None], 0, 255).astype(np.uint8)

    def cut(self, anchor: tuple[float, float]) -> Sprite:
        """The finished sprite; `anchor` is its point of rest in units."""
        size = (round(self.rgb.shape[1] / FINE), round(self.rgb.shape[0] / FINE))
        flat = cv2.multiply(self.rgb, cv2.merge([self.alpha] * 3), scale=1 / 255)
        rgba = np.dstack([flat, self.alpha])
        small = cv2.resize(rgba, size, interpolation=cv2.INTER_AREA)
        padded = cv2.copyMakeBorder(small, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(0, 0, 0, 0))
        at = (anchor[0] * self.scale + 1, anchor[1] * self.scale + 1)
        return Sprite(np.asarray(padded, np.uint8), at)


def blotches(rng: np.random.Generator, shape: Sequence[int], size: float) -> NDArray[np.float32]:
    """Smooth noise of unit deviation whose spots are `size` pixels wide."""
    coarse = (max(2, round(shape[0] / size)), max(2, round(shape[1] / size)))
    seed = rng.standard_normal(coarse).astype(np.float32)
    return np.asarray(cv2.resize(seed, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), np.float32)


def placed(
    x: Number, y: Number, degrees: Number = 0.0, across: Number = 1.0, along: Number = 1.0, flip: bool = False
) -> Matrix:
    """(..., 3, 3) matrices that scale, turn clockwise by `degrees` and move the origin to (x, y)."""
    angle = np.deg2rad(degrees)
    cos, sin = np.cos(angle), np.sin(angle)
    across = -across if flip else across
    cells = np.broadcast_arrays(cos * across, -sin * along, x, sin * across, cos * along, y, 0.0, 0.0, 1.0)
    return np.stack(cells, -1).reshape(*cells[0].shape, 3, 3)


def lay(picture: Pixels, parts: Pixels, sprite: Sprite, pose: Matrix, part: int, opacity: float = 1.0) -> None:
    """Lays a sprite over `picture` and writes its number into `parts` where it covers (0: leaves `parts` alone).

    `pose` maps the sprite's pixels, measured from its anchor, to the picture's.
    """
    moved = pose @ np.array([[1, 0, -sprite.anchor[0]], [0, 1, -sprite.anchor[1]], [0, 0, 1.0]])
    height, width = sprite.rgba.shape[:2]
    corners = moved[:2, :2] @ np.array([[0, width, width, 0], [0, 0, height, height]]) + moved[:2, 2:]
    left, top = np.maximum(np.floor(corners.min(1)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(1)).astype(int) + 1, (picture.shape[1], picture.shape[0]))
    if right <= left or bottom <= top:
        return
    moved[:2, 2] -= (left, top)
    warped = cv2.warpAffine(sprite.rgba, moved[:2], (int(right - left), int(bottom - top)))
    if opacity < 1:
        warped = cv2.convertScaleAbs(warped, alpha=opacity)
    alpha = cv2.extractChannel(warped, 3)
    blend(picture[top:bottom, left:right], cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB), alpha)
    if part:
        np.copyto(parts[top:bottom, left:right], np.uint8(part), where=alpha > 127)


def blend(under: Pixels, over: Any, alpha: Any) -> None:
    """`under` becomes `over` (already multiplied by `alpha`) on top of itself."""
    keep = cv2.bitwise_not(alpha)
    cv2.multiply(under, cv2.merge([keep, keep, keep]), dst=under, scale=1 / 255)
    cv2.add(under, over, dst=under)
