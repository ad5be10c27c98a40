"""The things on the counter, drawn as sprites: a shape for each noun, looks that differ from video to video."""

from collections.abc import Callable

import numpy as np

from ego.datasets.kitchen.sprites import Colour, Sheet, Sprite

Draw = Callable[[Sheet, np.random.Generator, bool], tuple[float, float]]

CROCKERY: tuple[Colour, ...] = (
    (232, 230, 224), (70, 110, 160), (180, 74, 60), (96, 140, 110), (214, 180, 90), (60, 62, 70), (176, 190, 200),
)  # fmt: skip
"""Colours a cup, a bowl or a plate may have: they do not tell which it is."""

SIZES: dict[str, tuple[float, float]] = {
    "cup": (44, 40), "bowl": (66, 42), "plate": (76, 40), "pan": (104, 50), "bottle": (30, 84), "jar": (38, 50),
    "kettle": (62, 62), "knife": (16, 88), "spoon": (16, 84), "tomato": (34, 32), "carrot": (74, 24),
    "bread": (66, 40), "sponge": (44, 28),
}  # fmt: skip
"""Width and height of each thing in units, seen at the middle of the counter."""


def sprite(noun: str, rng: np.random.Generator, scale: float, changed: bool = False) -> Sprite:
    """The sprite of a thing; `changed` is how it looks once cut, poured into or stirred.

    Calls with generators in the same state draw the same individual, changed or not.
    """
    width, height = SIZES[noun]
    sheet = Sheet(width, height, scale)
    anchor = DRAW[noun](sheet, rng, changed)
    sheet.grain(rng, 5.0, 3.0)
    return sheet.cut(anchor)


def shadow(noun: str, scale: float) -> Sprite:
    """The soft dark spot a thing leaves where it stands; it does not count as a part."""
    width, height = SIZES[noun]
    sheet = Sheet(width * 1.3, max(18.0, height * 0.5), scale)
    for step in range(5):
        shrink = 1 - step * 0.16
        sheet.ellipse(width * 0.65, max(9.0, height * 0.25), width * 0.62 * shrink,
                      max(8.0, height * 0.23) * shrink, (0, 0, 0))  # fmt: skip
    sheet.alpha[sheet.alpha > 0] = 70
    return sheet.cut((width * 0.65, max(9.0, height * 0.25)))


def _shade(colour: Colour, factor: float) -> Colour:
    red, green, blue = (int(np.clip(one * factor, 0, 255)) for one in colour)
    return red, green, blue


def _vary(rng: np.random.Generator, colour: Colour, spread: float = 18) -> Colour:
    red, green, blue = (int(np.clip(one + rng.uniform(-spread, spread), 0, 255)) for one in colour)
    return red, green, blue


def _crockery(rng: np.random.Generator) -> Colour:
    return _vary(rng, CROCKERY[int(rng.integers(len(CROCKERY)))], 10)


def _cup(sheet: Sheet, rng: np.random.Generator, changed: bool) -> tuple[float, float]:
    colour, band = _crockery(rng), _crockery(rng)
    sheet.stroke([(32, 14), (40, 16), (40, 26), (31, 29)], 3.5, _shade(colour, 0.8))
    sheet.polygon([(5, 10), (33, 10), (29, 35), (9, 35)], colour)
    sheet.ellipse(19, 35, 10, 3.5, _shade(colour, 0.85))
    if rng.random() < 0.5:
        sheet.polygon([(6.5, 19), (31.5, 19), (30.5, 25), (7.5, 25)], band)
    sheet.round_off()
    sheet.ellipse(19, 10, 14, 6, _shade(colour, 1.12))
    sheet.ellipse(19, 10.5, 11.5, 4.4, (92, 56, 34) if changed else _shade(colour, 0.55))
    return 20, 34


def _bowl(sheet: Sheet, rng: np.random.Generator, changed: bool) -> tuple[float, float]:
    colour, food = _crockery(rng), _vary(rng, (196, 150, 84), 30)
    sheet.polygon([(3, 14), (63, 14), (52, 33), (44, 38), (22, 38), (14, 33)], _shade(colour, 0.86))
    sheet.ellipse(33, 36, 15, 4, _shade(colour, 0.75))
    sheet.round_off()
    sheet.ellipse(33, 14, 31, 12, _shade(colour, 1.1))
    sheet.ellipse(33, 15, 27, 9.5, food if changed else _shade(colour, 0.7))
    if changed:
        sheet.stroke([(20, 15), (30, 11), (42, 15), (32, 19), (26, 16)], 1.6, _shade(food, 1.25))
    return 33, 36


