"""A guess of gaze: its shares, and that hands lead it nearer to the eyes than the centre of the frame does."""

from dataclasses import dataclass

import numpy as np
import pytest

from ego.datasets.kitchen import truth
from ego.datasets.kitchen.film import direct
from ego.datasets.kitchen.world import World
from ego.errors import BadRequest
from ego.extractors._base import Beside, Block, Rows, Tracker
from ego.extractors.gaze_prior import GazePrior
from ego.gaze import FIXATION
from ego.sampling import Window
from ego.tasks._gaze_metrics import angular_error
from ego.video import Array, Picture


@dataclass(frozen=True)
class TrueHands(Tracker):
    """Stands for a tracker of hands."""

    window: Window = Window()

    def needs(self):
        return {"frames": Picture()}

    def rows(self, files):
        return {"points": Array((2, 2), "float32", "points"), "visible": Array((2,), "bool"), "score": Array((2,))}

    def follow(self, blocks, beside, files, device):
        yield from ()


def guess(spec: GazePrior, points: np.ndarray, visible: np.ndarray, score: np.ndarray | None = None) -> Rows:
    time, source = np.tile(np.arange(len(points))[:, None] / 30.0, 3), np.zeros((len(points), 4), np.int64)
    score = visible.astype(np.float32) if score is None else score
    held = Rows({"points": points, "visible": visible, "score": score}, time, source)
    (rows,) = spec.follow(iter([Block({}, time, source, {"hands": held})]), Beside({}, 640, 480), {}, "cpu")
    return rows


NOWHERE = np.zeros((1, 2, 2)), np.zeros((1, 2), bool)


def test_without_hands_it_is_the_centre_of_people() -> None:
    rows = guess(GazePrior(), *NOWHERE)
    assert rows.arrays["feature"].sum() == pytest.approx(1, abs=1e-5)
    assert rows.arrays["point"][0] == pytest.approx((0.51, 0.68), abs=0.02)
    hidden = guess(GazePrior(hands=TrueHands()), *NOWHERE)
    assert np.allclose(hidden.arrays["feature"], rows.arrays["feature"], atol=1e-6)


def test_hands_share_by_their_score() -> None:
    spec = GazePrior(hands=TrueHands(), hand_weight=1.0, hand_offset=(0.0, 0.0), hand_spread=0.05)
    points = np.array([[[0.25, 0.5], [0.75, 0.5]]])
    both = guess(spec, points, np.ones((1, 2), bool)).arrays
    assert both["point"][0] == pytest.approx((0.5, 0.5), abs=1e-3)
    assert both["feature"].sum() == pytest.approx(1, abs=1e-5)
    right = guess(spec, points, np.array([[False, True]])).arrays
    assert right["point"][0] == pytest.approx((0.75, 0.5), abs=1e-3)
    mostly = guess(spec, points, np.ones((1, 2), bool), np.array([[1.0, 0.25]])).arrays
    assert mostly["point"][0, 0] == pytest.approx(0.25 * 0.8 + 0.75 * 0.2, abs=1e-3)


def test_hands_lead_nearer_to_the_eyes_of_the_kitchen_than_the_centre() -> None:
    errors = {"centre": [], "hands": []}
    world = World(seed=3, seconds=20.0)
    for index in range(6):
        known = truth.known(direct(world.order(index)))
        width, height = known["size"]
        points = known["hand_points"][:, :, 7] / known["size"]
        visible = ((points >= 0) & (points <= 1)).all(axis=2)
        fixed = known["gaze_type"] == FIXATION
        for name, spec in (("centre", GazePrior()), ("hands", GazePrior(hands=TrueHands()))):
            found = guess(spec, points, visible).arrays["point"][fixed]
            errors[name].append(angular_error(found, known["gaze"][fixed], (width, height), 65.0).mean())
    centre, hands = np.mean(errors["centre"]), np.mean(errors["hands"])
    assert hands < 0.8 * centre  # 6.7 against 9.7 degrees
    assert sum(one < other for one, other in zip(errors["hands"], errors["centre"], strict=True)) >= 5


def test_what_means_nothing_is_refused() -> None:
    for fields in ({"spread": (0.01, 0.1)}, {"hand_weight": 1.5}, {"hands": TrueHands(Window(fps=5.0))}):
        with pytest.raises(BadRequest, match="gaze_prior"):
            GazePrior(**fields)
