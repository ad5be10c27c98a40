"""The kitchen as a wide still picture in units of the world, and where its fixtures are.

The world is the plane that an upright head sees straight ahead, 960 x 560 units; a head that turns
sees it through a homography, which is exact for any depth. One unit is one pixel of a picture 256 high.
"""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np

from ego.datasets.kitchen.looks import Room
from ego.datasets.kitchen.sprites import Colour, Matrix, Pixels, Sheet, Sprite, blotches

WIDTH, HEIGHT = 960, 560
CENTRE = (480.0, 300.0)
BACK, FRONT = 195, 462
"""Where the counter begins at the wall and ends at the cook, in units from the top."""

Point = tuple[float, float]
Extent = TypeVar("Extent", float, Matrix)


@dataclass(frozen=True)
class Hinged:
    """A door or drawer: its closed rectangle, where the hand holds it, and how far that comes when opened."""

    left: float
    top: float
    width: float
    height: float
    handle: Point
    swing: Point


@dataclass(frozen=True)
class Places:
    """Where things are in one kitchen, in units."""

    sink: Point
    tap: Point
    hob: Point
    knob: Point
    board: Point
    slots: tuple[Point, ...]
    doors: dict[str, Hinged]


def places(room: Room) -> Places:
    """The fixtures of a room; a mirrored one has left and right exchanged."""

    def at(x: float, y: float) -> Point:
        return (WIDTH - x, y) if room.mirrored else (x, y)

    def door(left: float, top: float, width: float, height: float, hinge_right: bool) -> Hinged:
        hinged_right = hinge_right != room.mirrored
        left = WIDTH - left - width if room.mirrored else left
        handle = (left + (9 if hinged_right else width - 9), top + height * 0.62)
        return Hinged(left, top, width, height, handle, ((1 if hinged_right else -1) * width * 0.42, 46.0))

    drawer_left = at(520, 0)[0] - 60
    drawer = Hinged(drawer_left, 470, 120, 50, (drawer_left + 60, 484), (0.0, 46.0))
    slots = ((418, 256), (462, 241), (506, 241), (552, 256), (398, 388), (566, 392), (352, 402), (612, 404))
    return Places(
        sink=at(322, 305), tap=at(322, 236), hob=at(652, 300), knob=at(652, 372), board=at(480, 345),
        slots=tuple(at(*slot) for slot in slots),
        doors={"cupboard": door(575, 52, 92, 118, True), "fridge": door(205, 30, 100, 208, False), "drawer": drawer},
    )  # fmt: skip


def perspective(y: Extent) -> Extent:
    """How large a thing on the counter looks at height `y` of the world: nearer is larger."""
    near: Extent = 0.72 + 0.5 * (np.clip(y, 120, FRONT) - BACK) / (FRONT - BACK)
    return near


def still(room: Room, scale: float, people: bool) -> Pixels:
    """The room without anything that moves, (560, 960, 3) units at `scale`; fixtures stand open, to be covered."""
    rng = np.random.default_rng(room.seed)
    picture = np.zeros((round(HEIGHT * scale), round(WIDTH * scale), 3), np.uint8)
    spots = places(room)
    brush = _Brush(picture, scale)
    _wall(brush, rng, room, people)
    _counter(brush, rng, room)
    _front(brush, room)
    _board(brush, rng, spots.board)
    _sink(brush, spots)
    _hob(brush, spots)
    for name, hinged in spots.doors.items():
        _inside(brush, rng, name, hinged)
    return _lit(picture, rng, scale)