def _plate(sheet: Sheet, rng: np.random.Generator, changed: bool) -> tuple[float, float]:
    colour, rim = _crockery(rng), _crockery(rng)
    sheet.ellipse(38, 21, 36.5, 17.5, _shade(colour, 0.7))
    sheet.ellipse(38, 19, 36.5, 17.5, colour)
    if rng.random() < 0.6:
        sheet.ellipse(38, 19, 33, 15.5, rim)
        sheet.ellipse(38, 19, 30.5, 14, colour)
    sheet.ellipse(38, 19.5, 23, 10, _shade(colour, 0.88))
    sheet.ellipse(38, 20.2, 21.5, 9, _shade(colour, 1.02))
    return 38, 26


def _pan(sheet: Sheet, rng: np.random.Generator, changed: bool) -> tuple[float, float]:
    colour, food = _vary(rng, (66, 66, 70), 22), _vary(rng, (190, 92, 48), 25)
    sheet.stroke([(64, 22), (101, 14)], 7, _vary(rng, (44, 36, 32), 14))
    sheet.ellipse(35, 28, 33, 19, _shade(colour, 0.7))
    sheet.ellipse(35, 23, 33.5, 19, _shade(colour, 1.35))
    sheet.ellipse(35, 24, 30, 16.5, food if changed else _shade(colour, 0.8))
    if changed:
        for x, y in rng.uniform((20, 16), (50, 32), (9, 2)):
            sheet.ellipse(x, y, 3.4, 2.4, _shade(food, 1.3))
    return 35, 38


def _bottle(sheet: Sheet, rng: np.random.Generator, changed: bool) -> tuple[float, float]:
    colour, label = _vary(rng, ((60, 104, 66), (150, 104, 40), (196, 200, 196))[int(rng.integers(3))]), _crockery(rng)
    sheet.polygon([(11, 8), (19, 8), (19, 26), (26, 36), (26, 79), (4, 79), (4, 36), (11, 26)], colour)
    sheet.ellipse(15, 79, 11, 3.5, _shade(colour, 0.8))
    sheet.polygon([(4, 46), (26, 46), (26, 66), (4, 66)], label)
    sheet.stroke([(7, 52), (22, 52)], 1.5, _shade(label, 0.5))
    sheet.stroke([(7, 58), (18, 58)], 1.5, _shade(label, 0.5))
    sheet.round_off(0.5)
    sheet.polygon([(10, 3), (20, 3), (20, 11), (10, 11)], _crockery(rng))
    return 15, 79


def _jar(sheet: Sheet, rng: np.random.Generator, changed: bool) -> tuple[float, float]:
    colour = _vary(rng, ((168, 60, 48), (208, 168, 92), (110, 60, 96), (226, 214, 190))[int(rng.integers(4))])
    sheet.polygon([(3, 14), (35, 14), (35, 45), (3, 45)], colour)
    sheet.ellipse(19, 45, 16, 4, _shade(colour, 0.8))
    sheet.polygon([(3, 23), (35, 23), (35, 38), (3, 38)], (236, 230, 214))
    sheet.stroke([(9, 30), (29, 30)], 2.2, _shade(colour, 0.7))
    sheet.round_off(0.45)
    sheet.polygon([(4, 6), (34, 6), (34, 14), (4, 14)], _crockery(rng))
    sheet.ellipse(19, 6, 15, 4.5, _crockery(rng))
    return 19, 46


def _kettle(sheet: Sheet, rng: np.random.Generator, changed: bool) -> tuple[float, float]:
    colour = _vary(rng, ((188, 192, 198), (52, 54, 58), (190, 64, 52))[int(rng.integers(3))])
    sheet.stroke([(12, 22), (14, 6), (44, 6), (48, 22)], 4.5, (40, 38, 40))
    sheet.polygon([(44, 30), (60, 22), (61, 27), (48, 46)], _shade(colour, 0.8))
    sheet.polygon([(12, 20), (46, 20), (54, 55), (4, 55)], colour)
    sheet.ellipse(29, 55, 25, 5, _shade(colour, 0.75))
    sheet.round_off(0.4)
    sheet.ellipse(29, 20, 17, 5, _shade(colour, 1.15))
    sheet.ellipse(29, 17, 4, 3, (40, 38, 40))
    return 29, 56


def _knife(sheet: Sheet, rng: np.random.Generator, changed: bool) -> tuple[float, float]:
    blade, handle = _vary(rng, (200, 204, 210), 10), _vary(rng, ((50, 40, 36), (150, 40, 36))[int(rng.integers(2))])
    sheet.polygon([(5, 52), (5, 12), (9, 3), (13, 20), (13, 52)], blade)
    sheet.stroke([(11.5, 18), (11.5, 50)], 1.0, (236, 238, 240))
    sheet.polygon([(4.5, 52), (12.5, 52), (12, 85), (5, 85)], handle)
    sheet.ellipse(8.5, 60, 1.2, 1.2, (190, 190, 190))
    sheet.ellipse(8.5, 76, 1.2, 1.2, (190, 190, 190))
    return 8, 66


