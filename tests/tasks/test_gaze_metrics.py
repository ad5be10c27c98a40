"""Figures for gaze: closed forms, what chance gives, and the published code's numbers."""

from pathlib import Path

import numpy as np
import pytest

from ego.tasks._gaze_metrics import (
    adaptive_f1,
    angular_error,
    arg_max,
    auc,
    auc_borji,
    auc_borji_of_many,
    auc_point,
    centre_of_mass,
    correlation,
    divergence,
    nss,
)

SIDE = 20
MIDDLE = np.array([[0.525, 0.525]])  # of cell (10, 10)


@pytest.fixture
def pins(shared_data: Path) -> dict[str, np.ndarray]:
    with np.load(shared_data / "parity" / "gaze_metrics.npz") as stored:
        return {key: stored[key] for key in stored}


@pytest.mark.parametrize(
    ("predicted", "gaze", "degrees"),
    [
        ((112, 112), (112, 112), 0.0),
        ((112, 112), (224, 112), 30.0),
        ((112, 112), (224, 224), 39.2315),
        ((112, 112), (112 + 34.2056, 112), 10.0),
        ((112, 112), (113, 112), 0.29535),
        ((112, 112), (132, 112), 5.88630),
        ((0, 112), (224, 112), 60.0),
        ((0, 0), (0, 0), 0.0),
    ],
)
def test_angles(predicted: tuple, gaze: tuple, degrees: float) -> None:
    found = angular_error(np.array([predicted]) / 224, np.array([gaze]) / 224)
    assert found[0] == pytest.approx(degrees, abs=1e-4)


def test_the_view_is_across_the_width() -> None:
    edge = angular_error(np.array([[0.5, 0.5]]), np.array([[1.0, 0.5]]), (1280, 960), 90.0)
    assert edge[0] == pytest.approx(45)
    down = angular_error(np.array([[0.5, 0.5]]), np.array([[0.5, 1.0]]), (1280, 960), 90.0)
    assert down[0] == pytest.approx(np.degrees(np.arctan(0.75)))


def test_the_published_errors_of_points(pins: dict[str, np.ndarray]) -> None:
    predicted = ((pins["points/pred_norm_f64"] + 1) * 224 - 1) / 2
    gaze = pins["points/gt_pixel_f64"]
    assert predicted == pytest.approx(pins["points/pred_pixel_f64"], abs=1e-9)
    assert angular_error(predicted / 224, gaze / 224) == pytest.approx(pins["points/aae_f64"], abs=1e-6)
    assert auc_point(predicted, gaze) == pytest.approx(pins["points/auc_f64"], abs=1e-9)


def test_the_published_errors_of_maps(pins: dict[str, np.ndarray]) -> None:
    row, column = np.mgrid[:224, :224].astype(float)
    maps = np.zeros((12, 224, 224)) + pins["maps/floor_f64"][:, None, None]
    for one, blob in np.ndindex(12, 2):
        ci, cj, s, amp = (pins[f"maps/{name}_f64"][one, blob] for name in ("ci", "cj", "s", "amp"))
        maps[one] += amp * np.exp(-((row - ci) ** 2 + (column - cj) ** 2) / (2 * s**2))
    mass = centre_of_mass(maps) * 224 - 0.5  # the published mean weighs a cell at its number
    assert mass[:, ::-1] == pytest.approx(pins["maps/centre_of_mass_f64"], abs=1e-8)
    target = pins["maps/target_ij"][:, ::-1]
    assert angular_error(mass / 224, target / 224) == pytest.approx(pins["maps/aae_f64"], abs=1e-6)
    assert auc_point(mass, target) == pytest.approx(pins["maps/auc_f64"], abs=1e-9)


def test_a_far_prediction_has_one_value_of_auc_point() -> None:
    """All further than 4 sigma lie beside the Gaussian: 113 x 113 of 224 x 224 pixels are above them."""
    predicted = np.array([[112.0, 112.0]] * 2)
    found = auc_point(predicted, np.array([[200, 30], [112, 169]]))
    assert found == pytest.approx(1 - 113**2 / 224**2)
    assert found[0] == pytest.approx(0.7455, abs=1e-4)
    assert auc_point(predicted, predicted) == pytest.approx(1)


@pytest.mark.parametrize(
    ("far", "expected"), [(0, 1.0), (20, 0.975028), (40, 0.899932), (55, 0.811364), (57, 0.745516), (100, 0.745516)]
)
def test_auc_point_falls_with_the_distance(far: int, expected: float) -> None:
    found = auc_point(np.array([[112.0, 112.0]]), np.array([[112.0 + far, 112.0]]))
    assert found[0] == pytest.approx(expected, abs=1e-6)


