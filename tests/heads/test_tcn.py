"""The TCN's reach, its ends, and that a causal one sees nothing that is yet to come."""

import pytest
import torch

from ego.heads._train import begin
from ego.heads._training import Training
from ego.heads.tcn import TCN
from ego.tasks.classify import Classify
from ego.video import Array

TASKS = {"verb": Classify(label="verb", classes=("open", "put", "take"))}


def reach(causal, layers, steps_task, steps=40, at=20):
    """The steps whose rows change what is said of step `at`."""
    tasks = {**TASKS, "moment": steps_task(2)}
    module = begin(TCN(width=8, layers=layers, causal=causal), {"rgb": Array((4,))}, tasks, Training()).eval()
    for weight in module.parameters():
        weight.data.abs_()  # so that every ReLU is open
    rows = torch.ones(1, steps, 4, requires_grad=True)
    module({"rgb": rows}, {"rgb": torch.ones(1, steps, dtype=torch.bool)}, ("moment",))["moment"][
        0, at
    ].sum().backward()
    return rows.grad[0].abs().sum(1).nonzero()[:, 0].tolist()


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_the_reach_doubles_from_layer_to_layer(layers, steps_task):
    far = 2**layers - 1
    seen = reach(False, layers, steps_task)
    assert (seen[0], seen[-1]) == (20 - far, 20 + far)


def test_a_causal_one_sees_nothing_that_is_yet_to_come(steps_task):
    seen = reach(True, 3, steps_task)
    assert (seen[0], seen[-1]) == (20 - 2 * 7, 20)


def test_the_end_of_a_clip_is_the_end_whatever_is_padded(steps_task):
    tasks = {**TASKS, "moment": steps_task(2)}
    module = begin(TCN(width=8, layers=3), {"rgb": Array((4,))}, tasks, Training()).eval()
    rows = torch.randn(1, 9, 4)
    mask = torch.arange(9)[None] < 6
    long = module({"rgb": rows}, {"rgb": mask}, tuple(tasks))
    short = module({"rgb": rows[:, :6]}, {"rgb": mask[:, :6]}, tuple(tasks))
    assert torch.allclose(long["verb"], short["verb"], atol=1e-6)
    assert torch.allclose(long["moment"][:, :6], short["moment"], atol=1e-6)
