"""A step gains what it explains better than the camera alone, in units of what the pictures differ by anyway."""

from typing import Any

import numpy as np
import pytest

from ego.extractors._idt_gain import LEAST_NOISE, gain, step

DRAW = np.random.default_rng(3)
WORLD = DRAW.integers(60, 200, (80, 100)).astype(np.uint8)


def moved(x: int, y: int) -> Any:
    """The world, and one whose square of 30 pixels at 40, 20 moves so far over it."""
    after = WORLD.copy()
    after[20 + y : 50 + y, 40 + x : 70 + x] = WORLD[20:50, 40:70]
    return after


def at(steps: Any, points: Any, own: Any) -> Any:
    return gain(steps, np.array(points, np.float32), np.array(own, np.float32))


def test_the_gain_of_one_step_is_the_difference_that_it_explains() -> None:
    after = moved(4, -3)
    here, there = WORLD[32:39, 52:59].astype(float), after[32:39, 52:59].astype(float)
    (found,) = at([step(WORLD, after)], [[[55, 35]]], [[[4.2, -2.8]]])  # to a whole pixel
    assert found == pytest.approx(np.abs(here - there).mean() / LEAST_NOISE)
    (none,) = at([step(WORLD, after)], [[[55, 35]]], [[[0.4, -0.4]]])
    assert none == 0


def test_a_still_point_that_the_flow_moves_loses() -> None:
    (lost,) = at([step(WORLD, moved(4, -3))], [[[20, 60]]], [[[4, -3]]])
    assert lost < -20


def test_points_at_and_beyond_the_border_are_compared_with_what_is_there() -> None:
    points = [[[0, 0]], [[99, 79]], [[99.4, 79.4]], [[2, 40]]]
    found = at([step(WORLD, WORLD)], points, [[[-3, -3]], [[9, 9]], [[0, 0]], [[-9, 0]]])
    assert np.isfinite(found).all()
    assert (found <= 0).all()


def test_noise_is_the_unit_and_explains_nothing() -> None:
    rough = {
        level: np.clip(moved(4, 0) + DRAW.normal(0, level, WORLD.shape), 0, 255).astype(np.uint8) for level in (4, 12)
    }
    steps = [step(WORLD, rough[level]) for level in (4, 12)]
    assert [one.noise for one in steps] == pytest.approx([4 * 0.8, 12 * 0.8], rel=0.2)  # mean of a normal one
    points = np.tile([[[55.0, 35.0]] * 2], (1, 1, 1))
    (gains,) = at(steps, points, [[[4, 0], [4, 0]]])
    assert gains[0] > 2 * gains[1] > 2


def test_flat_pictures_gain_nothing_whatever_the_flow_says() -> None:
    flat = np.full((80, 100), 90, np.uint8)
    assert (at([step(flat, flat)] * 2, [[[50, 40]] * 3], [[[5, 0], [-5, 2]]]) == 0).all()
    assert gain([], np.zeros((0, 11, 2), np.float32), np.zeros((0, 10, 2), np.float32)).shape == (0, 10)
