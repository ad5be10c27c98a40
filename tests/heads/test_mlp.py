"""The MLP learns what no line can divide."""

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.heads._train import Stream, begin, predict, train
from ego.heads._training import Training
from ego.heads.linear import Linear
from ego.heads.mlp import MLP
from ego.tasks.classify import Classify
from ego.video import Array

TASKS = {"verb": Classify(label="verb", classes=("same", "other"))}
SHAPES = {"rgb": Array((2,))}


def accuracy(head, toy):
    rows = np.random.default_rng(0).choice([-1.0, 1.0], (200, 1, 2)).astype(np.float32)
    labels = (rows[:, 0, 0] != rows[:, 0, 1]).astype(np.int64)
    data = toy({"rgb": rows}, {"rgb": np.ones((200, 1), bool)}, {"verb": labels})
    training = Training(lr=0.02, epochs=30)
    module = begin(head, SHAPES, TASKS, training)
    list(train(module, head, TASKS, [Stream(data, ("verb",))], training))
    return (predict(module, data, ("verb",))["verb"].predictions.argmax(1) == labels).mean()


def test_it_learns_what_no_line_divides(toy):
    assert accuracy(MLP(hidden=(16,), norm="none"), toy) == 1
    assert accuracy(Linear(norm="none"), toy) < 0.8


def test_its_layers_are_shared_by_tasks():
    tasks = {"verb": TASKS["verb"], "noun": Classify(label="noun", classes=tuple("abc"))}
    module = MLP(hidden=(7, 5)).build({"rgb": Array((4,)), "flow": Array((6,))}, tasks)
    sizes = {name: tuple(x.shape) for name, x in module.named_parameters() if name.endswith("weight")}
    assert sizes == {"hidden.0.weight": (7, 10), "hidden.3.weight": (5, 7), "layers.of_verb.weight": (2, 5),
                     "layers.of_noun.weight": (3, 5)}  # fmt: skip


def test_one_clip_has_no_deviation():
    module = begin(MLP(norm="batch"), SHAPES, TASKS, Training()).train()
    with pytest.raises(BadRequest, match="batch of one clip"):
        module({"rgb": torch.ones(1, 1, 2)}, {"rgb": torch.ones(1, 1, dtype=torch.bool)}, ("verb",))
    with pytest.raises(BadRequest, match="one width or more"):
        MLP(hidden=())
