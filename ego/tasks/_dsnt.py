"""Points from heat-maps and back: differentiable spatial-to-numerical transform and its losses (Nibali et al. 2018).

Maps are (*any, *sides) with `axes` sides, points (*any, axes) normalised with x first: -1 and 1 are the outer edges of
the first and last cell, so that cell i of n lies at (2 i + 1) / n - 1 and the fraction p of a side at 2 p - 1.
"""

import torch
from torch import Tensor

EPSILON = 1e-24


def softmax_maps(logits: Tensor, axes: int = 2) -> Tensor:
    """The same shape: each map not negative, with the sum 1."""
    return torch.softmax(logits.flatten(-axes), dim=-1).view_as(logits)


def coordinates(maps: Tensor, axes: int = 2) -> Tensor:
    """(*any, axes) the mean of each map that sums to 1, x first."""
    found = []
    for axis in range(maps.ndim - 1, maps.ndim - 1 - axes, -1):
        others = [one for one in range(maps.ndim - axes, maps.ndim) if one != axis]
        line = maps.sum(dim=others) if others else maps
        found.append(line @ centres(maps.shape[axis], maps))
    return torch.stack(found, dim=-1)


def centres(count: int, like: Tensor) -> Tensor:
    """(count,) the normalised places of the cells of one side."""
    return (2 * torch.arange(count, dtype=like.dtype, device=like.device) + 1) / count - 1


def gaussians(points: Tensor, sides: tuple[int, ...], sigma: float) -> Tensor:
    """(*any, *sides) Gaussians of `sigma` cells about points, sampled at the cells and divided by their sum."""
    maps = points.new_ones(())
    axes = len(sides)
    for axis, side in enumerate(sides):
        far = (centres(side, points) - points[..., axes - 1 - axis, None]) * (side / (2 * sigma))
        line = torch.exp(-0.5 * far**2)
        maps = maps[..., None] * line.view(*points.shape[:-1], *(1,) * axis, side)
    total = maps.flatten(-axes).sum(dim=-1)
    return maps / (total.view(*total.shape, *(1,) * axes) + EPSILON)


def jensen_shannon(maps: Tensor, targets: Tensor, axes: int = 2) -> Tensor:
    """(*any,) Jensen-Shannon divergence in nats, from 0 to ln 2."""
    middle = (maps + targets) / 2
    return (_divergence(maps, middle, axes) + _divergence(targets, middle, axes)) / 2


def _divergence(left: Tensor, right: Tensor, axes: int) -> Tensor:
    """Kullback-Leibler divergence of `right` from `left`."""
    return (left * ((left + EPSILON).log() - (right + EPSILON).log())).flatten(-axes).sum(dim=-1)


def distances(points: Tensor, targets: Tensor) -> Tensor:
    """(*any,) Euclidean distances in normalised units, not squared."""
    found: Tensor = torch.linalg.vector_norm(points - targets, dim=-1)
    return found


def masked_mean(each: Tensor, mask: Tensor) -> Tensor:
    """The mean of what the mask counts, a scalar; 0 where that is nothing."""
    return (each * mask).sum() / mask.sum().clamp(min=1)
