"""Two forearms and hands: how a pose becomes parts and points, and what they look like."""

from dataclasses import dataclass

import cv2
import numpy as np

from ego.datasets.kitchen.looks import Subject
from ego.datasets.kitchen.room import tint
from ego.datasets.kitchen.sprites import Colour, Matrix, Sheet, Sprite, placed

POINTS = ("wrist", "palm", "thumb", "index", "middle", "ring", "little", "grasp")
"""The points of a hand in the order of the truth."""

PARTS = 12
"""Parts of one hand: forearm, palm, then the two halves of thumb, index, middle, ring and little finger."""

ELBOWS = ((330.0, 730.0), (630.0, 730.0))
"""Where the left and the right elbow are, in units; below any picture."""

PALM, FOREARM = 36.0, 200.0
REACH = 22.0
"""From the knuckles to the point that grasps, in units."""

ROOTS = ((-15.0, -14.0), (-12.5, -36.0), (-4.2, -38.5), (4.4, -37.5), (12.0, -33.0))
"""Where thumb and fingers leave the palm of a right hand pointing up, from the wrist."""

SPREAD = (-52.0, -13.0, -3.0, 6.0, 17.0)
LENGTHS = ((15.0, 13.0), (17.0, 15.0), (19.0, 16.0), (17.5, 15.0), (13.5, 12.0))
THICK = (10.5, 9.2, 9.6, 9.0, 8.0)


@dataclass(frozen=True, eq=False)
class Posed:
    """One hand at T instants: (T, 12, 3, 3) pose of each part and (T, 8, 2) points, in units of the world."""

    parts: Matrix
    points: Matrix


def pose(side: int, grasp: Matrix, turn: Matrix, grip: Matrix, size: Matrix) -> Posed:
    """The hand whose grasping point is at `grasp` (T, 2).

    `side` is 0 left, 1 right; `turn` (T,) degrees clockwise beyond the forearm's own direction; `grip` (T,) 0 is
    open and 1 closed; `size` (T,) scales the hand.
    """
    elbow = np.array(ELBOWS[side])
    lead = grasp - elbow
    degrees = np.rad2deg(np.arctan2(lead[:, 0], -lead[:, 1])) + turn
    angle = np.deg2rad(degrees)
    wrist = grasp - np.stack([np.sin(angle), -np.cos(angle)], 1) * ((PALM + REACH) * size)[:, None]
    hand = placed(wrist[:, 0], wrist[:, 1], degrees, size, size, flip=side == 0)
    arm = wrist - elbow
    parts = np.empty((len(grasp), PARTS, 3, 3))
    along = np.hypot(arm[:, 0], arm[:, 1]) / FOREARM
    parts[:, 0] = placed(wrist[:, 0], wrist[:, 1], np.rad2deg(np.arctan2(arm[:, 0], -arm[:, 1])), size, along)
    parts[:, 1] = hand
    tips = [_finger(parts, hand, finger, grip) for finger in range(5)]
    palm = (hand @ np.array([0, -PALM * 0.55, 1.0]))[:, :2]
    return Posed(parts, np.stack([wrist, palm, *tips, grasp], 1))


def _finger(parts: Matrix, hand: Matrix, finger: int, grip: Matrix) -> Matrix:
    """Fills in the two halves of one finger; returns where its tip is, (T, 2)."""
    near, far = LENGTHS[finger]
    bend = 16.0 * grip if finger == 0 else 0.0
    angle = SPREAD[finger] * (1 - 0.55 * grip) + bend
    curl = (34.0 if finger == 0 else -9.0 * np.sign(SPREAD[finger])) * grip
    short = 1 - (0.2 if finger == 0 else 0.34) * grip
    root = hand @ placed(*ROOTS[finger], angle, 1.0, short)
    middle = root @ placed(0.0, -near, curl, 1.0, 1 - 0.35 * grip)
    parts[:, 2 + 2 * finger], parts[:, 3 + 2 * finger] = root, middle
    tip: Matrix = (middle @ np.array([0, -far, 1.0]))[:, :2]
    return tip