class _Brush:
    """Draws in units on a picture of any scale."""

    def __init__(self, picture: Pixels, scale: float) -> None:
        self.picture, self.scale = picture, scale

    def px(self, *points: Point) -> "np.typing.NDArray[np.int32]":
        return np.rint(np.asarray(points, float) * self.scale).astype(np.int32)

    def area(self, points: list[Point], colour: Colour) -> None:
        cv2.fillPoly(self.picture, [self.px(*points)], colour, cv2.LINE_AA)

    def box(self, left: float, top: float, width: float, height: float, colour: Colour) -> None:
        right, bottom = left + width, top + height
        self.area([(left, top), (right, top), (right, bottom), (left, bottom)], colour)

    def line(self, points: list[Point], thick: float, colour: Colour) -> None:
        width = max(1, round(thick * self.scale))
        cv2.polylines(self.picture, [self.px(*points)], False, colour, width, cv2.LINE_AA)

    def oval(self, x: float, y: float, across: float, down: float, colour: Colour) -> None:
        middle = self.px((x, y))[0]
        axes = self.px((across, down))[0]
        cv2.ellipse(self.picture, (int(middle[0]), int(middle[1])), (int(axes[0]), int(axes[1])), 0, 0, 360, colour,
                    -1, cv2.LINE_AA)  # fmt: skip


def tint(colour: Colour, factor: float) -> Colour:
    """A colour made lighter or darker."""
    red, green, blue = (int(np.clip(one * factor, 0, 255)) for one in colour)
    return red, green, blue


def _wall(brush: _Brush, rng: np.random.Generator, room: Room, people: bool) -> None:
    brush.box(0, 0, WIDTH, BACK, room.wall)
    tile, grout = float(rng.choice([26, 34, 44])), tint(room.wall, 0.82)
    for row, y in enumerate(np.arange(BACK, 60 if not people else 150, -tile * 0.7)):
        brush.line([(0, y), (WIDTH, y)], 1.2, grout)
        for x in np.arange((row % 2) * tile / 2, WIDTH, tile):
            brush.line([(x, y), (x, y - tile * 0.7)], 1.2, grout)
    for _ in range(60):
        x, y = rng.uniform(0, WIDTH), rng.uniform(60, BACK)
        brush.box(x, y, 9, 5, tint(room.wall, rng.uniform(0.94, 1.05)))
    if people:
        return
    for left in (395.0, 480.0):
        brush.box(left, 20, 78, 92, (250, 250, 246))
        brush.box(left + 5, 25, 68, 82, tint((188, 214, 236), rng.uniform(0.85, 1.05)))
        brush.oval(left + 40, 104, 30, 18, tint((118, 152, 96), rng.uniform(0.8, 1.1)))
        brush.box(left, 108, 78, 6, (228, 226, 220))
    brush.box(380, 150, 195, 7, tint(room.doors, 0.85))
    for x in range(392, 565, 21):
        colour = tuple(int(one) for one in rng.integers(70, 220, 3))
        tall = rng.uniform(14, 27)
        brush.box(x, 150 - tall, rng.uniform(9, 14), tall, (colour[0], colour[1], colour[2]))
        brush.box(x, 150 - tall, 9, 4, tint((colour[0], colour[1], colour[2]), 0.6))


