"""Groups of parameters: which get which rate, what is frozen, what is refused."""

import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from ego.errors import BadRequest
from ego.heads._optimiser import Optimiser, groups_of
from ego.heads._training import Group, Training


def module():
    return nn.ModuleDict({"backbone": nn.Linear(3, 3), "head": nn.Linear(3, 2)})


def test_groups_have_rates_and_decays_of_their_own_and_the_first_that_matches_counts():
    training = Training(lr=1e-2, weight_decay=5e-4, groups=(
        Group("*.bias", weight_decay=0.0), Group("backbone.*", lr=1e-4)))  # fmt: skip
    found = groups_of(module(), training)
    assert [(len(one.parameters), one.lr, one.weight_decay) for one in found] == [
        (2, 1e-2, 0.0), (1, 1e-4, 5e-4), (1, 1e-2, 5e-4)]  # fmt: skip


def test_a_rate_of_0_freezes():
    network = module()
    groups_of(network, Training(groups=(Group("backbone.*", lr=0.0),)))
    assert [one.requires_grad for one in network.parameters()] == [False, False, True, True]


def test_a_group_without_a_parameter_is_refused():
    with pytest.raises(BadRequest, match=r"no parameter is called 'neck\.\*'.*backbone\.weight, backbone\.bias"):
        groups_of(module(), Training(groups=(Group("neck.*"),)))
    with pytest.raises(BadRequest, match="nothing to learn"):
        groups_of(module(), Training(groups=(Group("*.*", lr=0.0),)))


@pytest.mark.parametrize("training", [
    Training(), Training(optimiser="adam", eps=1e-4, betas=(0.8, 0.9)), Training(optimiser="sgd", nesterov=True),
    Training(optimiser="sgd"), Training(optimiser="sgd", momentum=0.0),
])  # fmt: skip
def test_weights_are_moved_as_torch_moves_them(training):
    mine, its = module(), module()
    its.load_state_dict(mine.state_dict())
    training = replace(training, lr=0.1, weight_decay=0.1)
    optimiser = Optimiser(groups_of(mine, training), training)
    other = torchs(its, training)
    rows = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    for step in range(5):
        for network in (mine, its):
            network.zero_grad(set_to_none=True)
            parts = [network["head"](rows)] + (
                [network["backbone"](rows)] if step % 2 or training.optimiser == "sgd" else []
            )
            sum(part.square().sum() for part in parts).backward()
        for group in other.param_groups:
            group["lr"] = 0.1 * 0.5**step
        optimiser.step(0.5**step)
        other.step()
    assert all(torch.equal(one, two) for one, two in zip(mine.parameters(), its.parameters(), strict=True))


def torchs(network, training):
    given = {"lr": training.lr, "weight_decay": training.weight_decay, "fused": True}
    if training.optimiser == "sgd":
        return torch.optim.SGD(network.parameters(), momentum=training.momentum, nesterov=training.nesterov, **given)
    kind = torch.optim.AdamW if training.optimiser == "adamw" else torch.optim.Adam
    return kind(network.parameters(), betas=training.betas, eps=training.eps, **given)


def test_training_does_not_wait_for_torchs_compiler():
    code = (
        "import sys, torch\nfrom ego.heads._optimiser import *\n"
        "one = torch.nn.Linear(2, 2); given = Training(); moved = Optimiser(groups_of(one, given), given)\n"
        "one(torch.ones(1, 2)).sum().backward(); moved.step(); print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_all_clips_at_once_are_asked_for_elsewhere():
    training = Training(optimiser="lbfgs")
    with pytest.raises(BadRequest, match="'lbfgs', which needs all clips at once"):
        Optimiser(groups_of(module(), training), training)
