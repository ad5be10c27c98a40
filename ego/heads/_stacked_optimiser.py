"""AdamW, Adam and SGD over weights of many settings stacked on a leading axis, each with its own rate and decay."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ego.heads._training import Training


class Stepper:
    """Moves stacked weights, each (K, ...), as K optimisers of their own would; K trainings say how."""

    def __init__(self, weights: Sequence[Tensor], trainings: Sequence[Training]) -> None:
        self._weights, self._training = list(weights), trainings[0]
        self._first = [torch.zeros_like(one) for one in weights]
        self._second = [torch.zeros_like(one) for one in weights] if self._training.optimiser != "sgd" else []
        self._lr = [_wide([one.lr for one in trainings], weight) for weight in weights]
        self._decay = [_wide([one.weight_decay for one in trainings], weight) for weight in weights]
        self._steps = 0

    def step(self, gradients: Sequence[Tensor], share: float) -> None:
        """One step along these gradients with this share of every rate."""
        self._steps += 1
        with torch.no_grad():
            if self._training.clip_norm:
                gradients = _clipped(gradients, self._training.clip_norm)
            for number, gradient in enumerate(gradients):
                (self._sgd if self._training.optimiser == "sgd" else self._adam)(number, gradient, share)

    def _sgd(self, number: int, gradient: Tensor, share: float) -> None:
        weight, momentum = self._weights[number], self._training.momentum
        gradient = gradient + self._decay[number] * weight
        if momentum:
            buffer = self._first[number]
            buffer.mul_(momentum).add_(gradient)
            gradient = gradient + momentum * buffer if self._training.nesterov else buffer
        weight.sub_(gradient * (self._lr[number] * share))

    def _adam(self, number: int, gradient: Tensor, share: float) -> None:
        weight, lr = self._weights[number], self._lr[number] * share
        if self._training.optimiser == "adamw":
            weight.mul_(1 - lr * self._decay[number])
        else:
            gradient = gradient + self._decay[number] * weight
        near, far = self._training.betas
        first, second = self._first[number], self._second[number]
        first.lerp_(gradient, 1 - near)
        second.mul_(far).addcmul_(gradient, gradient, value=1 - far)
        lengths = second.sqrt().div_((1 - far**self._steps) ** 0.5).add_(self._training.eps)
        weight.sub_(first.div(lengths).mul_(lr / (1 - near**self._steps)))


def _wide(values: Sequence[float], like: Tensor) -> Tensor:
    """(K, 1, ...) beside weights (K, ...)."""
    return torch.tensor(values, dtype=like.dtype, device=like.device).view(-1, *(1,) * (like.ndim - 1))


def _clipped(gradients: Sequence[Tensor], longest: float) -> list[Tensor]:
    """Each setting's gradients, over all its weights together, shortened to this length where they are longer."""
    squares = torch.stack([one.flatten(1).square().sum(1) for one in gradients]).sum(0)
    factors = (longest / (squares.sqrt() + 1e-6)).clamp(max=1)
    return [one * factors.view(-1, *(1,) * (one.ndim - 1)) for one in gradients]
