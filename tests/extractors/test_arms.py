"""Hands by colour and motion: the room behind them, and the ends of arms."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from ego.errors import BadRequest
from ego.extractors._arms import _parts, binned, skin_prior
from ego.extractors._base import Beside
from ego.extractors._detector import Shot
from ego.extractors._room import Camera, Room
from ego.extractors._skin import SkinAndMotion

WIDE, TALL = 192, 144
SKINS = [(226, 178, 148), (176, 118, 84), (96, 62, 44)]


def room() -> np.ndarray:
    """A still wall of blue-grey texture, larger than the view."""
    random = np.random.default_rng(1)
    coarse = random.integers(90, 170, (30, 40, 1), np.uint8)
    return cv2.resize(np.repeat(coarse, 3, axis=2) * np.array([0.8, 0.95, 1.0]), (280, 210)).astype(np.uint8)


def shots(skin: tuple[int, int, int], frames: int) -> Iterator[tuple[Shot, tuple[float, float]]]:
    """The camera pans; an arm comes up from below and its hand goes left and right."""
    wall = room()
    for frame in range(frames):
        left, top = 30 + round(20 * np.sin(frame / 17)), 30 + round(10 * np.cos(frame / 23))
        picture = wall[top : top + TALL, left : left + WIDE].copy()
        hand = (95 + 55 * np.sin(frame / 11), 70 + 12 * np.cos(frame / 7))
        cv2.line(picture, (120, TALL + 20), (int(hand[0]), int(hand[1])), skin, 16)
        cv2.circle(picture, (int(hand[0]), int(hand[1])), 14, skin, -1)
        yield Shot(picture, frame / 30, (frame + 1) / 30), (hand[0] / WIDE, hand[1] / TALL)


@pytest.mark.parametrize("skin", SKINS)
def test_a_moving_hand_of_any_skin_is_found(skin: tuple[int, int, int]):
    shown = list(shots(skin, 50))
    detector = SkinAndMotion(span_seconds=1.0, step_seconds=0.2)
    found = list(detector.detect((shot for shot, _ in shown), Beside({}, WIDE, TALL), {}))
    assert len(found) == len(shown)
    near = 0
    for (_, hand), one in zip(shown, found, strict=True):
        centre = (one.boxes[:, :2] + one.boxes[:, 2:]) / 2
        away = np.hypot(centre[:, 0] - hand[0], (centre[:, 1] - hand[1]) * TALL / WIDE)
        near += bool(away.min(initial=9) < 0.1)
        assert (one.boxes >= 0).all()
        assert (one.boxes <= 1).all()
    assert near / len(shown) > 0.9


def test_a_hand_that_rests_is_known_by_its_colour():
    moving = list(shots(SKINS[1], 120))
    still, hand = moving[-1]
    resting = [(Shot(still.picture, frame / 30, (frame + 1) / 30), hand) for frame in range(120, 220)]
    detector = SkinAndMotion(span_seconds=1.0, step_seconds=0.2)
    shown = (shot for shot, _ in [*moving, *resting])
    late = list(detector.detect(shown, Beside({}, WIDE, TALL), {}))[160:]  # its room has been the hand itself for long
    near = 0
    for one in late:
        centre = (one.boxes[:, :2] + one.boxes[:, 2:]) / 2
        away = np.hypot(centre[:, 0] - hand[0], (centre[:, 1] - hand[1]) * TALL / WIDE)
        near += bool(away.min(initial=9) < 0.1)
    assert near / len(late) > 0.9


def test_the_room_is_seen_through_what_moves():
    shown = [shot.picture for shot, _ in shots(SKINS[1], 60)]
    wall, count = room(), 0
    for frame, view in enumerate(Room(30, 1.0, 0.2).views(iter(shown))):
        count += 1
        if frame in (20, 33, 47):
            left, top = 30 + round(20 * np.sin(frame / 17)), 30 + round(10 * np.cos(frame / 23))
            still = cv2.cvtColor(wall[top : top + TALL, left : left + WIDE], cv2.COLOR_RGB2YCrCb).astype(float)
            assert np.abs(view.room - still)[10:110, 10:-10].mean() < 6
            assert (view.known[10:-10, 10:-10] >= 2).mean() > 0.9
    assert count == 60


def test_the_room_looks_ahead_by_its_span_only():
    read = 0

    def watched() -> Iterator[np.ndarray]:
        nonlocal read
        for shot, _ in shots(SKINS[0], 80):
            read += 1
            yield shot.picture

    ahead = []
    for given, _ in enumerate(Room(30, 1.0, 0.2).views(watched())):
        ahead.append(read - given)
    assert max(ahead) <= 32


def test_the_camera_tells_its_own_motion():
    wall = cv2.cvtColor(room(), cv2.COLOR_RGB2GRAY)
    camera = Camera()
    camera.step(np.ascontiguousarray(wall[20:164, 20:212]))
    moved = camera.step(np.ascontiguousarray(wall[23:167, 25:217]))
    assert (moved @ [96, 72, 1])[:2] == pytest.approx([91, 69], abs=0.3)
    assert camera.step(np.zeros((144, 192), np.uint8)).tolist() == np.eye(3).tolist()  # nothing to follow


def test_skin_of_every_tone_is_likelier_than_other_colours():
    def like(colour: tuple[int, int, int]) -> float:
        pixel = cv2.cvtColor(np.array([[colour]], np.uint8), cv2.COLOR_RGB2YCrCb)
        return float(skin_prior()[binned(pixel)][0, 0])

    others = [(62, 84, 128), (84, 88, 92), (70, 112, 80), (225, 225, 220), (128, 52, 56), (214, 48, 30)]
    assert min(map(like, SKINS)) > 1.5 * max(map(like, others))


def shape(left: int, top: int, wide: int, tall: int, cut: int = 0) -> np.ndarray:
    """A box on the lower border, without a corner of so many pixels."""
    mask = np.zeros((TALL, WIDE), np.uint8)
    mask[top : top + tall, left : left + wide] = 1
    mask[top : top + cut, left : left + 2 * cut] = 0
    return mask


@pytest.mark.parametrize(
    ("mask", "moves", "arms"),
    [
        (shape(60, 100, 80, 44), -1.0, 0),  # a board that lies still
        (shape(60, 100, 80, 44), 1.0, 1),
        (shape(60, 100, 40, 44), -1.0, 1),  # as wide as a hand
        (shape(60, 100, 80, 44, 30), -1.0, 1),  # an arm does not fill its box
        (shape(60, 60, 40, 44), -1.0, 0),  # hangs together with no border
    ],
)
def test_what_is_wide_and_fills_its_box_is_the_room_unless_it_moves(mask: np.ndarray, moves: float, arms: int):
    surely = np.full(mask.shape, 2.0, np.float32)
    assert len(list(_parts(mask, mask, np.full(mask.shape, moves), surely))) == arms


@pytest.mark.parametrize("fields", [{"height": 20}, {"step_seconds": 0.0}, {"hand_width": 1.0}])
def test_fields_that_mean_nothing(fields: dict[str, float]):
    with pytest.raises(BadRequest):
        SkinAndMotion(**fields)  # type: ignore[arg-type]
