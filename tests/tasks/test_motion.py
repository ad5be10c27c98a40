"""Motion on a grid: what zero logits cost in every form, the published softmaxes, and figures by hand."""

import math
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.tasks._base import Judged
from ego.tasks.motion import Learns, Motion, _spread

FORMS = get_args(Learns)


def zeros(task: Motion, steps: int = 2) -> torch.Tensor:
    return torch.zeros(1, steps, *task.shape)


def loss(task: Motion, share: float, steps: int = 2) -> float:
    label = torch.full((1, steps, task.size, task.size), share)
    return task.loss(zeros(task, steps), label, torch.ones(1, steps, dtype=torch.bool)).item()


@pytest.mark.parametrize(
    ("learns", "expected"),
    [
        ("classes", math.log(2)),
        ("bce49", math.log(2)),
        ("mse", 0.25),
        ("l1", 0.5),
        ("smooth_l1", 0.125),
        ("soft_margin", math.log(2)),
        ("softmax49", -math.log(48 / 49)),
        ("legacy_softmax_frames", math.log(2)),  # two steps: a half each
        ("kl", 0.0),  # empty maps have no part
    ],
)
@pytest.mark.parametrize("size", [7, 14])
def test_zero_logits_against_an_empty_map(learns: str, expected: float, size: int) -> None:
    if size == 14 and learns == "softmax49":
        expected = -math.log(195 / 196)
    assert loss(Motion(learns=learns, size=size), 0.0) == pytest.approx(expected, abs=1e-6)


def test_soft_margin_by_hand() -> None:
    task = Motion(learns="soft_margin", size=1)
    label, mask = torch.tensor([[[[1.0]], [[0.25]]]]), torch.ones(1, 2, dtype=torch.bool)
    found = task.loss(torch.full((1, 2, 1, 1, 1), 2.0), label, mask).item()
    assert found == pytest.approx((math.log(1 + math.exp(-2)) + math.log(1 + math.exp(1.0))) / 2, rel=1e-6)


def test_divergence_by_hand_over_the_maps_that_are_not_empty() -> None:
    task = Motion(learns="kl", size=2)
    share = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]])
    found = task.loss(torch.zeros(1, 2, 1, 2, 2), share, torch.ones(1, 2, dtype=torch.bool)).item()
    assert found == pytest.approx(math.log(4), rel=1e-6)
    half = torch.tensor([[[[0.2, 0.2], [0.0, 0.0]]]])  # brightness has no part
    assert task.loss(torch.zeros(1, 1, 1, 2, 2), half, torch.ones(1, 1, dtype=torch.bool)).item() == pytest.approx(
        math.log(2)
    )


