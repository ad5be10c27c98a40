"""What moves the weights: the optimiser of a `Training`, with a rate of its own for each group of parameters."""

from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn

from ego.errors import BadRequest
from ego.heads._training import Group, Training


def groups_of(module: nn.Module, training: Training) -> list[dict[str, Any]]:
    """Groups as torch's optimisers take them, with their own `lr` and `weight_decay`; those at rate 0 are frozen.

    A group that no parameter is left for, and a module of which nothing is left to learn, are BadRequests.
    """
    learnt = {name: one for name, one in module.named_parameters() if one.requires_grad}
    found = []
    for group in (*training.groups, Group("*")):
        picked = {name: one for name, one in learnt.items() if fnmatchcase(name, group.parameters)}
        if not picked and group.parameters != "*":
            some = ", ".join(list(learnt)[:6]) or "none is left"
            raise BadRequest(f"no parameter is called {group.parameters!r} (training.groups); their names are: {some}")
        learnt = {name: one for name, one in learnt.items() if name not in picked}
        lr = training.lr if group.lr is None else group.lr
        decay = training.weight_decay if group.weight_decay is None else group.weight_decay
        if lr == 0 and group.lr is not None:
            for parameter in picked.values():
                parameter.requires_grad_(False)
        elif picked:
            found.append({"params": list(picked.values()), "lr": lr, "weight_decay": decay, "full_lr": lr})
    if not found:
        raise BadRequest("the head has nothing to learn; choose another head or feature")
    return found


def optimiser_of(module: nn.Module, training: Training) -> torch.optim.Optimizer:
    """The optimiser over the module's parameters; each group keeps its unscheduled rate as `full_lr`."""
    groups = groups_of(module, training)
    if training.optimiser == "sgd":
        return torch.optim.SGD(groups, momentum=training.momentum, nesterov=training.nesterov, fused=True)
    kind = torch.optim.AdamW if training.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, betas=training.betas, eps=training.eps, fused=True)


def set_rate(optimiser: torch.optim.Optimizer, share: float) -> None:
    """Every group's rate becomes this share of its own."""
    for group in optimiser.param_groups:
        group["lr"] = group["full_lr"] * share
