"""Where each part of a film is at each frame, as a matrix from its sprite to the still room's pixels.

The number of a part says what it is: `HAND` + 12 * side + part, `ITEM[noun]`, `DOOR` + number, `LEVER`,
`KNOB`, `POUR`, `WATER`, `PERSON` + 8 * number + feature.
"""

import numpy as np

from ego.datasets.kitchen import room
from ego.datasets.kitchen.film import Film
from ego.datasets.kitchen.grammar import PORTABLE
from ego.datasets.kitchen.items import SIZES
from ego.datasets.kitchen.room import Point
from ego.datasets.kitchen.sprites import Matrix, placed

HAND = 1
ITEM = {noun: 25 + number for number, noun in enumerate(PORTABLE)}
DOOR, LEVER, KNOB, POUR, WATER, PERSON = 40, 44, 45, 46, 47, 48


class Poses:
    """Asks a film where things are; everything in pixels of the still room."""

    def __init__(self, film: Film) -> None:
        self.film = film
        self._holds = {noun: [one for one in film.play.holds if one.noun == noun] for noun in film.play.rests}
        self._names = list(film.spots.doors)

    def at(self, place: Point, right: float = 0.0, down: float = 0.0) -> Matrix:
        """A sprite upright at a place of the world, moved by units."""
        scale = self.film.scale
        return placed((place[0] + right) * scale, (place[1] + down) * scale)

    def held(self, index: int, side: int) -> str | None:
        """The thing in a hand."""
        now = self.film.times[index]
        return next(
            (one.noun for one in self.film.play.holds if one.side == side and one.start <= now < one.stop), None
        )

    def side(self, noun: str, index: int) -> int | None:
        """The hand a thing is in."""
        now = self.film.times[index]
        return next((one.side for one in self._holds[noun] if one.start <= now < one.stop), None)

    def changed(self, noun: str, index: int) -> bool:
        """Whether a thing is cut, filled or poured into by now."""
        return bool(self.film.times[index] >= self.film.play.changes.get(noun, np.inf))

    def resting(self, index: int) -> list[tuple[str, bool]]:
        """(thing, changed) of all that stands still, and its place is a part of what tells states apart."""
        return [(noun, self.changed(noun, index)) for noun in self.film.play.rests if self.side(noun, index) is None]

    def place(self, noun: str, index: int) -> Point:
        """Where a thing stands or stood last, in units."""
        now = self.film.times[index]
        return [at for when, at in self.film.play.rests[noun] if when <= now][-1]

    def base(self, noun: str, index: int) -> tuple[float, float]:
        """The foot of a thing in units, in a hand or not."""
        side = self.side(noun, index)
        if side is None:
            return self.place(noun, index)
        x, y = self.film.hands[index, side, :2]
        return float(x), _foot(noun, float(y))

    def item(self, noun: str, index: int) -> Matrix:
        """A thing where it stands, or in the hand that holds it, tilted as it is."""
        scale = self.film.scale
        side = self.side(noun, index)
        x, y = self.base(noun, index)
        size = room.perspective(y)
        if side is None:
            return placed(x * scale, y * scale, 0.0, size, size)
        pose = self.film.hands[index, side]
        grasp = placed(pose[0] * scale, pose[1] * scale, pose[2] * 0.6 + pose[4])
        return grasp @ placed(0.0, (y - pose[1]) * scale, 0.0, size, size)

    def hand(self, index: int, side: int, part: int) -> Matrix:
        """One of the twelve parts of a hand; its sprite is drawn at `scale`, so only its place is scaled."""
        pose = self.film.parts[index, side, part].copy()
        pose[:2, 2] *= self.film.scale
        return np.asarray(pose)

    def doors_at_rest(self, index: int) -> list[str]:
        """Doors that do not move now."""
        return [name for name in self._names if self._calm(self.film.doors[name], index)]

    def twists_at_rest(self, index: int) -> list[str]:
        """Of tap and hob, those whose lever or knob does not move now."""
        return [name for name in ("tap", "hob") if self._calm(self.film.twists[name], index)]

    def _calm(self, path: Matrix, index: int) -> bool:
        near = path[max(0, index - 1) : index + 2]
        return bool(near.max() - near.min() < 1e-9)

    def door(self, name: str, index: int) -> Matrix:
        """A panel from its hinge: opening, its free edge comes nearer, that is down, larger and towards the hinge."""
        one, opened, scale = self.film.spots.doors[name], float(self.film.doors[name][index]), self.film.scale
        if name == "drawer":
            return placed(one.left * scale, (one.top + one.swing[1] * opened) * scale, 0, 1, 1 + 0.06 * opened)
        right = one.swing[0] > 0
        hinge = one.left + (one.width if right else 0.0)
        handle = one.width - 9
        across = 1 - opened * abs(one.swing[0]) / handle
        shear = opened * one.swing[1] / handle * (-1 if right else 1)
        return np.array([[across, 0, hinge * scale], [shear, 1, one.top * scale], [0, 0, 1.0]])

    def twist(self, name: str, index: int) -> Matrix:
        """The tap's lever or the hob's knob."""
        at, scale = (self.film.spots.tap if name == "tap" else self.film.spots.knob), self.film.scale
        lift = 2 if name == "tap" else 3
        return placed(at[0] * scale, (at[1] - lift) * scale, float(self.film.twists[name][index]))

    def water(self, index: int) -> Matrix:
        """Running water, flickering."""
        x, y = self.film.spots.tap
        return placed((x + 12) * self.film.scale, (y + 5) * self.film.scale, 0, 1 + 0.2 * ((index * 7) % 3 - 1), 1.1)

    def pouring(self, index: int) -> list[Matrix]:
        """What is being poured."""
        now, scale = self.film.times[index], self.film.scale
        return [
            placed(at[0] * scale, at[1] * scale, 0, 0.8 + 0.2 * ((index * 5) % 3), 0.9)
            for _, start, stop, at in self.film.play.streams
            if start <= now < stop
        ]

    def person(self, number: int, index: int) -> list[Matrix]:
        """Body, head, both eyes, both pupils, nose and mouth of one person."""
        one, scale = self.film.people[number], self.film.scale
        x, y = one.centre[index]
        away = float(one.aside[index])
        turn, mouth = 8.0 * away, float(self.film.mouths[number, index])

        def at(right: float, down: float, across: float = 1.0, along: float = 1.0) -> Matrix:
            return placed((x + right) * scale, (y + down) * scale, 0, across, along)

        narrow = 1 - 0.22 * abs(away)
        return [
            at(0, 0), at(turn * 0.25, 0), at(turn - 10 * narrow, -3, narrow), at(turn + 10 * narrow, -3, narrow),
            at(turn * 1.35 - 10 * narrow, -3), at(turn * 1.35 + 10 * narrow, -3), at(turn * 1.3, 6),
            at(turn, 20, narrow, 0.25 + 0.9 * mouth if mouth > 0.12 else 1.0),
        ]  # fmt: skip


def _foot(noun: str, grasp: float) -> float:
    """The height of the foot of a thing that is held at height `grasp`, in units: inverse of `stage.grip_point`."""
    if noun in ("knife", "spoon"):
        return grasp
    y = grasp
    for _ in range(4):
        y = grasp + 0.42 * SIZES[noun][1] * room.perspective(y)
    return y