def _counter(brush: _Brush, rng: np.random.Generator, room: Room) -> None:
    kind, colour = room.counter
    deep, wide = 420, 1500
    sheet = np.empty((deep, wide, 3), np.float32)
    sheet[:] = colour
    if kind == "wood":
        grain = blotches(rng, (deep, wide // 14), 5)
        sheet += 9 * cv2.resize(grain, (wide, deep))[..., None]
        for y in range(0, deep, 52):
            sheet[y : y + 2] *= 0.72
            sheet[y : y + 52] *= rng.uniform(0.9, 1.08)
    elif kind == "stone":
        sheet += 16 * rng.standard_normal((deep, wide, 1)).astype(np.float32)
        sheet = np.asarray(cv2.GaussianBlur(sheet, (0, 0), 1.1)) + 8 * blotches(rng, (deep, wide), 5)[..., None]
    else:
        veins = np.abs(blotches(rng, (deep, wide), 90) + 0.4 * blotches(rng, (deep, wide), 22))
        sheet -= 42 * np.exp(-((veins * 14) ** 2))[..., None]
    sheet += 2.5 * blotches(rng, (deep, wide), 3)[..., None]
    size = (brush.picture.shape[1], brush.picture.shape[0])
    source = np.array([(0, 0), (wide, 0), (wide, deep), (0, deep)], np.float32)
    target = (np.array([(-60, BACK), (1020, BACK), (1320, FRONT), (-360, FRONT)]) * brush.scale).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(source, target)
    top = cv2.warpPerspective(np.clip(sheet, 0, 255).astype(np.uint8), matrix, size, flags=cv2.INTER_LINEAR)
    first, last = round(BACK * brush.scale), round(FRONT * brush.scale)
    brush.picture[first:last] = top[first:last]
    brush.box(0, BACK - 3, WIDTH, 5, tint(colour, 0.55))
    brush.picture[first : first + round(26 * brush.scale)] = (
        brush.picture[first : first + round(26 * brush.scale)] * np.float32(0.84)
    ).astype(np.uint8)


def _front(brush: _Brush, room: Room) -> None:
    brush.box(0, FRONT, WIDTH, HEIGHT - FRONT, tint(room.doors, 0.62))
    brush.box(0, FRONT, WIDTH, 8, tint(room.counter[1], 0.66))
    for left in range(-20, WIDTH, 125):
        brush.box(left, 472, 119, 84, tint(room.doors, 0.72))
        brush.box(left + 45, 482, 30, 4, (150, 150, 150))


def _board(brush: _Brush, rng: np.random.Generator, at: Point) -> None:
    x, y = at
    colour = tint((196, 152, 100), rng.uniform(0.8, 1.12))
    brush.area([(x - 66, y - 30), (x + 66, y - 30), (x + 78, y + 34), (x - 78, y + 34)], tint(colour, 0.6))
    brush.area([(x - 66, y - 34), (x + 66, y - 34), (x + 77, y + 29), (x - 77, y + 29)], colour)
    for shift in (-20, -7, 7, 19):
        brush.line([(x - 68, y + shift), (x + 68, y + shift)], 0.8, tint(colour, 0.9))


def _sink(brush: _Brush, spots: Places) -> None:
    x, y = spots.sink
    brush.area([(x - 60, y - 42), (x + 60, y - 42), (x + 70, y + 42), (x - 70, y + 42)], (206, 210, 214))
    brush.area([(x - 53, y - 35), (x + 53, y - 35), (x + 61, y + 34), (x - 61, y + 34)], (128, 134, 140))
    brush.area([(x - 50, y - 24), (x + 50, y - 24), (x + 57, y + 32), (x - 57, y + 32)], (158, 164, 170))
    brush.oval(x, y + 6, 9, 5, (70, 74, 80))
    x, y = spots.tap
    brush.oval(x, y + 4, 13, 6, (110, 114, 120))
    brush.line([(x, y + 2), (x, y - 26), (x + 4, y - 34), (x + 10, y - 30), (x + 12, y + 6)], 8, (150, 156, 162))
    brush.line([(x - 1, y + 2), (x - 1, y - 26), (x + 4, y - 35)], 2.5, (228, 232, 236))


def _hob(brush: _Brush, spots: Places) -> None:
    x, y = spots.hob
    brush.area([(x - 66, y - 50), (x + 66, y - 50), (x + 78, y + 88), (x - 78, y + 88)], (30, 30, 34))
    for across, down in ((0, -18), (0, 36)):
        brush.oval(x + across, y + down, 46, 21, (58, 58, 64))
        brush.oval(x + across, y + down, 42, 18.5, (34, 34, 38))
    brush.oval(*spots.knob, 15, 9, (96, 98, 104))


def _inside(brush: _Brush, rng: np.random.Generator, name: str, hinged: Hinged) -> None:
    back: Colour = {"fridge": (232, 238, 240), "cupboard": (74, 58, 44), "drawer": (56, 48, 42)}[name]
    brush.box(hinged.left, hinged.top, hinged.width, hinged.height, back)
    shelf = tint(back, 0.8)
    for y in np.arange(hinged.top + 42, hinged.top + hinged.height + 2, 52):
        brush.box(hinged.left, y, hinged.width, 4, shelf)
        for x in np.arange(hinged.left + 6, hinged.left + hinged.width - 14, 20):
            colour = tuple(int(one) for one in rng.integers(60, 220, 3))
            tall = rng.uniform(14, 32)
            brush.box(x, y - tall, rng.uniform(8, 15), tall, (colour[0], colour[1], colour[2]))


def door(name: str, hinged: Hinged, colour: Colour, scale: float) -> Sprite:
    """The panel that closes a door or drawer, anchored where it is hinged (a drawer: upper left)."""
    sheet = Sheet(hinged.width, hinged.height, scale)
    wide, high = hinged.width, hinged.height
    sheet.polygon([(0, 0), (wide, 0), (wide, high), (0, high)], tint(colour, 0.8))
    sheet.polygon([(2, 2), (wide - 2, 2), (wide - 2, high - 2), (2, high - 2)], colour)
    if name != "fridge":
        sheet.polygon([(10, 10), (wide - 10, 10), (wide - 10, high - 10), (10, high - 10)], tint(colour, 0.9))
        sheet.polygon([(12, 12), (wide - 12, 12), (wide - 12, high - 12), (12, high - 12)], tint(colour, 0.97))
    sheet.grain(np.random.default_rng(1), 3.0, 6.0)
    x, y = hinged.handle[0] - hinged.left, hinged.handle[1] - hinged.top
    ends = [(x - 16, y), (x + 16, y)] if name == "drawer" else [(x, y - 20), (x, y + 20)]
    sheet.stroke(ends, 6, (70, 72, 76))
    sheet.stroke(ends, 3, (190, 194, 198))
    hinge = hinged.width if hinged.swing[0] > 0 else 0.0
    return sheet.cut((hinge if name != "drawer" else 0.0, 0.0))


def lever(scale: float) -> Sprite:
    """The tap's lever, pointing up from its pivot."""
    sheet = Sheet(14, 34, scale)
    sheet.stroke([(7, 28), (7, 6)], 8, (120, 124, 130))
    sheet.stroke([(6, 27), (6, 7)], 3, (236, 238, 242))
    return sheet.cut((7, 28))


def knob(scale: float) -> Sprite:
    """The hob's knob with its mark, pointing up."""
    sheet = Sheet(28, 28, scale)
    sheet.ellipse(14, 14, 12.5, 12.5, (50, 52, 56))
    sheet.ellipse(14, 14, 10.5, 10.5, (190, 192, 196))
    sheet.stroke([(14, 13), (14, 5)], 3.4, (200, 40, 30))
    return sheet.cut((14, 14))


def glow(scale: float) -> Sprite:
    """The red ring of a hob that is on."""
    sheet = Sheet(88, 40, scale)
    for ring in range(4):
        sheet.ellipse(44, 20, 42 - ring * 9, 18.5 - ring * 4, (236, 70 + ring * 8, 24))
        sheet.ellipse(44, 20, 38 - ring * 9, 16.5 - ring * 4, (120, 24, 14))
    return sheet.cut((44, 20))


def stream(scale: float, colour: Colour) -> Sprite:
    """A falling stream 64 units long, anchored where it begins."""
    sheet = Sheet(9, 64, scale)
    sheet.polygon([(2, 0), (7, 0), (6, 62), (3, 62)], colour)
    for y in range(3, 60, 9):
        sheet.stroke([(4, y), (4.4, y + 4)], 1.4, tint(colour, 1.25))
    sheet.alpha[sheet.alpha > 0] = 205
    return sheet.cut((4.5, 0))


def _lit(picture: Pixels, rng: np.random.Generator, scale: float) -> Pixels:
    """The room under its lamp: a pool of light that falls off, and fine dirt everywhere."""
    height, width = picture.shape[:2]
    x, y = np.meshgrid(np.linspace(-1, 1, width, dtype=np.float32), np.linspace(-1, 1, height, dtype=np.float32))
    middle = rng.uniform(-0.3, 0.3)
    light = 1.06 - 0.22 * ((x - middle) ** 2 + 0.6 * (y - 0.1) ** 2)
    dirt = 1.0 + 0.018 * blotches(rng, (height, width), 4 * scale) + 0.02 * blotches(rng, (height, width), 40 * scale)
    return np.clip(picture * (light * dirt)[..., None], 0, 255).astype(np.uint8)
