"""Hands of the last moments: which two a patch may be made of, and where one of them rests."""

import numpy as np
import pytest

from ego.extractors._lately import Lately

WIDE, TALL, FPS = 192, 144, 10.0
LEFT, RIGHT = (0.25, 0.5, 0.375, 0.75), (0.625, 0.5, 0.75, 0.75)


def labels(*boxes: tuple[float, float, float, float]) -> np.ndarray:
    """A picture in which all these boxes are filled by the first patch."""
    picture = np.zeros((TALL, WIDE), np.int16)
    for left, top, right, bottom in boxes:
        picture[int(top * TALL) : int(bottom * TALL), int(left * WIDE) : int(right * WIDE)] = 1
    return picture


def apart(frames: int) -> Lately:
    lately = Lately(FPS)
    for _ in range(frames):
        lately.take([(LEFT, 0.2, True), (RIGHT, 0.8, True)])
    return lately


def test_two_hands_that_were_apart_are_known_when_one_patch_covers_both():
    both = apart(3).inside(labels(LEFT, RIGHT), 1)
    assert sorted(one.box for one in both) == [LEFT, RIGHT]
    assert all(one.lately for one in both)
    assert not any(one.lately for one in apart(1).inside(labels(LEFT, RIGHT), 1))  # seen for too short a time
    assert [one.box for one in apart(3).inside(labels(RIGHT), 1)] == [RIGHT]
    assert apart(3).inside(labels(LEFT), 2) == []


def test_hands_that_met_are_remembered_for_so_long():
    lately = apart(3)
    kept = []
    for _ in range(20):
        kept.append(all(one.lately for one in lately.inside(labels(LEFT, RIGHT), 1)))
        lately.take([(LEFT, 0.2, False), (RIGHT, 0.8, False)])
    assert kept == [True] * 16 + [False] * 4


def test_a_resting_place_stays_in_the_room_while_the_view_moves():
    lately = apart(3)
    step = np.array([[1, 0, 0.125 * WIDE], [0, 1, 0], [0, 0, 1.0]])
    lately.move(step, WIDE, TALL)
    (one,) = lately.inside(labels(LEFT), 1)
    assert one.box == LEFT
    assert one.rest == pytest.approx((0.375, 0.5, 0.5, 0.75))
