"""Groups of parameters: which get which rate, what is frozen, what is refused."""

import pytest
import torch
from torch import nn

from ego.errors import BadRequest
from ego.heads._optimiser import groups_of, optimiser_of, set_rate
from ego.heads._training import Group, Training


def module():
    return nn.ModuleDict({"backbone": nn.Linear(3, 3), "head": nn.Linear(3, 2)})


def test_groups_have_rates_and_decays_of_their_own_and_the_first_that_matches_counts():
    training = Training(lr=1e-2, weight_decay=5e-4, groups=(
        Group("*.bias", weight_decay=0.0), Group("backbone.*", lr=1e-4)))  # fmt: skip
    found = groups_of(module(), training)
    assert [(len(one["params"]), one["lr"], one["weight_decay"]) for one in found] == [
        (2, 1e-2, 0.0), (1, 1e-4, 5e-4), (1, 1e-2, 5e-4)]  # fmt: skip
    optimiser = optimiser_of(module(), training)
    set_rate(optimiser, 0.5)
    assert [group["lr"] for group in optimiser.param_groups] == [5e-3, 5e-5, 5e-3]


def test_a_rate_of_0_freezes():
    network = module()
    optimiser_of(network, Training(groups=(Group("backbone.*", lr=0.0),)))
    assert [one.requires_grad for one in network.parameters()] == [False, False, True, True]


def test_a_group_without_a_parameter_is_refused():
    with pytest.raises(BadRequest, match=r"no parameter is called 'neck\.\*'.*backbone\.weight, backbone\.bias"):
        groups_of(module(), Training(groups=(Group("neck.*"),)))
    with pytest.raises(BadRequest, match="nothing to learn"):
        groups_of(module(), Training(groups=(Group("*.*", lr=0.0),)))


@pytest.mark.parametrize(("name", "kind"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_adams_numbers_arrive(name, kind):
    found = optimiser_of(module(), Training(optimiser=name, eps=1e-4, betas=(0.8, 0.9)))
    assert type(found) is kind
    assert (found.defaults["eps"], found.defaults["betas"]) == (1e-4, (0.8, 0.9))


def test_nesterov_arrives():
    found = optimiser_of(module(), Training(optimiser="sgd", nesterov=True))
    assert (found.defaults["momentum"], found.defaults["nesterov"]) == (0.9, True)