def peak(value: float) -> np.ndarray:
    """A map of noise whose middle cell has this value."""
    one = np.random.default_rng(0).uniform(0, 1, (1, SIDE, SIDE))
    one[0, 10, 10] = value
    return one


@pytest.mark.parametrize(
    ("maps", "exact", "judd"),
    [(peak(2.0), 1.0, 1.0), (np.ones((1, SIDE, SIDE)), 0.5, 0.5), (peak(-1.0), 0.0, 0.5)],
)
def test_auc_of_one_fixation(maps: np.ndarray, exact: float, judd: float) -> None:
    assert auc(maps, MIDDLE)[0] == exact
    assert auc(maps, MIDDLE, "judd_release")[0] == judd


def test_chance() -> None:
    random = np.random.default_rng(0)
    maps, gaze = random.uniform(0, 1, (2000, SIDE, SIDE)), random.uniform(0, 1, (2000, 2))
    assert auc(maps, gaze).mean() == pytest.approx(0.5, abs=0.02)
    assert auc(maps, gaze, "judd_release").mean() == pytest.approx(0.75, abs=0.01)
    assert nss(maps, gaze).mean() == pytest.approx(0, abs=0.06)
    many = [random.uniform(0, 1, (50, 2)) for _ in range(100)]
    assert auc_borji_of_many(maps[:100], many).mean() == pytest.approx(0.5, abs=0.02)
    assert auc_borji(maps[:50], gaze[:50]).mean() == pytest.approx(0.5, abs=0.1)


def test_a_rising_rescale_changes_no_order() -> None:
    random = np.random.default_rng(1)
    maps, gaze = random.uniform(0, 1, (30, SIDE, SIDE)), random.uniform(0, 1, (30, 2))
    for way in ("exact", "judd_release"):
        assert auc(np.exp(3 * maps) - 7, gaze, way) == pytest.approx(auc(maps, gaze, way))


def test_a_sharp_map_on_the_gaze_is_best_everywhere() -> None:
    blob = np.exp(-((np.mgrid[:SIDE, :SIDE] - 10) ** 2).sum(0) / 8)[None]
    assert auc_borji(blob, MIDDLE)[0] > 0.95
    assert nss(blob, MIDDLE)[0] > 3
    assert correlation(blob, 3 * blob + 1)[0] == pytest.approx(1)
    assert correlation(blob, -blob)[0] == pytest.approx(-1)
    assert correlation(blob, np.ones_like(blob))[0] == 0
    assert divergence(blob, 5 * blob)[0] == pytest.approx(0, abs=1e-12)
    assert nss(np.ones_like(blob), MIDDLE)[0] == 0


def test_divergence_of_a_uniform_map() -> None:
    """Truth in one of 400 cells: log 400 nats."""
    truth = np.zeros((1, SIDE, SIDE))
    truth[0, 10, 10] = 7
    assert divergence(np.ones((1, SIDE, SIDE)), truth)[0] == pytest.approx(np.log(400))


def test_nss_of_a_lone_peak() -> None:
    lone = np.zeros((1, SIDE, SIDE))
    lone[0, 10, 10] = 1
    mean = 1 / 400
    assert nss(lone, MIDDLE)[0] == pytest.approx((1 - mean) / np.sqrt(mean * (1 - mean)))


def test_points_of_a_map() -> None:
    lone = np.zeros((2, 4, 8))
    lone[0, 3, 6] = 2
    assert arg_max(lone)[0] == pytest.approx((6.5 / 8, 3.5 / 4))
    assert centre_of_mass(lone)[0] == pytest.approx((6.5 / 8, 3.5 / 4))
    assert centre_of_mass(lone)[1] == pytest.approx((0.5, 0.5))


def test_the_threshold_best_for_f1() -> None:
    truth = np.zeros((1, SIDE, SIDE))
    truth[0, 5:10, 5:10] = 0.04
    assert adaptive_f1(truth, truth) == pytest.approx((1, 1, 1))
    wide = np.zeros_like(truth)
    wide[0, 5:15, 5:10] = 1.0  # twice too large
    assert adaptive_f1(wide, truth) == pytest.approx((2 / 3, 1, 0.5))
    wide[0, 5:10, 5:10] = 2.0  # and right at a higher threshold
    assert adaptive_f1(wide, truth) == pytest.approx((1, 1, 1))
    assert adaptive_f1(np.zeros_like(truth), truth) == (0, 0, 0)