def sprites(subject: Subject, scale: float) -> list[Sprite]:
    """The cut-outs of the parts of a right hand, pointing up; a left hand is their mirror image."""
    rng = np.random.default_rng([5, *subject.name.encode()])
    made = [_forearm(subject, rng, scale), _palm(subject.skin, rng, scale)]
    for finger in range(5):
        for half in range(2):
            made.append(_segment(subject.skin, finger, half, rng, scale))
    return made


def _forearm(subject: Subject, rng: np.random.Generator, scale: float) -> Sprite:
    """200 units from the wrist (anchor) down to the elbow; the sleeve ends a little below the wrist."""
    sheet = Sheet(70, 214, scale)
    sheet.polygon([(22, 4), (48, 4), (60, 214), (10, 214)], subject.skin)
    kind, colour, second = subject.sleeve
    if kind != "bare":
        cuff = float(rng.uniform(20, 60))
        sheet.polygon([(17, cuff), (53, cuff), (66, 214), (4, 214)], colour)
        _pattern(sheet, kind, second, cuff)
        sheet.polygon([(16.5, cuff - 2), (53.5, cuff - 2), (54, cuff + 7), (16, cuff + 7)], tint(colour, 0.85))
    elif rng.random() < 0.6:
        sheet.polygon([(19.5, 24), (50.5, 24), (51, 32), (19, 32)], (40, 40, 44))
        sheet.ellipse(35, 28, 8, 8, (190, 190, 196))
    sheet.grain(rng, 6.0, 3.0)
    sheet.round_off(0.42)
    return sheet.cut((35, 10))


def _pattern(sheet: Sheet, kind: str, colour: Colour, cuff: float) -> None:
    inside = sheet.alpha.copy()
    if kind in ("striped", "plaid"):
        for y in np.arange(cuff + 10, 214, 14):
            sheet.stroke([(0, y), (70, y)], 4.5, colour)
    if kind == "plaid":
        for x in range(6, 70, 13):
            sheet.stroke([(x, cuff), (x, 214)], 3.0, colour)
    np.minimum(sheet.alpha, inside, out=sheet.alpha)


def _palm(skin: Colour, rng: np.random.Generator, scale: float) -> Sprite:
    sheet = Sheet(48, 56, scale)
    outline = [(12, 49), (8, 40), (5, 30), (9, 17), (13, 9), (22, 6), (31, 7), (38, 12), (39, 26), (37, 42), (36, 50)]
    sheet.polygon(outline, tint(skin, 0.96))
    sheet.polygon([(x * 0.9 + 2.4, y * 0.9 + 2.6) for x, y in outline], skin)
    for x in (14.0, 21.5, 29.0, 35.0):
        sheet.ellipse(x, 14 + abs(x - 22) * 0.25, 2.6, 1.8, tint(skin, 1.08))
        sheet.stroke([(x, 18), (22 + (x - 22) * 0.6, 34)], 1.3, tint(skin, 0.92))
    sheet.grain(rng, 4.5, 3.0)
    sheet.round_off(0.38)
    return sheet.cut((23.5, 46))


def _segment(skin: Colour, finger: int, half: int, rng: np.random.Generator, scale: float) -> Sprite:
    thick = THICK[finger] * (1.0 if half == 0 else 0.9)
    length = LENGTHS[finger][half]
    sheet = Sheet(thick + 4, length + thick + 4, scale)
    middle, end = (thick + 4) / 2, length + thick / 2 + 2
    sheet.stroke([(middle, thick / 2 + 2), (middle, end)], thick, tint(skin, 0.84))
    sheet.stroke([(middle, thick / 2 + 2.2), (middle, end)], thick * 0.72, skin)
    sheet.stroke([(middle - 0.8, thick / 2 + 3), (middle - 0.8, end)], thick * 0.26, tint(skin, 1.07))
    if half == 1:
        sheet.ellipse(middle, thick / 2 + 2.2, thick * 0.27, thick * 0.36, tint(skin, 1.16))
    else:
        sheet.stroke([(middle - 2, thick / 2 + 2), (middle + 2, thick / 2 + 2)], 0.9, tint(skin, 0.8))
    sheet.grain(rng, 3.5, 2.0)
    sheet.rgb = np.asarray(cv2.GaussianBlur(sheet.rgb, (0, 0), 0.8 * scale), np.uint8)
    return sheet.cut((middle, end))
