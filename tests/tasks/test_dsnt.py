"""Points from heat-maps and back: the published functions' numbers and the closed forms."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ego.tasks import _dsnt as dsnt

CENTRE = torch.zeros(2)
UNIFORM = torch.full((7, 7), 1 / 49)


def delta(row: int, column: int) -> torch.Tensor:
    found = torch.zeros(7, 7)
    found[row, column] = 1
    return found


@pytest.mark.parametrize(("pin", "axes", "sigma"), [("2x3x7x7", 2, 1.0), ("1x2x5x9", 2, 1.5), ("2x2x4x6x8", 3, 1.0)])
def test_the_published_functions(shared_data: Path, pin: str, axes: int, sigma: float) -> None:
    with np.load(shared_data / "parity" / "dsnt_functions.npz") as stored:
        pins = {key.partition("/")[2]: torch.from_numpy(stored[key]) for key in stored if key.startswith(pin + "/")}
    maps = dsnt.softmax_maps(pins["u"], axes)
    target = dsnt.gaussians(pins["target"], tuple(maps.shape[-axes:]), sigma)
    points = dsnt.coordinates(maps, axes)
    found = {
        "heatmaps": maps,
        "coords": points,
        "gauss": target,
        "euclidean": dsnt.distances(points, pins["target"]),
        "js": dsnt.jensen_shannon(maps, target, axes),
    }
    for name, value in found.items():
        assert torch.linalg.vector_norm(value - pins[name]) < 1e-6 * torch.linalg.vector_norm(pins[name]), name
    both, mask = found["euclidean"] + found["js"], pins["mask"]
    assert both.mean().item() == pytest.approx(pins["average"].item(), rel=1e-6)
    assert dsnt.masked_mean(both, mask).item() == pytest.approx(pins["average_masked"].item(), rel=1e-6)
    assert dsnt.masked_mean(both, 0 * mask).item() == pins["average_masked_none"].item() == 0


def test_the_point_of_a_map() -> None:
    assert dsnt.coordinates(UNIFORM).tolist() == pytest.approx([0, 0], abs=1e-7)
    assert dsnt.coordinates(delta(0, 6)).tolist() == pytest.approx([0.857143, -0.857143], abs=1e-6)


@pytest.mark.parametrize(("pixel", "normalised"), [(111.5, 0.0), (0.0, -0.995536), (223.0, 0.995536)])
def test_pixels_fractions_and_cells_agree(pixel: float, normalised: float) -> None:
    fraction = (pixel + 0.5) / 224  # a pixel's middle
    assert 2 * fraction - 1 == pytest.approx(normalised, abs=1e-6)
    assert ((2 * fraction - 1 + 1) * 224 - 1) / 2 == pytest.approx(pixel, abs=1e-12)
    if pixel == int(pixel):
        assert dsnt.centres(224, torch.zeros((), dtype=torch.float64))[int(pixel)].item() == pytest.approx(
            2 * fraction - 1
        )


def test_gaussians() -> None:
    middle = dsnt.gaussians(CENTRE, (7, 7), 1.0)
    assert middle[3, 3].item() == pytest.approx(0.159241, abs=1e-6)
    assert middle[0, 0].item() == pytest.approx(1.9652e-5, abs=1e-9)
    assert middle.sum().item() == pytest.approx(1)
    below = dsnt.gaussians(torch.tensor([0.0, 2.0]), (7, 7), 1.0)
    assert below.sum().item() == pytest.approx(1)
    assert below.argmax().item() == 45
    assert dsnt.coordinates(below).tolist() == pytest.approx([0, 0.85398], abs=1e-5)


def test_divergences_of_a_gaussian_in_the_middle() -> None:
    middle = dsnt.gaussians(CENTRE, (7, 7), 1.0)
    for maps, expected in ((middle, 0), (UNIFORM, 0.262574), (delta(3, 3), 0.461210), (delta(0, 6), 0.693031)):
        assert dsnt.jensen_shannon(maps, middle).item() == pytest.approx(expected, abs=1e-6)
    point = torch.tensor([0.5, -0.25])
    assert dsnt.jensen_shannon(UNIFORM, dsnt.gaussians(point, (7, 7), 1.0)).item() == pytest.approx(0.300247, abs=1e-6)
    assert dsnt.distances(dsnt.coordinates(UNIFORM), point).item() == pytest.approx(0.559017, abs=1e-6)


def test_the_published_multitask_loss(shared_data: Path) -> None:
    with np.load(shared_data / "parity" / "mfnet3d_multitask.npz") as stored:
        names = ("heatmaps", "coords", "target", "euclidean", "js", "coord_loss")
        pins = {name: torch.from_numpy(stored[f"b2_t16_h224_w224/{name}"]) for name in names}
    points = dsnt.coordinates(pins["heatmaps"])
    assert torch.allclose(points, pins["coords"], atol=1e-6)
    assert torch.allclose(dsnt.distances(points, pins["target"]), pins["euclidean"], atol=1e-6)
    target = dsnt.gaussians(pins["target"], (7, 7), 1.0)
    assert torch.allclose(dsnt.jensen_shannon(pins["heatmaps"], target), pins["js"], atol=1e-6)
