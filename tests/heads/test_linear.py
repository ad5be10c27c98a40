"""The linear head: what it averages, what it leaves out, that it solves what a line can divide."""

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.heads._base import Batch
from ego.heads._linear import masked_mean
from ego.heads._train import Stream, begin, predict, train
from ego.heads._training import Training
from ego.heads.linear import Linear
from ego.heads.logistic import Logistic
from ego.heads.ridge import Ridge
from ego.tasks.classify import Classify
from ego.video import Array

TASKS = {"verb": Classify(label="verb", classes=("open", "put", "take"))}


def test_the_mean_is_over_rows_that_are_there_whatever_lies_in_the_others():
    rows = torch.tensor([[[1.0, 2], [3, 4], [65504.0, 9]], [[5, 5], [0, 0], [0, 0]]])
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert masked_mean(rows, mask, 2).tolist() == [[2, 3], [0, 0]]


def test_maps_are_averaged_over_their_positions():
    rows = torch.arange(16.0).view(1, 2, 2, 2, 2)  # one clip, two rows of two channels of 2 x 2
    found = masked_mean(rows.flatten(2), torch.ones(1, 2, dtype=torch.bool), 2)
    assert torch.equal(found, rows.mean(dim=(1, 3, 4)))


def test_features_are_concatenated_by_name_and_others_left_alone():
    shapes = {"rgb": Array((4,)), "flow": Array((2, 3, 3), kind="map"), "sound": Array((7,))}
    module = begin(Linear(features=("rgb", "flow")), shapes, TASKS, Training())
    assert module.layers["of_verb"].weight.shape == (3, 6)
    with pytest.raises(BadRequest, match=r"head\.features asks for 'gaze', the recipe extracts: rgb, flow, sound"):
        begin(Linear(features=("gaze",)), shapes, TASKS, Training())


def test_names_that_a_module_has_itself_are_taken():
    shapes = {"items": Array((4,)), "hands.boxes": Array((4,))}
    module = begin(Linear(), shapes, {"forward": TASKS["verb"]}, Training())
    ones = {name: torch.ones(2, 1, 4) for name in shapes}
    masks = {name: torch.ones(2, 1, dtype=torch.bool) for name in shapes}
    assert module(ones, masks, ("forward",))["forward"].shape == (2, 3)


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
def test_it_solves_what_a_line_can_divide(norm):
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(3), 30)
    rows = (np.eye(3)[labels][:, None] * 6 + generator.normal(size=(90, 4, 3)) + 3).astype(np.float16)
    clips = Toy(rows, labels)
    head = Linear(norm=norm)
    training = Training(lr=0.05, epochs=60)
    module = begin(head, {"rgb": Array((3,))}, TASKS, training)
    losses = [float(step.loss) for step in train(module, head, TASKS, [Stream(clips, ("verb",))], training)]
    assert losses[-1] < losses[0] / 5
    found = predict(module, clips, ("verb",))["verb"]
    assert (found.predictions.argmax(1) == labels).all()
    assert (found.labels == labels).all()


def test_one_clip_has_no_deviation():
    module = begin(Linear(norm="batch"), {"rgb": Array((3,))}, TASKS, Training()).train()
    with pytest.raises(BadRequest, match="batch of one clip"):
        module({"rgb": torch.ones(1, 1, 3)}, {"rgb": torch.ones(1, 1, dtype=torch.bool)}, ("verb",))


class Toy:
    """Clips in memory, all rows there."""

    still = True

    def __init__(self, rows, labels):
        self.rows, self.labels = torch.from_numpy(rows), torch.from_numpy(labels)

    def __len__(self):
        return len(self.rows)

    def batch(self, indices, draw=None):
        rows = self.rows[indices]
        there = torch.ones(rows.shape[:2], dtype=torch.bool)
        labelled = torch.ones(len(rows), dtype=torch.bool)
        return Batch({"rgb": rows}, {"rgb": there}, {"verb": self.labels[indices]}, {"verb": labelled})


@pytest.mark.parametrize("head", [Ridge(norm="equal", strengths=(0.1,)), Logistic(norm="equal", strength=10.0)])
def test_features_that_count_alike_do_so_however_many_numbers_say_the_same(head):
    generator = np.random.default_rng(3)
    labels = torch.arange(60) % 3
    few, other = (torch.from_numpy(generator.normal(size=(60, 1, width))).float() for width in (2, 5))
    few[:, 0, 0] += labels
    masks = {name: torch.ones(60, 1, dtype=torch.bool) for name in ("one", "two")}
    scores = []
    for copies in (1, 100):
        features = {"one": 1000 * few.repeat(1, 1, copies), "two": other}
        batch = Batch(features, masks, {"verb": labels}, {"verb": torch.ones(60, dtype=torch.bool)})
        module = head.solve(batch, {"one": Array((2 * copies,)), "two": Array((5,))}, TASKS)
        linear = getattr(module, "linear", module)
        assert (linear.embed(features, masks)[:, : 2 * copies] ** 2).sum(dim=1).mean() == pytest.approx(1, abs=0.02)
        scores.append(module(features, masks, ("verb",))["verb"].detach())
    assert torch.allclose(*scores, atol=2e-3)
