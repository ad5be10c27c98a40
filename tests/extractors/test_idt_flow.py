"""The pyramid and the flows of improved dense trajectories."""

from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from ego.extractors._camera import Camera
from ego.extractors._homography import between, corners, stabilise
from ego.extractors._idt_flow import ENGINES, Dis, Field, pyramid, sizes


def test_the_levels_of_a_picture() -> None:
    levels = [(960, 540), (679, 382), (480, 270), (339, 191), (240, 135), (170, 95), (120, 67), (85, 48)]
    assert sizes(960, 540) == levels
    assert sizes(960, 540, 4) == levels[:4]
    assert (960 // 5) * (540 // 5) == 20_736
    assert len(sizes(1000, 63)) == 2  # 63 / sqrt(2) = 44.5, 63 / 2 = 31.5
    assert len(sizes(64, 64)) == 3
    assert sizes(20, 10) == [(20, 10)]


def test_a_pyramid_shows_the_same_at_each_level(worlds: ModuleType) -> None:
    (picture,) = worlds.shifted(1, (0, 0), 270, 480)
    levels = sizes(480, 270)
    made = pyramid(picture[..., 0], levels)
    assert [one.shape[::-1] for one in made] == levels
    again = cv2.resize(made[3], (480, 270)).astype(float)
    assert np.corrcoef(again.ravel(), cv2.blur(picture[..., 0], (3, 3)).ravel())[0, 1] > 0.97


@pytest.mark.parametrize(("name", "near", "still"), [("farneback", 0.02, (0.01, 0.05)), ("dis", 0.1, (0.3, 0.4))])
def test_a_pure_shift_of_the_camera(worlds: ModuleType, name: str, near: float, still: tuple[float, float]) -> None:
    before, after = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in worlds.shifted(2, (7, 3), 270, 480))
    engine, levels = ENGINES[name](), sizes(480, 270)
    first = pyramid(before, levels)
    flow = engine.flow(first, pyramid(after, levels), levels[:4])
    for level, field in enumerate(flow):
        scale = np.array(levels[level]) / levels[0]
        inner = field.pixels[15:-15, 15:-15].reshape(-1, 2)
        assert np.median(inner, axis=0) / scale == pytest.approx([7, 3], abs=4 * near)
    start = corners(Camera(), before)
    moved = start + flow[0].at(start.astype(np.int64) @ (1, 480))
    motion = between(Camera(), before, after, (start, moved))
    assert motion.inliers > 0.9 * len(start)
    assert worlds.corner_error(motion.homography, np.array([[1, 0, 7], [0, 1, 3], [0, 0, 1.0]]), 480, 270) < 5 * near
    stable = engine.flow(first, pyramid(stabilise(after, motion, before), levels), levels[:1])
    left = np.hypot(*np.moveaxis(stable[0].pixels[15:-15, 15:-15], 2, 0))
    assert (np.median(left), np.percentile(left, 95)) < still


def test_flow_is_read_at_flat_places() -> None:
    values: Any = np.arange(24, dtype=np.int16).reshape(3, 4, 2)
    field = Field(values, np.array([0.5, 0.25], np.float32))
    assert field.at(np.array([0, 11, 5])).tolist() == [[0, 0.25], [11, 5.75], [5, 2.75]]
    real = Field(values.astype(np.float32), np.ones(2, np.float32))
    assert real.at(np.array([6])).tolist() == [[12, 13]]
    assert np.array_equal(field.pixels[2, 3], [11, 5.75])


def test_fixed_point_is_within_a_hundredth_of_the_search_itself(worlds: ModuleType) -> None:
    before, after = (cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in worlds.shifted(2, (-4, 2), 270, 480))
    dense = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(before, after, None)
    (field,) = Dis().flow([before], [after], [(480, 270)])
    assert np.abs(field.pixels - cv2.medianBlur(dense, 5)).max() < 0.01
