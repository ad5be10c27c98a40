"""Many settings of one head trained at once: their weights stacked, every batch gathered once for those of a seed."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from ego.heads._augment import augmented
from ego.heads._base import Head, Tasks, Tensors
from ego.heads._deal import Dealer, Stream, dealers, steps_per_epoch
from ego.heads._schedule import share
from ego.heads._shared_input import SharedInput
from ego.heads._stacked_optimiser import Stepper
from ego.heads._train import begin, seeded
from ego.heads._training import Training
from ego.video import Array

APART = ("lr", "weight_decay", "seed")
"""What settings trained together may differ in."""


def together(head: Head, training: Training) -> Training | None:
    """What settings must share to be trained together, or None where they cannot be: one loop each then."""
    alone = (
        training.groups, training.hold_out, training.best_on_test, training.precision != "float32",
        training.task_weighting != "fixed", training.accumulate > 1,
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


@dataclass(frozen=True)
class _Seed:
    """The settings of one seed: their places among all, and what they are dealt."""

    seed: int
    places: slice
    dealer: Dealer
    draw: np.random.Generator


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
        order = sorted(range(len(trainings)), key=lambda place: trainings[place].seed)
        self._trainings = [trainings[place] for place in order]
        self._back = torch.tensor(order).argsort().to(device)
        modules = {one.seed: begin(head, shapes, learnt, one) for one in self._trainings}
        self._module = modules[self._trainings[0].seed].to(device).train()
        weights, self._buffers = stack_module_state([modules[one.seed] for one in self._trainings])
        self._weights = {name: one.detach().to(device).requires_grad_() for name, one in weights.items()}
        self._head, self._tasks, self._stream, self._device = head, tasks, stream, device
        self._seeds = [self._of_seed(seed) for seed in modules]
        training = self._trainings[0]
        self._per_epoch = steps_per_epoch([stream], [self._seeds[0].dealer])
        whole = self._per_epoch * training.epochs
        self.total = min(whole, training.steps or whole)
        self._stepper = Stepper(list(self._weights.values()), self._trainings)
        self._mean = {name: one.detach().clone() for name, one in self._weights.items()} if training.ema else None

    def _of_seed(self, seed: int) -> _Seed:
        places = [place for place, one in enumerate(self._trainings) if one.seed == seed]
        dealer = dealers([self._stream], self._trainings[places[0]])[0]
        return _Seed(seed, slice(places[0], places[-1] + 1), dealer, np.random.default_rng([seed, 0]))

    def __iter__(self) -> Iterator[StackedStep]:
        training = self._trainings[0]
        for step in range(self.total):
            epoch, place = divmod(step, self._per_epoch)
            part = share(training, step, self._per_epoch, self.total)
            losses = torch.cat([self._losses(one, step, epoch, place) for one in self._seeds])
            gradients = torch.autograd.grad(losses.sum(), list(self._weights.values()))
            self._stepper.step(gradients, part)
            if self._mean is not None:
                with torch.no_grad():
                    for name, mean in self._mean.items():
                        mean.lerp_(self._weights[name], 1 - training.ema)
            yield StackedStep(step + 1, self.total, epoch + 1, losses.detach()[self._back], part)

    def _losses(self, of: _Seed, step: int, epoch: int, place: int) -> Tensor:
        """(settings of the seed,) losses of its next batch."""
        with seeded((of.seed * 1_000_003 + step) % 2**63, self._device):
            batch = self._stream.clips.batch(of.dealer.deal(epoch, place), of.draw).to(self._device)
            batch, other, part = augmented(batch, self._trainings[0], of.draw)

        def loss(weights: Tensors, buffers: Tensors) -> Tensor:
            inputs = (batch.features, batch.masks, self._stream.tasks, batch.labels)
            said = functional_call(self._module, (dict(weights), dict(buffers)), inputs)
            one = self._head.loss(said, batch.labels, batch.labelled, self._tasks)
            if part == 1:
                return one
            return part * one + (1 - part) * self._head.loss(said, other.labels, other.labelled, self._tasks)

        mine = {name: weights[of.places] for name, weights in self._weights.items()}
        with SharedInput():
            found: Tensor = vmap(loss)(mine, {name: buffers[of.places] for name, buffers in self._buffers.items()})
        return found

    def all(self) -> "Together":
        """A module that says what every setting says, on a last axis in the order they were given."""
        with torch.no_grad():
            weights = {name: one[self._back].detach() for name, one in (self._mean or self._weights).items()}
            return Together(self._module, weights, {name: one[self._back] for name, one in self._buffers.items()})


class Together(nn.Module):
    """K modules of one form as one: predictions have the modules on a last axis."""

    def __init__(self, module: nn.Module, weights: Mapping[str, Tensor], buffers: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._module = module
        self._stacked, self._fixed = dict(weights), dict(buffers)

    def forward(
        self, features: Tensors, masks: Tensors, tasks: Sequence[str], labels: Tensors | None = None
    ) -> dict[str, Tensor]:
        """{task: (B, *shape, K)}."""

        def said(weights: dict[str, Tensor], buffers: dict[str, Tensor]) -> Any:
            return functional_call(self._module.eval(), (weights, buffers), (features, masks, tasks))

        with SharedInput():
            found: dict[str, Tensor] = vmap(said, out_dims=-1)(self._stacked, self._fixed)
        return found

    def one(self, place: int) -> nn.Module:
        """The module at a place, with weights of its own."""
        module = deepcopy(self._module).eval()
        state = {name: one[place].clone() for name, one in {**self._stacked, **self._fixed}.items()}
        module.load_state_dict(state)
        return module
