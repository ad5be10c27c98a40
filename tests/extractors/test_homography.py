"""The camera's motion is found among moving hands, or taken to be none; pictures are stabilised by it."""

from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from ego.errors import BadRequest
from ego.extractors._camera import Camera
from ego.extractors._homography import BORDER, STILL, Motion, between, corners, eigen, fit, matches, outside, stabilise

TRUE = np.array([[1.01, 0.004, 3.0], [-0.003, 0.995, -2.0], [1e-6, -2e-6, 1.0]])


def grey(pictures: Any) -> Any:
    return [cv2.cvtColor(one, cv2.COLOR_RGB2GRAY) for one in pictures]


def found(camera: Camera, before: Any, after: Any, keep: Any = (None, None)) -> Motion:
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST).calc(before, after, None)
    start = corners(camera, before, keep=keep[0])
    at = start.astype(int)
    return between(camera, before, after, (start, start + flow[at[:, 1], at[:, 0]]), keep)


def some(agree: int, total: int) -> tuple[Any, Any]:
    """Matches of which just so many agree; the others go far, each its own way."""
    draw = np.random.default_rng(3)
    start = draw.uniform(20, 440, (total, 2)).astype(np.float32)
    stop = cv2.perspectiveTransform(start[:, None], TRUE)[:, 0]
    stop[agree:] += draw.choice([-1, 1], (total - agree, 2)) * draw.uniform(60, 4000, (total - agree, 2))
    return start, stop.astype(np.float32)


@pytest.mark.parametrize("estimator", ["usac", "ransac"])
def test_too_few_matches_or_inliers_are_no_motion(estimator: Any) -> None:
    camera = Camera(estimator=estimator)
    assert fit(camera, *some(50, 50)) == Motion(STILL, 0)
    few = fit(camera, *some(25, 51))
    assert few.inliers == 25
    assert np.array_equal(few.homography, STILL)
    enough = fit(camera, *some(26, 51))
    assert enough.inliers == 26
    assert enough.homography == pytest.approx(TRUE, abs=0.02)


def test_a_homography_needs_four_points() -> None:
    with pytest.raises(BadRequest, match="from 4"):
        Camera(inliers_above=3)
    with pytest.raises(BadRequest, match="above 0"):
        Camera(reprojection_pixels=0.0)


@pytest.mark.parametrize("choice", ["spread", "strongest"])
def test_a_shift_of_the_camera(worlds: ModuleType, choice: Any) -> None:
    before, after = grey(worlds.shifted(2, (7, 3), 270, 480))
    camera = Camera(corners=choice)
    flow = cv2.calcOpticalFlowFarneback(before, after, None, 0.7071, 5, 10, 2, 7, 1.5, cv2.OPTFLOW_FARNEBACK_GAUSSIAN)
    start = corners(camera, before)
    at = start.astype(int)
    motion = between(camera, before, after, (start, start + flow[at[:, 1], at[:, 0]]))
    assert motion.inliers > 0.9 * len(start)
    shift = np.array([[1, 0, 7], [0, 1, 3], [0, 0, 1.0]])
    assert worlds.corner_error(motion.homography, shift, 480, 270) < 0.05


@pytest.mark.parametrize("features", ["orb", "sift"])
def test_features_find_a_shift_without_any_flow(worlds: ModuleType, features: Any) -> None:
    before, after = grey(worlds.shifted(2, (9, -5), 270, 480))
    camera = Camera(features=features)
    start, stop = matches(camera, before, after, (None, None))
    assert (np.abs(stop - start) < camera.reach_pixels).all()
    nothing = np.empty((0, 2), np.float32)
    motion = between(camera, before, after, (nothing, nothing))
    shift = np.array([[1, 0, 9], [0, 1, -5], [0, 0, 1.0]])
    assert worlds.corner_error(motion.homography, shift, 480, 270) < 1
    keep = np.zeros_like(before)
    assert len(matches(camera, before, after, (keep, keep))[0]) == 0


