"""Who cooks, where and in what light; some of each are kept for test videos only."""

from dataclasses import dataclass

import numpy as np

from ego.datasets.kitchen.sprites import Colour

SPLITS = ("train", "validation", "test")
SPLIT_OF_TURN = ("train", "validation", "test", "train", "train")

SKINS: tuple[Colour, ...] = (
    (226, 178, 148), (212, 158, 124), (190, 132, 96), (141, 92, 62), (176, 118, 84), (96, 62, 44),
)  # fmt: skip
"""Skin tones; the last two appear in test videos only."""

SLEEVES: tuple[tuple[str, Colour, Colour], ...] = (
    ("bare", (0, 0, 0), (0, 0, 0)),
    ("plain", (62, 84, 128), (48, 66, 104)),
    ("plain", (128, 52, 56), (104, 40, 46)),
    ("striped", (225, 225, 220), (70, 92, 140)),
    ("plain", (84, 88, 92), (66, 70, 74)),
    ("plaid", (150, 48, 44), (40, 40, 52)),
    ("plain", (70, 112, 80), (54, 90, 64)),
    ("striped", (214, 190, 96), (120, 84, 50)),
)
"""Kind, main and second colour; the last two appear in test videos only."""

COUNTERS: tuple[tuple[str, Colour], ...] = (
    ("wood", (176, 130, 84)), ("stone", (120, 118, 116)), ("marble", (220, 216, 208)), ("wood", (120, 80, 52)),
    ("stone", (70, 72, 78)), ("marble", (196, 186, 168)), ("wood", (206, 172, 124)), ("stone", (158, 146, 130)),
)  # fmt: skip
"""Kind and colour of the counter; the last two appear in test videos only, as with walls and doors."""

WALLS: tuple[Colour, ...] = (
    (222, 220, 212), (176, 198, 204), (206, 196, 168), (150, 168, 150), (196, 170, 160), (126, 140, 160),
    (186, 192, 150), (170, 150, 180),
)  # fmt: skip
DOORS: tuple[Colour, ...] = (
    (236, 234, 228), (150, 112, 76), (96, 112, 124), (196, 180, 150), (72, 84, 76), (170, 90, 66), (120, 132, 160),
    (226, 206, 150),
)  # fmt: skip

LIGHTS: tuple[tuple[float, float, float], ...] = (
    (1.0, 1.0, 1.0), (1.08, 1.0, 0.86), (0.97, 1.0, 1.03), (1.12, 0.98, 0.8), (0.97, 1.03, 0.97), (1.16, 0.95, 0.74),
)  # fmt: skip
"""Gains of red, green and blue; the last two appear in test videos only."""

HELD_OUT = 2


@dataclass(frozen=True)
class Subject:
    """One cook: looks, size of the hands, pace (1 is ordinary), and which hand leads (0 left, 1 right)."""

    name: str
    skin: Colour
    sleeve: tuple[str, Colour, Colour]
    hand: float
    pace: float
    leads: int


@dataclass(frozen=True)
class Room:
    """One kitchen: surfaces, whether it is mirrored, and the seed of its textures."""

    name: str
    counter: tuple[str, Colour]
    wall: Colour
    doors: Colour
    mirrored: bool
    seed: int


@dataclass(frozen=True)
class Light:
    """The lamp's colour, how bright it is on the whole and towards the corners, the camera's noise."""

    gains: tuple[float, float, float]
    level: float
    corners: float
    noise: float


@dataclass(frozen=True)
class Cast:
    """What one video is drawn with."""

    split: str
    subject: Subject
    room: Room
    light: Light


def cast(seed: int, index: int, split: str, subject: str = "") -> Cast:
    """The cast of video `index`; the same subject or room name always looks the same under one seed.

    Test videos draw only from what is held out; `subject` fixes who cooks.
    """
    rng = np.random.default_rng([seed, index, 11])
    test = split == "test"
    who = subject or (f"P{9 + rng.integers(4):02d}" if test else f"P{1 + rng.integers(8):02d}")
    where = 6 + int(rng.integers(3)) if test else int(rng.integers(6))
    room = _room(seed, where, test)
    gains = LIGHTS[_pick(rng, len(LIGHTS), test)]
    light = Light(gains, float(rng.uniform(0.8, 1.12)), float(rng.uniform(0.55, 0.85)), float(rng.uniform(2.0, 4.5)))
    return Cast(split, _subject(seed, who, test), room, light)


def _subject(seed: int, name: str, test: bool) -> Subject:
    rng = np.random.default_rng([seed, 21, *name.encode()])
    skin, sleeve = SKINS[_pick(rng, len(SKINS), test)], SLEEVES[_pick(rng, len(SLEEVES), test)]
    leads = int(rng.random() > 0.15)
    return Subject(name, skin, sleeve, float(rng.uniform(0.9, 1.12)), float(rng.uniform(0.8, 1.3)), leads)


def _room(seed: int, number: int, test: bool) -> Room:
    rng = np.random.default_rng([seed, 31, number])
    counter, wall = COUNTERS[_pick(rng, len(COUNTERS), test)], WALLS[_pick(rng, len(WALLS), test)]
    doors = DOORS[_pick(rng, len(DOORS), test)]
    return Room(f"K{number + 1}", counter, wall, doors, bool(rng.random() < 0.5), int(rng.integers(2**31)))


def _pick(rng: np.random.Generator, count: int, test: bool) -> int:
    """One of `count`; the last `HELD_OUT` for test videos only."""
    return int(rng.integers(count - HELD_OUT, count) if test else rng.integers(count - HELD_OUT))
