"""Several tasks' losses weighed while they are learnt: by their uncertainty, or so that every task gets better."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ego.errors import BadRequest
from ego.heads._base import slot

Products = NDArray[np.float64]
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

    Closed form for two; for more Wolfe's finite algorithm (1976), which goes where Frank and Wolfe's steps go, in full.
    """
    if len(products) == 2:
        longest = products.diagonal().max().clamp(min=torch.finfo(products.dtype).tiny)
        (first, both), (_, second) = products / longest
        apart = first + second - 2 * both
        share = torch.where(
            apart > SMALL, ((second - both) / apart.clamp(min=SMALL)).clamp(0, 1), torch.full_like(apart, 0.5)
        )
        return torch.stack([share, 1 - share])
    found = _wolfe(products.detach().double().cpu().numpy())
    return torch.from_numpy(found).to(products)


def _wolfe(products: Products) -> Products:
    """Weights of the shortest sum: vectors join while they shorten it, and leave where they would count negatively."""
    products = products / max(float(products.diagonal().max()), np.finfo(float).tiny)  # the longest has length 1
    weights = np.zeros(len(products))
    weights[products.diagonal().argmin()] = 1
    for _ in range(ROUNDS):
        slopes = products @ weights
        nearest = int(slopes.argmin())
        active = weights > 0
        if weights @ slopes - slopes[nearest] <= SMALL or active[nearest]:
            break
        active[nearest] = True
        while True:
            flat = _flat(products, active)
            leaving = active & (flat <= 0)
            if not leaving.any():
                weights = flat
                break
            apart = np.where(leaving, np.maximum(weights - flat, SMALL), 1.0)
            shares = np.where(leaving, weights / apart, np.inf)
            weights = np.clip(weights + min(float(shares.min()), 1.0) * (flat - weights), 0, None)
            active[int(shares.argmin())] = False
            weights[~active] = 0
    return np.asarray(weights / weights.sum())


def _flat(products: Products, active: NDArray[np.bool_]) -> Products:
    """Weights of sum 1, of any sign, of the shortest sum of the active vectors; 0 for the others."""
    chosen = np.flatnonzero(active)
    count = len(chosen)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = products[np.ix_(chosen, chosen)]
    system[count, count] = 0
    found = np.zeros(len(products))
    found[chosen] = np.linalg.lstsq(system, np.append(np.zeros(count), 1.0), rcond=None)[0][:count]
    return found
