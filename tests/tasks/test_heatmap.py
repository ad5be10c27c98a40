"""Maps about the gaze: the numbers of the paper's target in the alignment of its code, and the figures."""

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.gaze import heatmap
from ego.tasks._base import Judged
from ego.tasks.heatmap import Heatmap

ONE = torch.ones(1, 1, dtype=torch.bool)
WHOLE = {sigma: Heatmap(centres="whole", sigma=sigma) for sigma in (None, 3.0)}


def error(task: Heatmap, value: float, point: tuple[float, float] = (3 / 7, 3 / 7), size: int = 7) -> float:
    """The loss of a constant map."""
    return task.loss(torch.full((1, 1, size, size), value), torch.tensor([[point]]), ONE).item()


@pytest.mark.parametrize(
    ("sigma", "still", "full"), [(None, 0.56151, 0.09022), (3.0, 0.47173, 1 - 2 * 0.66456 + 0.47173)]
)
def test_the_error_of_nothing_and_of_everything(sigma: float | None, still: float, full: float) -> None:
    assert error(WHOLE[sigma], 0.0) == pytest.approx(still, abs=1e-5)
    assert error(WHOLE[sigma], 1.0) == pytest.approx(full, abs=2e-5)


@pytest.mark.parametrize(
    ("sigma", "corner", "edge", "mean"), [(None, 0.47965, 0.69257, 0.73564), (3.0, 0.36788, 0.60653, 0.66456)]
)
def test_the_target_of_a_whole_cell(sigma: float | None, corner: float, edge: float, mean: float) -> None:
    gaze = np.array([[3 / 7, 3 / 7]])
    target = heatmap(gaze, np.ones(1, bool), (7, 7), sigma, centres="whole")[0]
    assert (target[3, 3], target[0, 0], target[0, 3], target.mean()) == pytest.approx((1, corner, edge, mean), abs=1e-5)
    exact = torch.from_numpy(target)[None, None]
    assert WHOLE[sigma].loss(exact, torch.tensor([[[3 / 7, 3 / 7]]]), ONE).item() == pytest.approx(0, abs=1e-12)


def test_the_half_cell_between_paper_and_code() -> None:
    shifted = heatmap(np.array([[0.5, 0.5]]), np.ones(1, bool), (7, 7), centres="whole")[0]
    assert (shifted.max(), shifted.min()) == pytest.approx((0.97980, 0.36788), abs=1e-5)
    aligned = heatmap(np.array([[0.5, 0.5]]), np.ones(1, bool), (7, 7))[0]
    assert (aligned.max(), aligned.min()) == pytest.approx((1, 0.47965), abs=1e-5)
    corner = heatmap(np.array([[0.0, 0.0]]), np.ones(1, bool), (7, 7), centres="whole")[0]
    assert corner[6, 6] == pytest.approx(0.0529, abs=1e-4)


def test_the_target_follows_the_map_it_is_compared_with() -> None:
    for size in (7, 14):
        target = torch.from_numpy(heatmap(np.array([[0.3, 0.8]]), np.ones(1, bool), (size, size)))[None]
        assert Heatmap().loss(target, torch.tensor([[[0.3, 0.8]]]), ONE).item() == pytest.approx(0, abs=1e-12)


def test_the_target_of_mirrored_gaze_is_the_mirrored_target_of_cells_at_their_centres() -> None:
    gaze, mirrored = torch.tensor([[[0.3, 0.8]]]), torch.tensor([[[0.7, 0.8]]])
    for task, same in ((Heatmap(), True), (WHOLE[None], False)):
        maps = torch.rand(1, 1, 7, 7, generator=torch.manual_seed(0))
        pair = [task.loss(maps, gaze, ONE).item(), task.loss(maps.flip(-1), mirrored, ONE).item()]
        assert (abs(pair[0] - pair[1]) < 1e-6) == same


def test_masked_steps_have_no_part() -> None:
    random = torch.manual_seed(0)
    maps, gaze = torch.rand(2, 3, 7, 7, generator=random), torch.rand(2, 3, 2, generator=random)
    mask = torch.zeros(2, 3, dtype=torch.bool)
    assert Heatmap().loss(maps, gaze, mask).item() == 0
    mask[1, 2] = True
    alone = Heatmap().loss(maps[1:, 2:], gaze[1:, 2:], ONE).item()
    assert Heatmap().loss(maps, gaze, mask).item() == pytest.approx(alone)


def test_the_papers_weight_beside_cross_entropy() -> None:
    assert Heatmap().weight == 0.1
    assert Heatmap().how == "mean"


def test_figures_of_a_perfect_map() -> None:
    gaze = np.array([[0.5, 0.5], [0.93, 0.21]], np.float32)
    maps = heatmap(gaze, np.ones(2, bool), (7, 7))
    found = Heatmap(point="peak", thorough=True).metrics(Judged(maps, gaze, np.ones(2, bool), np.arange(2)))
    assert next(iter(found)) == "auc"
    assert (found["auc"], found["cc"], found["kl"], found["mse"]) == pytest.approx((1, 1, 0, 0), abs=1e-6)
    assert found["aae"] < 6
    half = Judged(maps, gaze, np.array([True, False]), np.arange(2))
    assert Heatmap().metrics(half)["aae"] == pytest.approx(0, abs=1e-3)
    assert Heatmap().metrics(Judged(maps, gaze, np.zeros(2, bool), np.arange(2))) == {}


def test_a_map_says_its_point() -> None:
    lone = np.zeros((7, 7), np.float32)
    lone[1, 5] = 1
    for task in (Heatmap(), Heatmap(point="peak")):
        assert task.say(lone) == pytest.approx([11 / 14, 3 / 14])


@pytest.mark.parametrize("fields", [{"sigma": 0.0}, {"size": (7, 0)}, {"view_degrees": 0.0}])
def test_fields_that_cannot_mean_anything(fields: dict) -> None:
    with pytest.raises(BadRequest, match=r"got heatmap\."):
        Heatmap(**fields)
