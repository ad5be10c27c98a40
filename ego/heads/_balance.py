"""Several tasks' losses weighed while they are learnt: by their uncertainty, or so that every task gets better."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from ego.errors import BadRequest
from ego.heads._base import slot

ROUNDS = 250
SMALL = 1e-12


class Uncertainty(nn.Module):
    """A log-variance for each task, learnt with the rest: loss * exp(-s) + s / 2, s = 0 at first (Kendall et al. 2018).

    The losses alone make a variance twice its loss, so that every task pulls alike, whatever its unit. At first the
    sum is that of the losses as they are.
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__()
        self.log_variances = nn.ParameterDict({slot(name): nn.Parameter(torch.zeros(())) for name in tasks})

    def forward(self, losses: Mapping[str, Tensor], labelled: Mapping[str, Tensor]) -> Tensor:
        """The balanced sum of scalar losses by task; one of which nothing is `labelled` has no part in it."""
        total = torch.zeros((), device=next(iter(losses.values())).device)
        for name, loss in losses.items():
            variance = self.log_variances[slot(name)]
            total = total + torch.where(labelled[name].any(), loss * torch.exp(-variance) + variance / 2, loss * 0)
        return total


def descent(
    gradients: Tensor, losses: Tensor | None = None, scale: Literal["none", "length", "loss"] = "none"
) -> Tensor:
    """(K,) weights of K tasks, none negative, sum 1: their sum is a direction in which no task gets worse.

    That is the shortest one (MGDA: Désidéri 2012; Sener and Koltun 2018). `gradients` (K, P) are those of each task's
    loss by the shared parameters, flattened. With `scale` they are first divided by their `length`, or by the `loss`
    (K,) of the task. Weights are for the gradients as they were given.
    """
    sizes = gradients.new_ones(len(gradients))
    if scale == "length":
        sizes = torch.linalg.vector_norm(gradients, dim=1)
    elif scale == "loss":
        if losses is None:
            raise BadRequest("got scale = 'loss' without losses, expected one for each task")
        sizes = losses.to(gradients)
    sizes = torch.where(sizes > SMALL, sizes, torch.ones_like(sizes))
    scaled = gradients / sizes[:, None]
    weights = min_norm(scaled @ scaled.T) / sizes
    return weights / weights.sum().clamp(min=SMALL)


def min_norm(products: Tensor) -> Tensor:
    """(K,) weights, none negative, sum 1, of the shortest sum of K vectors, from their products (K, K).

    Closed form for two, Frank and Wolfe's steps with an exact length for more.
    """
    count = len(products)
    if count == 1:
        return products.new_ones(1)
    if count == 2:
        share = _share(products[0, 0], products[0, 1], products[1, 1])
        return torch.stack([share, 1 - share])
    weights = products.new_full((count,), 1 / count)
    for _ in range(ROUNDS):
        slopes = products @ weights
        toward = int(slopes.argmin())
        away = int(torch.where(weights > 0, slopes, -torch.inf).argmax())
        length = weights @ slopes
        if length - slopes[toward] <= 1e-9 * length.clamp(min=SMALL):
            break
        if length - slopes[toward] >= slopes[away] - length:
            share = _share(products[toward, toward], slopes[toward], length)
            weights = weights * (1 - share)
            weights[toward] += share
        else:
            weights = _less(weights, products, slopes, away)
    return weights


def _share(first: Tensor, both: Tensor, second: Tensor) -> Tensor:
    """The part of the first of two vectors in their shortest mean, from their products."""
    apart = first + second - 2 * both
    return torch.where(
        apart > SMALL, ((second - both) / apart.clamp(min=SMALL)).clamp(0, 1), torch.full_like(apart, 0.5)
    )


def _less(weights: Tensor, products: Tensor, slopes: Tensor, away: int) -> Tensor:
    """A step away from the vector that lengthens the sum most, at most until it has no part."""
    length = weights @ slopes
    apart = length - 2 * slopes[away] + products[away, away]
    most = weights[away] / (1 - weights[away]).clamp(min=SMALL)
    step = torch.minimum((slopes[away] - length) / apart.clamp(min=SMALL), most)
    moved = weights * (1 + step)
    moved[away] -= step
    return moved.clamp(min=0)
