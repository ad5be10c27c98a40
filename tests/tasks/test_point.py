"""Points: the loss of a paper and of its code, masks, sides, and figures by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.tasks._base import Judged
from ego.tasks.point import Point

GAZE, HANDS = Point(), Point(who="hands")


def logits(row: int, column: int, size: int = 7) -> np.ndarray:
    """A map whose point is the middle of one cell."""
    found = np.zeros((size, size), np.float32)
    found[row, column] = 60
    return found


def judged(predictions, labels, mask=None, clips=None):
    labels = np.asarray(labels, np.float32)
    mask = np.ones(labels.shape[:2], bool) if mask is None else np.asarray(mask)
    return Judged(np.stack(predictions), labels, mask, np.zeros(len(labels), np.int64) if clips is None else clips)


def test_the_loss_of_equation_two_and_of_the_code() -> None:
    scores = torch.zeros(1, 1, 1, 7, 7)  # uniform: the point is the middle
    label, mask = torch.tensor([[[[0.75, 0.375]]]]), torch.ones(1, 1, 1, dtype=torch.bool)  # (.5, -.25) normalised
    js, euclid = 0.300247, 0.559017
    assert GAZE.loss(scores, label, mask).item() == pytest.approx((js + euclid) / 2, abs=1e-6)
    assert Point(distance_share=0.25).loss(scores, label, mask).item() == pytest.approx(
        0.25 * euclid + 0.75 * js, abs=1e-6
    )
    assert Point(terms="sum").loss(scores, label, mask).item() == pytest.approx(js + euclid, abs=1e-6)


def test_the_published_loss(shared_data: Path) -> None:
    with np.load(shared_data / "parity" / "mfnet3d_multitask.npz") as stored:
        pins = {key.partition("/")[2]: torch.from_numpy(stored[key]) for key in stored}
    scores, label = pins["heatmaps"].log(), (pins["target"] + 1) / 2
    mask = torch.ones(label.shape[:-1], dtype=torch.bool)
    assert Point(terms="sum").loss(scores, label, mask).item() == pytest.approx(pins["coord_loss"].item(), rel=1e-5)


def test_only_what_counts_is_averaged() -> None:
    scores = torch.randn(2, 3, 2, 7, 7, generator=torch.manual_seed(0), requires_grad=True)
    label = torch.rand(2, 3, 2, 2)
    mask = torch.zeros(2, 3, 2, dtype=torch.bool)
    none = HANDS.loss(scores, label, mask)
    none.backward()
    assert none.item() == 0
    assert not scores.grad.any()
    mask[0, 1, 1] = True
    alone = HANDS.loss(scores[:1, 1:2, 1:], label[:1, 1:2, 1:], mask[:1, 1:2, 1:])
    assert HANDS.loss(scores, label, mask).item() == pytest.approx(alone.item())


def test_gaze_rows_become_points_and_what_counts() -> None:
    point, types = np.array([[0.1, 0.2]] * 5, np.float32), np.array([0, 1, 2, 3, 4], np.int8)
    found = GAZE.target({"gaze.point": point, "gaze.type": types})
    assert (found.values.shape, found.kind, found.sides) == ((5, 1, 2), "points", False)
    assert found.valid[:, 0].tolist() == [False, True, True, True, False]
    fixed = Point(frames="fixation").target({"gaze.point": point, "gaze.type": types})
    assert fixed.valid[:, 0].tolist() == [False, True, False, False, False]


def test_hands_have_sides_unless_the_code_is_followed() -> None:
    stored = {"hands.points": np.zeros((3, 2, 2), np.float32), "hands.visible": np.ones((3, 2), bool)}
    assert HANDS.target(stored).sides
    assert not Point(who="hands", swap=False).target(stored).sides
    assert HANDS.reads == ("hands.points", "hands.visible")
    assert Point(points="eyes.point", valid="eyes.type").reads == ("eyes.point", "eyes.type")
    with pytest.raises(BadRequest, match=r"got 'hands.points' of \[2, 2\] and 'hands.visible' of \[2\] a row"):
        Point(points="hands.points", valid="hands.visible").target(stored)
    stored["hands.score"] = np.ones((3, 2), np.float32)
    with pytest.raises(BadRequest, match=r"got 'hands.score' of float32, expected truth values"):
        Point(who="hands", valid="hands.score").target(stored)


def test_labels_are_fractions_of_the_view_and_masked_ones_say_nothing() -> None:
    values, valid = np.array([[[0.2, 0.4], [0.0, 0.0]]]), np.array([[True, False]])
    labels, mask = HANDS.encode_steps(values, valid)
    assert mask.tolist() == [[True, False]]
    assert HANDS.say_label(labels[0]) == {"left": pytest.approx([0.2, 0.4]), "right": None}


def test_legacy_trains_on_what_is_missing() -> None:
    task = Point(who="hands", missing="legacy")
    stored = {"hands.points": np.full((1, 2, 2), 0.3, np.float32), "hands.visible": np.array([[True, False]])}
    found = task.target(stored)
    assert 2 * found.values[0, 1] - 1 == pytest.approx([0, 2])  # half a frame below it
    labels, mask = task.encode_steps(found.values, np.array([[True, False]]))
    assert mask.all()
    assert labels[0, 1] == pytest.approx([0.5, 1.5])
    gaze = Point(missing="legacy").target(
        {"gaze.point": np.full((1, 2), 0.7, np.float32), "gaze.type": np.zeros(1, np.int8)}
    )
    assert gaze.values[0, 0].tolist() == [0, 0]


def test_hand_figures_by_hand() -> None:
    # cells of 7: middles at 1/14, 3/14, ...; both hands at the middle cell
    predictions = [np.stack([logits(3, 3), logits(3, 3)])] * 2
    labels = [[[0.5, 0.5], [0.5, 0.65]], [[0.8, 0.5], [0.0, 0.0]]]
    found = HANDS.metrics(judged(predictions, labels, [[True, True], [True, False]]))
    assert next(iter(found)) == "pck_0.1"
    assert found == pytest.approx(
        {
            "pck_0.1": 1 / 3,
            "pck_0.2": 2 / 3,
            "pixel_error": 224 * 0.45 / 3,
            "pixel_error_left": 224 * 0.15,
            "pixel_error_right": 224 * 0.15,
        },
        abs=1e-4,
    )


def test_gaze_figures_by_hand() -> None:
    # the middle seen at the middle, and at the right edge: 0 and 30 degrees; clip 0 holds both, clip 1 the first again
    predictions = [logits(3, 3)[None]] * 3
    labels = [[[0.5, 0.5]], [[1.0, 0.5]], [[0.5, 0.5]]]
    task = Point(thorough=True)
    found = task.metrics(judged(predictions, labels, clips=np.array([0, 0, 1])))
    assert found["aae"] == pytest.approx(10, abs=1e-4)
    assert found["aae_of_clips"] == pytest.approx(7.5, abs=1e-4)
    one = task.metrics(judged(predictions[:1], labels[:1]))
    assert (one["auc"], one["auc_judd_release"]) == pytest.approx((1, 1))
    assert one["auc_point"] == pytest.approx(1, abs=1e-3)
    assert one["nss"] == pytest.approx(np.sqrt(48), rel=1e-4)  # a lone peak among 49 cells
    assert one["kl"] > 1
    assert {"auc_borji", "cc", "f1"} < set(one)


def test_a_map_says_its_point() -> None:
    assert GAZE.say(logits(0, 6)[None]) == {"gaze": pytest.approx([13 / 14, 1 / 14], abs=1e-6)}
    assert GAZE.say(logits(0, 13, 14)[None]) == {"gaze": pytest.approx([27 / 28, 1 / 28], abs=1e-6)}


@pytest.mark.parametrize(
    "fields",
    [{"sigma": 0.0}, {"distance_share": 1.5}, {"size": (0, 7)}, {"pck": ()}, {"view_degrees": 180.0}, {"pixels": 0}],
)
def test_fields_that_cannot_mean_anything(fields: dict) -> None:
    with pytest.raises(BadRequest, match=r"got point\."):
        Point(**fields)