def test_corners_are_spread_and_never_under_a_mask(worlds: ModuleType) -> None:
    (picture,) = grey(worlds.shifted(1, (0, 0), 270, 480))
    keep = outside(np.array([[0.25, 0.5, 0.75, 1.2]], np.float32), np.array([True]), 270, 480)
    side = int(np.ceil(np.sqrt(270 * 480 / 1000)))
    for camera in (Camera(corners="spread"), Camera()):
        points = corners(camera, picture, keep=keep).astype(int)
        assert 300 < len(points) <= 1000
        assert (keep[points[:, 1], points[:, 0]] > 0).all()
        if camera.corners == "strongest":
            apart = np.abs(points[:, None] - points).max(axis=2) + 99 * np.eye(len(points))
            assert apart.min() >= 3
        else:
            cells = points // side
            assert len(np.unique(cells, axis=0)) == len(cells)
    flat = np.full((100, 100), 77, np.uint8)
    assert len(corners(Camera(), flat)) == len(corners(Camera(corners="spread"), flat)) == 0
    assert eigen(flat).max() == 0


def test_boxes_that_are_not_visible_hide_nothing() -> None:
    boxes = np.array([[0, 0, 1, 1], [0.5, 0.5, 0.75, 1]], np.float32)
    keep = outside(boxes, np.array([False, True]), 8, 8)
    assert (keep == 0).sum() == 2 * 4
    assert (keep[4:, 4:6] == 0).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_what_comes_from_the_border_is_copied_from_the_first_picture(channels: int) -> None:
    draw = np.random.default_rng(0)
    shape = (40, 60) if channels == 1 else (40, 60, channels)
    first, second = (draw.integers(0, 256, shape).astype(np.uint8) for _ in range(2))
    shift = np.array([[1, 0, 7], [0, 1, 0], [0, 0, 1.0]])
    stable = stabilise(second, Motion(shift, 99), first)
    inside = slice(BORDER, -BORDER)
    assert np.array_equal(stable[inside, : 60 - BORDER - 7], second[inside, 7 : 60 - BORDER])
    assert np.array_equal(stable[:, 60 - BORDER - 7 :], first[:, 60 - BORDER - 7 :])
    assert np.array_equal(stable[:BORDER], first[:BORDER])
    assert np.array_equal(stable[-BORDER:], first[-BORDER:])


def test_equal_pairs_give_equal_motion_in_any_order_and_thread(worlds: ModuleType) -> None:
    pairs = [grey(worlds.shifted(2, step, 135, 240, seed)) for seed, step in enumerate([(3, 1), (-2, 5), (4, -4)])]
    for camera in (Camera(), Camera(estimator="ransac"), Camera(features="orb")):
        alone = [found(camera, *pair) for pair in pairs]
        with ThreadPoolExecutor(4) as pool:
            again = list(pool.map(lambda pair: found(camera, *pair), pairs[::-1] * 4))  # noqa: B023
        for motion, other in zip(again, alone[::-1] * 4, strict=True):
            assert np.array_equal(motion.homography, other.homography)


def test_the_kitchen_with_hands_over_two_fifths_of_the_picture(worlds: ModuleType) -> None:
    plain, crowded = [], []
    cook, other = (worlds.kitchen(seed, 0, 3.0, (480, 270), False) for seed in (0, 3))
    # the moving parts of another kitchen, enlarged, pass in front: their own camera moves them too
    seen = np.stack([cv2.resize(one.astype(np.uint8), None, fx=4, fy=4) for one in other.mask]) > 0
    large = [cv2.resize(one, None, fx=4, fy=4) for one in other.pictures]
    shares = []
    for t in range(38, 89, 2):
        true = cook.camera(t)
        plain.append(worlds.corner_error(found(Camera(), *grey(cook.pictures[t : t + 2])).homography, true, 480, 270))
        top, left = _fullest(seen[t])
        pair = cook.pictures[t : t + 2].copy()
        for place in range(2):
            near = seen[t + place, top : top + 270, left : left + 480]
            pair[place][near] = large[t + place][top : top + 270, left : left + 480][near]
        share = float(seen[t, top : top + 270, left : left + 480].mean())
        if 0.25 < share < 0.45:
            shares.append(share)
            crowded.append(worlds.corner_error(found(Camera(), *grey(pair)).homography, true, 480, 270))
    assert np.median(plain) < 0.5
    assert len(shares) >= 5
    assert np.median(crowded) < 1.5


def _fullest(mask: Any) -> tuple[int, int]:
    """Where a window of 480x270 holds most of a mask, but not more than two fifths of the window."""
    sums = cv2.integral(mask.astype(np.uint8))
    share = (sums[270:, 480:] - sums[:-270, 480:] - sums[270:, :-480] + sums[:-270, :-480]) / (270 * 480)
    top, left = np.unravel_index(np.where(share <= 0.42, share, -1).argmax(), share.shape)
    return int(top), int(left)
