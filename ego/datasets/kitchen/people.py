"""People across the counter: when they look at the cook, when they talk, what is seen of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ego.datasets.kitchen.looks import HELD_OUT, SKINS
from ego.datasets.kitchen.paths import drift, softened
from ego.datasets.kitchen.room import tint
from ego.datasets.kitchen.sprites import Colour, Matrix, Sheet, Sprite

FACE = (27.0, 34.0)
"""Half width and half height of a face box in units."""

HAIR: tuple[Colour, ...] = ((40, 28, 22), (96, 62, 34), (180, 140, 80), (110, 110, 112), (28, 26, 30))
SHIRTS: tuple[Colour, ...] = ((170, 60, 60), (60, 90, 150), (70, 130, 90), (200, 180, 120), (90, 80, 100))


@dataclass(frozen=True)
class Turn:
    """One person's turn to talk, in seconds, and whether it is the cook who is talked to."""

    start: float
    stop: float
    to_wearer: bool


@dataclass(frozen=True, eq=False)
class Person:
    """One person through a video: where the face is, and what it does at each frame."""

    name: str
    looks: int
    pitch: float
    """Of the voice, in Hz."""
    centre: Matrix
    """(T, 2) middle of the face in units."""
    looking: NDArray[np.bool_]
    """(T,) whether the eyes meet the cook's."""
    aside: Matrix
    """(T,) how far the face is turned: 0 to the cook, -1 and 1 fully away."""
    turns: tuple[Turn, ...]

    def talking(self, times: Matrix) -> NDArray[np.bool_]:
        """(T,) whether this person talks."""
        flags = np.zeros(len(times), bool)
        for turn in self.turns:
            flags |= (times >= turn.start) & (times < turn.stop)
        return flags


def company(times: Matrix, rng: np.random.Generator, test: bool) -> list[Person]:
    """One or two people; they take turns to talk, to the cook more often while they look at them."""
    count = 1 + int(rng.random() < 0.6)
    places = rng.permutation([420.0, 540.0])[:count]  # between the doors, which would hide them
    turns: list[list[Turn]] = [[] for _ in range(count)]
    when = float(rng.uniform(0.3, 1.5))
    while when < times[-1] - 0.8:
        length = float(rng.uniform(0.9, 3.0))
        talker = int(rng.integers(count))
        turns[talker].append(Turn(when, min(when + length, float(times[-1])), bool(rng.random() < 0.6)))
        when += length + float(rng.uniform(0.4, 1.8))
    return [_person(number, places[number], turns[number], times, rng, test) for number in range(count)]


def _person(number: int, x: float, turns: list[Turn], times: Matrix, rng: np.random.Generator, test: bool) -> Person:
    looking = np.zeros(len(times), bool)
    when = 0.0
    while when < times[-1]:
        length = float(rng.uniform(0.7, 2.6))
        looking[(times >= when) & (times < when + length)] = rng.random() < 0.38
        when += length
    for turn in turns:
        looking[(times >= turn.start) & (times < turn.stop)] = turn.to_wearer
    away = np.where(x < 480, 1.0, -1.0) * np.where(rng.random() < 0.7, 1.0, -1.0)
    aside = softened(np.where(looking, 0.0, away)[:, None], times, 0.07)[:, 0]
    centre = np.array([x, float(rng.uniform(118, 130))]) + drift(times, rng, 2, 0.3) * (5.0, 2.0)
    looks = int(rng.integers(2**31)) * 2 + int(test)
    return Person(str(number + 1), looks, float(rng.uniform(95, 230)), centre, looking, aside, tuple(turns))


@dataclass(frozen=True, eq=False)
class Figure:
    """The cut-outs of one person."""

    body: Sprite
    head: Sprite
    eye: Sprite
    pupil: Sprite
    nose: Sprite
    mouth: Sprite
    lips: Sprite


def figure(person: Person, scale: float) -> Figure:
    """What a person is drawn from."""
    rng, test = np.random.default_rng(person.looks // 2), bool(person.looks % 2)
    skin = SKINS[int(rng.integers(len(SKINS) - HELD_OUT, len(SKINS)) if test else rng.integers(len(SKINS) - HELD_OUT))]
    hair, shirt = HAIR[int(rng.integers(len(HAIR)))], SHIRTS[int(rng.integers(len(SHIRTS)))]
    return Figure(_body(shirt, skin, rng, scale), _head(skin, hair, rng, scale), *_features(skin, scale))


def _body(shirt: Colour, skin: Colour, rng: np.random.Generator, scale: float) -> Sprite:
    sheet = Sheet(132, 110, scale)
    sheet.polygon([(53, 0), (79, 0), (80, 30), (52, 30)], tint(skin, 0.82))
    sheet.polygon([(50, 22), (82, 22), (112, 34), (126, 60), (130, 110), (2, 110), (6, 60), (20, 34)], shirt)
    sheet.polygon([(54, 22), (78, 22), (66, 40)], tint(skin, 0.9))
    sheet.stroke([(22, 60), (26, 110)], 1.5, tint(shirt, 0.75))
    sheet.stroke([(110, 60), (106, 110)], 1.5, tint(shirt, 0.75))
    sheet.grain(rng, 5.0, 4.0)
    return sheet.cut((66, -24))


def _head(skin: Colour, hair: Colour, rng: np.random.Generator, scale: float) -> Sprite:
    sheet = Sheet(72, 88, scale)
    long = bool(rng.random() < 0.5)
    sheet.ellipse(36, 34, 31, 33, hair)
    if long:
        sheet.polygon([(5, 34), (67, 34), (66, 78), (56, 84), (16, 84), (6, 78)], hair)
    sheet.ellipse(10, 46, 5, 8, tint(skin, 0.85))
    sheet.ellipse(62, 46, 5, 8, tint(skin, 0.85))
    sheet.ellipse(36, 46, 25, 33, skin)
    sheet.polygon([(12, 36), (16, 16), (36, 9), (56, 16), (60, 36), (50, 24), (22, 25)], hair)
    sheet.grain(rng, 4.0, 3.0)
    sheet.round_off(0.2)
    return sheet.cut((36, 44))


def _features(skin: Colour, scale: float) -> tuple[Sprite, Sprite, Sprite, Sprite, Sprite]:
    eye = Sheet(16, 16, scale)
    eye.stroke([(2, 3), (8, 1.6), (14, 3)], 2.0, (50, 36, 28))
    eye.ellipse(8, 10, 6.2, 3.9, (244, 243, 240))
    pupil = Sheet(8, 8, scale)
    pupil.ellipse(4, 4, 3.1, 3.3, (44, 32, 26))
    nose = Sheet(12, 18, scale)
    nose.stroke([(6, 2), (8, 13), (3.5, 14)], 1.6, tint(skin, 0.78))
    mouth = Sheet(24, 18, scale)
    mouth.ellipse(12, 9, 9, 7, (150, 60, 58))
    mouth.ellipse(12, 9, 7.4, 5.6, (52, 18, 20))
    mouth.polygon([(7, 4.6), (17, 4.6), (16, 6.6), (8, 6.6)], (236, 232, 226))
    lips = Sheet(24, 8, scale)
    lips.stroke([(3.5, 4), (12, 4.8), (20.5, 4)], 2.8, (152, 76, 70))
    return eye.cut((8, 10)), pupil.cut((4, 4)), nose.cut((6, 9)), mouth.cut((12, 9)), lips.cut((12, 4))
