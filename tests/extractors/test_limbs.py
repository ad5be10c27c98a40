"""Patches of skin and the arms they are made of."""

import cv2
import numpy as np
import pytest

from ego.extractors._limbs import ELBOWS, Before, Hand, _nearer_arm, ends
from ego.extractors._parting import Patch

WIDE, TALL = 192, 144
REACH = 0.15 * WIDE
Stroke = tuple[tuple[int, int], tuple[int, int]]


def patch(*lines: Stroke, thick: int = 14) -> tuple[np.ndarray, np.ndarray]:
    mask = np.zeros((TALL, WIDE), np.uint8)
    for start, stop in lines:
        cv2.line(mask, start, stop, 1, thick)
    rows, columns = np.nonzero(mask)
    return columns, rows


def middle(hand: Hand) -> tuple[float, float]:
    return (hand.box[0] + hand.box[2]) / 2 * WIDE, (hand.box[1] + hand.box[3]) / 2 * TALL


def test_the_hand_is_the_far_end_of_the_arm():
    (hand,) = ends(*patch(((150, TALL), (60, 40))), WIDE, TALL, REACH)
    assert middle(hand) == pytest.approx((65, 48), abs=9)
    assert hand.origin == pytest.approx((150 + 90 * 0.35 * TALL / (TALL - 40)) / WIDE, abs=0.07)  # its elbow


def test_an_arm_that_ends_at_its_sleeve_points_to_where_it_comes_from():
    (hand,) = ends(*patch(((100, 80), (130, 30))), WIDE, TALL, REACH)  # no skin at the border
    entry = 100 - 50 * (TALL - 80) / 80
    assert hand.origin == pytest.approx((entry - 0.6 * 0.35 * TALL) / WIDE, abs=0.07)
    (round_one,) = ends(*patch(((100, 80), (103, 78))), WIDE, TALL, REACH)  # has no direction
    assert round_one.origin == pytest.approx(101 / WIDE, abs=0.03)


def test_two_arms_that_touch_are_two_hands():
    one, two = ends(*patch(((30, TALL), (90, 60)), ((WIDE, 120), (100, 60))), WIDE, TALL, REACH)
    assert one.origin < 0.25
    assert two.origin > 0.9
    assert one.box[0] < two.box[0]


def test_two_arms_that_end_at_their_sleeves_are_told_by_their_shape():
    legs = patch(((70, 125), (90, 40)), ((130, 125), (104, 40)))
    one, two = sorted(ends(*legs, WIDE, TALL, REACH), key=lambda hand: hand.origin)
    assert one.origin < 0.4 < 0.6 < two.origin
    assert middle(one)[0] < 97 < middle(two)[0]


def test_one_that_reaches_across_the_place_of_the_other_keeps_its_arm():
    left, right = (0.28, 0.72, 0.42, 0.98), (0.46, 0.4, 0.62, 0.68)
    crossing = patch(((68, TALL), (68, 110)), ((122, TALL), (88, 50)), thick=20)
    seen = [Before(left, 0.35, left, True), Before(right, 0.8, right, True)]
    resting, reaching = sorted(ends(*crossing, WIDE, TALL, REACH, seen), key=lambda hand: -hand.box[1])
    assert middle(resting) == pytest.approx((68, 122), abs=12)
    assert middle(reaching)[1] < 75
    assert resting.origin < 0.45
    assert reaching.origin > 0.6


def test_a_broad_low_patch_is_the_two_hands_it_was():
    low = patch(((60, 138), (105, 138)), thick=24)
    left, right = (0.24, 0.85, 0.38, 1.0), (0.5, 0.85, 0.64, 1.0)
    known = [Before(left, 0.3, left, False), Before(right, 0.6, right, False)]
    one, two = sorted(ends(*low, WIDE, TALL, REACH, known), key=lambda hand: hand.box[0])
    assert middle(one)[0] < 75
    assert middle(two)[0] > 90
    assert len(ends(*low, WIDE, TALL, REACH)) == 1


def test_two_arms_are_told_apart_by_the_elbows_they_had():
    box = (0.45, 0.4, 0.55, 0.6)  # both hands are at the same place, 0.85 heights above their elbows
    arms = Before(box, 0.1, box, True), Before(box, 0.9, box, True)
    low = 0.5 + (ELBOWS - 0.5) / 2  # half the way down, the arms are at 0.3 and at 0.7
    columns = np.array([0.3, 0.45, 0.55, 0.7]) * WIDE
    places = Patch(columns.round().astype(int), np.full(4, round(low * TALL)), WIDE, TALL)
    assert _nearer_arm(places, arms).tolist() == [True, True, False, False]
    assert _nearer_arm(places, arms[::-1]).tolist() == [False, False, True, True]


def test_what_comes_in_at_two_places_of_the_border_is_two_arms():
    across = patch(((0, 100), (WIDE - 1, 100)))  # one straight line, from side to side
    one, two = sorted(ends(*across, WIDE, TALL, REACH), key=lambda hand: hand.origin)
    assert (one.origin, two.origin) == pytest.approx((0, 1), abs=0.02)
    assert one.box[2] == pytest.approx(0.5, abs=0.02)
    assert two.box[0] == pytest.approx(0.5, abs=0.02)
    assert len(ends(*patch(((0, 100), (150, 100))), WIDE, TALL, REACH)) == 1
