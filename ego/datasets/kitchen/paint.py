"""A film drawn frame by frame: the still room, what moves on it, the turn of the head, lens, blur and noise."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from ego.datasets.kitchen import items, people, room
from ego.datasets.kitchen.camera import Lens
from ego.datasets.kitchen.film import Film
from ego.datasets.kitchen.hands import sprites as hand_sprites
from ego.datasets.kitchen.paths import through
from ego.datasets.kitchen.poses import DOOR, HAND, ITEM, KNOB, LEVER, PERSON, POUR, WATER, Poses
from ego.datasets.kitchen.sprites import Matrix, Pixels, Sheet, Sprite, lay


@dataclass(frozen=True, eq=False)
class Drawn:
    """One frame: (h, w, 3) RGB picture and (h, w) number of the moving part seen at each pixel, 0 the still room."""

    picture: Pixels
    parts: Pixels


class Painter:
    """Draws the frames of one film in order."""

    def __init__(self, film: Film) -> None:
        self.film, self.poses = film, Poses(film)
        scale, look = film.scale, film.cast.room
        self._base = room.still(look, scale, bool(film.people))
        self._items = {noun: _individual(film, noun) for noun in film.play.rests}
        self._shadows = {noun: items.shadow(noun, scale) for noun in film.play.rests}
        self._doors = {name: room.door(name, one, look.doors, scale) for name, one in film.spots.doors.items()}
        self._lever, self._knob, self._glow = room.lever(scale), room.knob(scale), room.glow(scale)
        self._water = room.stream(scale, (206, 226, 240))
        self._poured = room.stream(scale, (150, 96, 44))
        self._hand, self._dark = hand_sprites(film.cast.subject, scale), _dark(scale)
        self._figures = [people.figure(person, scale) for person in film.people]
        self._lens = Lens(film)
        self._still: Pixels = self._base
        self._front: Pixels | None = None
        self._state: object = None

    def frames(self) -> Iterator[Drawn]:
        """Every frame of the film."""
        for index in range(len(self.film.times)):
            yield self.frame(index)

    def frame(self, index: int) -> Drawn:
        """The frame at `index`; exposure and noise follow from the frames drawn before it."""
        camera = self.film.cameras[index] @ np.diag([1 / self.film.scale, 1 / self.film.scale, 1.0])
        width, height = self.film.order.size
        self._settle(index)
        seen = through(np.linalg.inv(camera), np.array([(0, 0), (width, 0), (width, height), (0, height)], float))
        limit = (self._still.shape[1], self._still.shape[0])
        left, top = np.clip(np.floor(seen.min(0)).astype(int) - 2, 0, np.array(limit) - 8)
        right, bottom = np.clip(np.ceil(seen.max(0)).astype(int) + 3, (left + 8, top + 8), limit)
        canvas = np.ascontiguousarray(self._still[top:bottom, left:right])
        parts = np.zeros(canvas.shape[:2], np.uint8)
        self._draw(index, canvas, parts, (int(left), int(top)))
        view = camera @ np.array([[1, 0, left], [0, 1, top], [0, 0, 1.0]])
        picture = cv2.warpPerspective(canvas, view, (width, height), borderMode=cv2.BORDER_REPLICATE)
        warped = cv2.warpPerspective(parts, view, (width, height), flags=cv2.INTER_NEAREST)
        labels = np.asarray(warped, np.uint8)
        return Drawn(self._lens.take(index, np.asarray(picture, np.uint8), labels), labels)

    def _settle(self, index: int) -> None:
        """Redraws the still room where something was put down, taken away or has stopped moving."""
        resting = self.poses.resting(index)
        doors = self.poses.doors_at_rest(index)
        twists = self.poses.twists_at_rest(index)
        state = (tuple(resting), tuple(doors), tuple(twists), self.film.twists["hob"][index] > 0)
        if state == self._state:
            return
        self._state, self._still = state, self._base.copy()
        nowhere = np.zeros(self._still.shape[:2], np.uint8)
        for name in doors:
            lay(self._still, nowhere, self._doors[name], self.poses.door(name, index), 0)
        if self.film.twists["hob"][index] > 0:
            lay(self._still, nowhere, self._glow, self.poses.at(self.film.spots.hob, 0, -18), 0)
            lay(self._still, nowhere, self._glow, self.poses.at(self.film.spots.hob, 0, 36), 0)
        for name in twists:
            lay(self._still, nowhere, self._turned(name), self.poses.twist(name, index), 0)
        for noun, changed in sorted(resting, key=lambda one: self.poses.base(one[0], index)[1]):
            pose = self.poses.item(noun, index)
            lay(self._still, nowhere, self._shadows[noun], pose, 0)
            lay(self._still, nowhere, self._items[noun][changed], pose, 1)
        self._front = nowhere if self._figures else None

    def _turned(self, name: str) -> Sprite:
        return self._lever if name == "tap" else self._knob

    def _draw(self, index: int, canvas: Pixels, parts: Pixels, corner: tuple[int, int]) -> None:
        shift = np.array([[1, 0, -corner[0]], [0, 1, -corner[1]], [0, 0, 1.0]])
        if self._figures:
            self._draw_people(index, canvas, parts, shift, corner)
        for number, name in enumerate(self._doors):
            if name not in self.poses.doors_at_rest(index):
                lay(canvas, parts, self._doors[name], shift @ self.poses.door(name, index), DOOR + number)
        for name, part in (("tap", LEVER), ("hob", KNOB)):
            if name not in self.poses.twists_at_rest(index):
                lay(canvas, parts, self._turned(name), shift @ self.poses.twist(name, index), part)
        if self.film.twists["tap"][index] > 0:
            lay(canvas, parts, self._water, shift @ self.poses.water(index), WATER)
        for pose in self.poses.pouring(index):
            lay(canvas, parts, self._poured, shift @ pose, POUR)
        for side in range(2):
            self._draw_hand(index, side, canvas, parts, shift)

    def _draw_hand(self, index: int, side: int, canvas: Pixels, parts: Pixels, shift: Matrix) -> None:
        first = HAND + 12 * side
        poses = [shift @ self.poses.hand(index, side, part) for part in range(12)]
        below = np.array([[1, 0, 9 * self.film.scale], [0, 1, 12 * self.film.scale], [0, 0, 1.0]])
        lay(canvas, parts, self._dark, below @ poses[1], 0, 0.8)
        for part in range(2):
            lay(canvas, parts, self._hand[part], poses[part], first + part)
        noun = self.poses.held(index, side)
        if noun is not None:
            changed = self.poses.changed(noun, index)
            lay(canvas, parts, self._items[noun][changed], shift @ self.poses.item(noun, index), ITEM[noun])
        for part in (11, 10, 9, 8, 7, 6, 5, 4, 3, 2):
            lay(canvas, parts, self._hand[part], poses[part], first + part)

    def _draw_people(self, index: int, canvas: Pixels, parts: Pixels, shift: Matrix, corner: tuple[int, int]) -> None:
        """People stand behind the counter and all that is on it."""
        rows = max(0, round((room.BACK - 3) * self.film.scale) - corner[1])
        above, labels = canvas[:rows], parts[:rows]
        if not rows or self._front is None:
            return
        before = above.copy()
        for number, figure in enumerate(self._figures):
            poses = self.poses.person(number, index)
            first = PERSON + 8 * number
            lay(above, labels, figure.body, shift @ poses[0], first)
            lay(above, labels, figure.head, shift @ poses[1], first + 1)
            for eye in (2, 3):
                lay(above, labels, figure.eye, shift @ poses[eye], first + 2)
                lay(above, labels, figure.pupil, shift @ poses[eye + 2], first + 4)
            lay(above, labels, figure.nose, shift @ poses[6], first + 2)
            mouth = figure.mouth if self.film.mouths[number, index] > 0.12 else figure.lips
            lay(above, labels, mouth, shift @ poses[7], first + 7)
        kept = self._front[corner[1] : corner[1] + rows, corner[0] : corner[0] + canvas.shape[1]] > 0
        np.copyto(above, before, where=kept[..., None])
        np.copyto(labels, np.uint8(0), where=kept)


def _individual(film: Film, noun: str) -> tuple[Sprite, Sprite]:
    """The sprites of one thing of this video, as it was and as it is once changed."""
    seed = [film.order.seed, film.order.index, 51, *noun.encode()]
    whole, changed = (items.sprite(noun, np.random.default_rng(seed), film.scale, after) for after in (False, True))
    return whole, changed


def _dark(scale: float) -> Sprite:
    """The shadow below a hand."""
    sheet = Sheet(76, 120, scale)
    sheet.ellipse(38, 50, 26, 46, (0, 0, 0))
    sheet.alpha[:] = np.asarray(cv2.GaussianBlur(sheet.alpha, (0, 0), 7 * scale * 4)) // 3
    return sheet.cut((38, 88))
