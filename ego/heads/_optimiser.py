"""What moves the weights: AdamW, Adam and SGD over groups of parameters, each with a rate and a decay of its own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn

from ego.errors import BadRequest
from ego.heads._training import Group, Training

State = dict[str, Any]


@dataclass
class Moved:
    """Parameters moved alike: their rate, of which a schedule uses a share, their decay, and what is kept of gradients.

    `counts` (n,) are the steps of each parameter, `steps` the same one by one.
    """

    parameters: list[Tensor]
    lr: float
    weight_decay: float
    first: list[Tensor] = field(default_factory=list)
    second: list[Tensor] = field(default_factory=list)
    counts: Tensor = field(default_factory=lambda: torch.zeros(0))
    steps: list[Tensor] = field(default_factory=list)


class Optimiser:
    """Moves groups of parameters in place by torch's fused kernels, with the numbers of `torch.optim`.

    `torch.optim` itself is not used: making one of its optimisers imports torch's compiler, which takes longer than
    many a head is trained for.
    """

    def __init__(self, groups: Sequence[Moved], training: Training) -> None:
        if training.optimiser == "lbfgs":
            raise BadRequest(
                "got training.optimiser = 'lbfgs', which needs all clips at once, expected adamw, adam or sgd here"
            )
        self._training = training
        self.groups: list[Moved] = []
        for group in groups:
            self.add(group)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The parameters of each group, as torch's gradient scaler asks for them."""
        return [{"params": group.parameters} for group in self.groups]

    @property
    def parameters(self) -> list[Tensor]:
        """All that is moved."""
        return [one for group in self.groups for one in group.parameters]

    def add(self, group: Moved) -> None:
        """Moves these as well from now on."""
        sgd = self._training.optimiser == "sgd"
        if not sgd or self._training.momentum:
            group.first = [torch.zeros_like(one.detach()) for one in group.parameters]
        if not sgd:
            group.second = [torch.zeros_like(one.detach()) for one in group.parameters]
            group.counts = torch.zeros(len(group.parameters), device=group.parameters[0].device)
            group.steps = list(group.counts.unbind())
        self.groups.append(group)

    def forget(self) -> None:
        """Drops the gradients."""
        for one in self.parameters:
            one.grad = None

    @torch.no_grad()
    def step(self, share: float = 1.0) -> None:
        """One step along each parameter's gradient, where it has one, with this share of every rate."""
        for group in self.groups:
            there = [place for place, one in enumerate(group.parameters) if one.grad is not None]
            self._move(group, there, [group.parameters[place].grad for place in there], share)

    def _move(self, group: Moved, there: Sequence[int], gradients: list[Any], share: float) -> None:
        def of(kept: list[Tensor]) -> list[Tensor]:
            return kept if len(there) == len(kept) else [kept[place] for place in there] if kept else []

        training, lr = self._training, group.lr * share
        none: list[Tensor] = []
        if not there:
            return
        if training.optimiser == "sgd":
            torch._fused_sgd_(
                of(group.parameters), gradients, of(group.first), weight_decay=group.weight_decay,
                momentum=training.momentum, lr=lr, dampening=0.0, nesterov=training.nesterov, maximize=False,
                is_first_step=False,
            )  # fmt: skip
            return
        if len(there) == len(group.counts):
            group.counts.add_(1)
        else:
            group.counts[list(there)] += 1
        fused = torch._fused_adamw_ if training.optimiser == "adamw" else torch._fused_adam_
        fused(
            of(group.parameters), gradients, of(group.first), of(group.second), none, of(group.steps), lr=lr,
            beta1=training.betas[0], beta2=training.betas[1], weight_decay=group.weight_decay, eps=training.eps,
            amsgrad=False, maximize=False,
        )  # fmt: skip

    def state(self) -> list[State]:
        """What the steps to come depend on beside the parameters."""
        return [{"first": group.first, "second": group.second, "counts": [group.counts]} for group in self.groups]

    def load(self, states: Sequence[State]) -> None:
        """Goes on from what `state` gave."""
        for group, state in zip(self.groups, states, strict=True):
            mine = (*group.first, *group.second, group.counts)
            for one, its in zip(mine, (*state["first"], *state["second"], *state["counts"]), strict=True):
                one.copy_(its)


class StackedOptimiser:
    """Moves stacked weights (K, ...) of K settings, each at its own rate and decay.

    The kernels know one rate: each moves the settings that follow one another at one, so give them by their rates.
    """

    def __init__(self, weights: Sequence[Tensor], trainings: Sequence[Training]) -> None:
        self._weights, self._apart = weights, trainings[0].optimiser == "adamw"
        self._parts: list[slice] = []
        groups = []
        for lr, some in groupby(range(len(trainings)), key=lambda place: trainings[place].lr):
            places = list(some)
            self._parts.append(slice(places[0], places[-1] + 1))
            groups.append(Moved([one[self._parts[-1]] for one in weights], lr, 0.0))
        self._optimiser = Optimiser(groups, trainings[0])
        rates, decays = ([getattr(one, name) for one in trainings] for name in ("lr", "weight_decay"))
        self._decays = weights[0].new_tensor(decays)
        self._lost, self._decaying = self._decays * weights[0].new_tensor(rates), any(decays)

    @torch.no_grad()
    def step(self, gradients: Sequence[Tensor], share: float) -> None:
        """One step along these gradients, one a weight, with this share of every rate."""
        if self._decaying:
            kept = 1 - self._lost * share
            gradients = [self._decayed(*both, kept) for both in zip(self._weights, gradients, strict=True)]
        for part, group in zip(self._parts, self._optimiser.groups, strict=True):
            for one, gradient in zip(group.parameters, gradients, strict=True):
                one.grad = gradient[part]
        self._optimiser.step(share)

    def _decayed(self, weight: Tensor, gradient: Tensor, kept: Tensor) -> Tensor:
        """The gradient to follow: the weight is made smaller here, or it is by what it is told to."""
        shape = (-1, *(1,) * (weight.ndim - 1))
        if not self._apart:
            return gradient.addcmul(self._decays.view(shape), weight)
        weight.mul_(kept.view(shape))
        return gradient


def groups_of(module: nn.Module, training: Training) -> list[Moved]:
    """The groups of the module's parameters; those at rate 0 are frozen.

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
            found.append(Moved(list(picked.values()), lr, decay))
    if not found:
        raise BadRequest("the head has nothing to learn; choose another head or feature")
    return found