def test_two_logits_and_one_are_the_same_loss() -> None:
    one = torch.randn(2, 3, 7, 7, generator=torch.manual_seed(0))
    label, mask = torch.rand(2, 3, 7, 7).round(), torch.tensor([[True, True, False], [True, False, True]])
    two = torch.stack([torch.zeros_like(one), one], dim=2)
    found = [
        Motion(learns=way).loss(scores, label, mask).item()
        for way, scores in (("classes", two), ("bce49", one[:, :, None]))
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_the_published_softmaxes(shared_data: Path) -> None:
    with np.load(shared_data / "parity" / "fpar_ms_task.npz") as stored:
        pins = {key.partition("/")[2]: torch.from_numpy(stored[key]) for key in stored}
    logits, there = pins["ms_logits"].view(2, 2, 7, 7), torch.ones(2, 2, dtype=torch.bool)
    cells = _spread(logits, there, "softmax49").flatten(2)
    frames = _spread(logits, there, "legacy_softmax_frames").flatten(2)
    assert torch.allclose(cells, pins["ms_softmax_over_cells"], atol=1e-6)
    assert torch.allclose(frames, pins["ms_softmax_over_frames"], atol=1e-6)
    assert cells.sum(dim=2) == pytest.approx(np.ones((2, 2)), abs=1e-5)
    assert frames.sum(dim=1) == pytest.approx(np.ones((2, 49)), abs=1e-5)


def test_a_softmax_over_steps_is_over_those_that_count() -> None:
    logits, there = torch.randn(1, 4, 7, 7, generator=torch.manual_seed(0)), torch.tensor([[True, True, True, False]])
    padded = _spread(logits, there, "legacy_softmax_frames")
    assert torch.allclose(padded[:, :3], _spread(logits[:, :3], there[:, :3], "legacy_softmax_frames"), atol=1e-6)
    assert not padded[:, 3].any()


def test_a_cell_moves_above_the_threshold() -> None:
    scores = torch.full((1, 1, 1, 1, 1), 5.0)
    label, mask = torch.tensor([[[[0.4]]]]), torch.ones(1, 1, dtype=torch.bool)
    moves, still = math.log1p(math.exp(-5)), math.log1p(math.exp(5))
    assert Motion(learns="bce49", size=1).loss(scores, label, mask).item() == pytest.approx(moves, rel=1e-4)
    half = Motion(learns="bce49", size=1, threshold=0.5)
    assert half.loss(scores, label, mask).item() == pytest.approx(still, rel=1e-4)


def test_rows_become_shares() -> None:
    maps = np.zeros((2, 28, 28), bool)
    maps[0, :4, :4] = True
    maps[0, 4:6, 4:8] = True
    task = Motion()
    found = task.target({"motion_map": maps})
    assert found.kind == "mask"
    labels, mask = task.encode_steps(found.values, found.valid)
    assert labels[0, 0, 0] == 1
    assert labels[0, 1, 1] == 0.5
    assert labels.sum() == 1.5
    assert mask.all()
    with pytest.raises(BadRequest, match=r"got 'motion_map' of \[2\] a row, expected maps"):
        task.target({"motion_map": np.zeros((3, 2))})


def test_figures_by_hand() -> None:
    label = np.array([[[0.5, 0.0], [1.0, 0.0]]], np.float32)
    said = np.array([[[2.0, 2.0], [-2.0, -2.0]]], np.float32)  # above the diagonal: one hit, one miss, one false
    one = np.ones(1, bool), np.zeros(1, np.int64)
    found = Motion(learns="bce49", size=2).metrics(Judged(said[:, None], label, *one))
    assert next(iter(found)) == "iou"
    assert found == pytest.approx({"iou": 1 / 3, "accuracy": 0.5, "recall": 0.5, "precision": 0.5})
    two = np.stack([np.zeros_like(said), said], 1)
    assert Motion(size=2).metrics(Judged(two, label, *one)) == pytest.approx(found)
    chance = 1 / (1 + math.exp(-2))
    errors = [chance - 0.5, chance, chance, 1 - chance]  # of .88 and .12 against .5, 0, 1, 0
    mse = Motion(learns="mse", size=2).metrics(Judged(said[:, None], label, *one))
    assert mse["mae"] == pytest.approx((errors[0] + errors[1] + errors[2] + 1 - chance) / 4, abs=1e-6)
    assert mse["mse"] == pytest.approx((errors[0] ** 2 + 2 * chance**2 + (1 - chance) ** 2) / 4, abs=1e-6)


def test_figures_of_distributions() -> None:
    label = np.array([[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]], np.float32)
    said = np.array([[[3.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]], np.float32)
    both = np.ones(2, bool), np.zeros(2, np.int64)
    kl = Motion(learns="kl", size=2).metrics(Judged(said[:, None], label, *both))
    assert kl["kl"] == pytest.approx(math.log(1 + 3 * math.exp(-3)), rel=1e-6)
    assert (kl["iou"], kl["accuracy"]) == (1, 1)
    frames = Motion(learns="legacy_softmax_frames", size=2).metrics(Judged(said[:, None], label, *both))
    assert frames["iou"] == 1  # of two steps the first has more than its half in that cell


@pytest.mark.parametrize("learns", FORMS)
def test_an_empty_map_found_empty_is_right(learns: str) -> None:
    task = Motion(learns=learns, size=2)
    empty = np.zeros((1, 2, 2), np.float32)
    said = np.full((1, *task.shape), -9.0, np.float32)
    if learns == "classes":
        said[:, 0] = 9
    found = task.metrics(Judged(said, empty, np.ones(1, bool), np.zeros(1, np.int64)))
    assert (found["iou"], found["accuracy"]) == (1, 1)


@pytest.mark.parametrize("fields", [{"size": 0}, {"threshold": 1.0}])
def test_fields_that_cannot_mean_anything(fields: dict) -> None:
    with pytest.raises(BadRequest, match=r"got motion\."):
        Motion(**fields)
