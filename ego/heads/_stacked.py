"""Many settings of one head trained at once: their weights stacked, every batch gathered once for those of a seed."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from ego.heads._augment import augmented
from ego.heads._base import Head, Tasks, Tensors
from ego.heads._by_hand import Settled
from ego.heads._chain import Chain, Settling
from ego.heads._deal import Indices, Stream, dealers, steps_per_epoch
from ego.heads._optimiser import StackedOptimiser
from ego.heads._schedule import share
from ego.heads._train import begin, seed_of, seeded
from ego.heads._training import Training
from ego.video import Array

APART = ("lr", "weight_decay", "seed")
"""What settings trained together may differ in."""


def together(head: Head, training: Training) -> Training | None:
    """What settings must share to be trained together, or None where they cannot be: one loop each then."""
    alone = (
        training.groups, training.hold_out, training.best_on_test, training.precision != "float32",
        training.task_weighting != "fixed", training.accumulate > 1, training.optimiser == "lbfgs",
    )  # fmt: skip
    if not head.stacks or head.tails or any(alone):
        return None
    return replace(training, lr=0.0, weight_decay=0.0, seed=0)


@dataclass(frozen=True)
class StackedStep:
    """One step of all settings: their losses (K,)."""

    step: int
    total: int
    epoch: int
    losses: Tensor
    share: float


class _Seed:
    """The settings of one seed: one stack of their weights, and what all of them are dealt."""

    def __init__(self, module: nn.Module, trainings: Sequence[Training], stream: Stream, device: str) -> None:
        training, count = trainings[0], len(trainings)
        self.seed = training.seed
        self.dealer = dealers([stream], training)[0]
        self.draw = np.random.default_rng([self.seed, 0])
        weights, buffers = stack_module_state([module] * count)
        self.weights = {name: one.detach().to(device).requires_grad_() for name, one in weights.items()}
        self.buffers = {name: one.to(device) for name, one in buffers.items()}
        self.mean = {name: one.detach().clone() for name, one in self.weights.items()} if training.ema else None
        self.chain = chain_of(module, self.weights)
        self._optimiser = StackedOptimiser([one.detach() for one in self.weights.values()], trainings)
        self._training = training

    def move(self, gradients: Sequence[Tensor], share: float) -> None:
        """One step of each setting along the gradients of its own loss, one a weight."""
        if self._training.clip_norm:
            gradients = _clipped(gradients, self._training.clip_norm)
        self._optimiser.step([one.contiguous() for one in gradients], share)
        with torch.no_grad():
            for name, mean in (self.mean or {}).items():
                mean.lerp_(self.weights[name], 1 - self._training.ema)


class Stacked:
    """Training of K settings that differ in rate, decay and seed alone; each ends as one loop of its own would.

    Equal up to the rounding of sums; a setting whose loss is no longer finite is the only one that is spoilt.
    """

    def __init__(
        self,
        head: Head,
        shapes: Mapping[str, Array],
        tasks: Tasks,
        learnt: Tasks,
        stream: Stream,
        trainings: Sequence[Training],
        device: str = "cpu",
    ) -> None:
        order = sorted(range(len(trainings)), key=lambda place: (trainings[place].seed, trainings[place].lr))
        self._back = torch.tensor(order).argsort().to(device)
        self._head, self._tasks, self._stream, self._device = head, tasks, stream, device
        self._training = trainings[0]
        self._seeds: list[_Seed] = []
        for seed in sorted({one.seed for one in trainings}):
            some = [trainings[place] for place in order if trainings[place].seed == seed]
            self._module = begin(head, shapes, learnt, some[0]).to(device).train()
            self._seeds.append(_Seed(self._module, some, stream, device))
        module = self._module
        self._settled = Settled(stream, module, self._training, device) if isinstance(module, Settling) else None
        self._per_epoch = steps_per_epoch([stream], [self._seeds[0].dealer])
        whole = self._per_epoch * self._training.epochs
        self.total = min(whole, self._training.steps or whole)

    def __iter__(self) -> Iterator[StackedStep]:
        for step in range(self.total):
            epoch, place = divmod(step, self._per_epoch)
            part = share(self._training, step, self._per_epoch, self.total)
            losses = []
            for one in self._seeds:
                found, gradients = self._slopes(one, step, one.dealer.deal(epoch, place))
                losses.append(found)
                one.move(gradients, part)
            yield StackedStep(step + 1, self.total, epoch + 1, torch.cat(losses)[self._back], part)

    def _slopes(self, of: _Seed, step: int, indices: Indices) -> tuple[Tensor, Sequence[Tensor]]:
        """(settings of the seed,) losses of a batch, and their gradients, one a weight."""
        drawing = self._settled is None or self._training.feature_dropout
        with seeded(seed_of(of.seed, step), self._device) if drawing else nullcontext():
            if self._settled is None or of.chain is None:
                losses = self._losses(of, indices)
                return losses.detach(), torch.autograd.grad(losses.sum(), list(of.weights.values()))
            with torch.no_grad():
                losses, found = self._settled.slopes(of.chain, indices, of.draw, self._head, self._tasks)
        return losses, [found[name] for name in of.weights]

    def _losses(self, of: _Seed, indices: Indices) -> Tensor:
        """(settings of the seed,) losses of a batch."""
        batch = self._stream.clips.batch(indices, of.draw).to(self._device)
        batch, other, part = augmented(batch, self._training, of.draw)

        def say(weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> Any:
            inputs = (batch.features, batch.masks, self._stream.tasks, batch.labels)
            return functional_call(self._module, (weights, buffers), inputs)

        said = vmap(say, out_dims=-1)(of.weights, of.buffers)
        losses = self._head.losses(said, batch.labels, batch.labelled, self._tasks)
        if part < 1:
            losses = part * losses + (1 - part) * self._head.losses(said, other.labels, other.labelled, self._tasks)
        return losses

    def all(self) -> "Together":
        """A module that says what every setting says, on a last axis in the order they were given."""
        with torch.no_grad():
            weights = self._joined([one.mean or one.weights for one in self._seeds])
            return Together(self._module, weights, self._joined([one.buffers for one in self._seeds]))

    def _joined(self, stacks: Sequence[Tensors]) -> dict[str, Tensor]:
        """The stacks of all seeds as one, in the order that settings were given."""
        return {name: torch.cat([one[name] for one in stacks])[self._back].detach() for name in stacks[0]}


class Together(nn.Module):
    """K modules of one form as one: predictions have the modules on a last axis."""

    def __init__(self, module: nn.Module, weights: Mapping[str, Tensor], buffers: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._module = module
        self._stacked, self._fixed = dict(weights), dict(buffers)
        self._chain = chain_of(module, weights)

    def forward(
        self, features: Tensors, masks: Tensors, tasks: Sequence[str], labels: Tensors | None = None
    ) -> dict[str, Tensor]:
        """{task: (B, *shape, K)}."""

        if self._chain is not None and isinstance(self._module, Settling):
            return self._chain.said(self._module.eval().settle(features, masks), tasks)

        def said(weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> Any:
            return functional_call(self._module.eval(), (weights, buffers), (features, masks, tasks))

        found: dict[str, Tensor] = vmap(said, out_dims=-1)(self._stacked, self._fixed)
        return found

    def one(self, place: int) -> nn.Module:
        """The module at a place, with weights of its own."""
        module = deepcopy(self._module).eval()
        state = {name: one[place].clone() for name, one in {**self._stacked, **self._fixed}.items()}
        module.load_state_dict(state)
        return module


def chain_of(module: nn.Module, weights: Tensors) -> Chain | None:
    """The module's settings as a chain of layers, where it is one."""
    if not isinstance(module, Settling):
        return None
    return Chain(module.chain, {name: one.detach() for name, one in weights.items()})


def _clipped(gradients: Sequence[Tensor], longest: float) -> tuple[Tensor, ...]:
    """Each setting's gradients, over all its weights together, shortened to this length where they are longer."""
    squares = torch.stack([one.flatten(1).square().sum(1) for one in gradients]).sum(0)
    factors = (longest / (squares.sqrt() + 1e-6)).clamp(max=1)
    return tuple(one * factors.view(-1, *(1,) * (one.ndim - 1)) for one in gradients)