def _spoon(sheet: Sheet, rng: np.random.Generator, changed: bool) -> tuple[float, float]:
    colour = _vary(rng, ((190, 146, 96), (196, 200, 206), (120, 78, 48))[int(rng.integers(3))], 10)
    sheet.stroke([(8, 20), (8, 80)], 4.2, _shade(colour, 0.92))
    sheet.ellipse(8, 13, 7, 11, colour)
    sheet.ellipse(8, 13, 4.6, 8, _shade(colour, 0.78))
    return 8, 60


def _tomato(sheet: Sheet, rng: np.random.Generator, changed: bool) -> tuple[float, float]:
    colour = _vary(rng, (204, 50, 38), 20)
    if changed:
        for x, y in ((10, 19), (17, 16), (24, 19)):
            sheet.ellipse(x, y, 8.5, 10, _shade(colour, 0.9))
            sheet.ellipse(x, y, 6.6, 8, (232, 120, 92))
            sheet.ellipse(x - 2, y, 1.6, 2.4, (240, 200, 120))
        return 17, 26
    sheet.ellipse(17, 17, 15.5, 14, colour)
    sheet.round_off(0.5)
    sheet.ellipse(11, 10, 3, 2, (246, 170, 150))
    sheet.stroke([(12, 6), (17, 5), (22, 7)], 2.2, (64, 120, 50))
    return 17, 28


def _carrot(sheet: Sheet, rng: np.random.Generator, changed: bool) -> tuple[float, float]:
    colour = _vary(rng, (232, 124, 34), 18)
    sheet.stroke([(60, 11), (71, 5)], 2.5, (72, 130, 54))
    sheet.stroke([(60, 12), (72, 14)], 2.5, (72, 130, 54))
    if changed:
        for x in (8, 19, 30, 41, 52):
            sheet.ellipse(x, 13, 5.2, 5.0 + x * 0.08, _shade(colour, 0.85))
            sheet.ellipse(x - 1, 12.5, 4.2, 4.0 + x * 0.08, _shade(colour, 1.12))
        return 36, 18
    sheet.polygon([(3, 14), (56, 4), (62, 11), (57, 20)], colour)
    sheet.ellipse(57, 12, 6, 8, colour)
    for x in (18, 30, 42):
        sheet.stroke([(x, 12), (x + 2, 15)], 0.9, _shade(colour, 0.75))
    return 36, 18


def _bread(sheet: Sheet, rng: np.random.Generator, changed: bool) -> tuple[float, float]:
    colour = _vary(rng, (188, 128, 66), 16)
    if changed:
        for x in (14, 26, 38, 50):
            sheet.ellipse(x, 21, 11, 15, _shade(colour, 0.8))
            sheet.ellipse(x, 21, 9, 13, (236, 212, 166))
        return 33, 32
    sheet.ellipse(33, 21, 31, 16, colour)
    sheet.round_off(0.4)
    for x in (20, 32, 44):
        sheet.stroke([(x - 3, 12), (x + 3, 27)], 2.4, (228, 190, 130))
    return 33, 32


def _sponge(sheet: Sheet, rng: np.random.Generator, changed: bool) -> tuple[float, float]:
    colour = _vary(rng, ((234, 206, 70), (90, 170, 190), (230, 120, 150))[int(rng.integers(3))])
    sheet.polygon([(3, 9), (36, 4), (42, 16), (42, 22), (8, 26), (3, 15)], _shade(colour, 0.8))
    sheet.polygon([(3, 9), (36, 4), (42, 16), (8, 21)], colour)
    for x, y in rng.uniform((10, 8), (36, 16), (12, 2)):
        sheet.ellipse(x, y, 1.2, 0.9, _shade(colour, 0.7))
    sheet.polygon([(3, 13), (8, 24), (42, 20), (42, 23), (8, 27), (3, 16)], (60, 110, 70))
    return 22, 22


DRAW: dict[str, Draw] = {
    "cup": _cup, "bowl": _bowl, "plate": _plate, "pan": _pan, "bottle": _bottle, "jar": _jar, "kettle": _kettle,
    "knife": _knife, "spoon": _spoon, "tomato": _tomato, "carrot": _carrot, "bread": _bread, "sponge": _sponge,
}  # fmt: skip
