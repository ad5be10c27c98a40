"""What TV-L1 does to pictures around its iterations: stretch, blur, scale, differentiate, warp, filter.

All of it is made of passes that treat each picture alike wherever it lies in a batch: a convolution from a library
may choose another order of sums for another batch.
"""

from dataclasses import dataclass
from functools import cache
from math import ceil, exp, hypot

import torch
from torch import Tensor
from torch.nn import functional

GRID_SAMPLE_CUBIC = -0.75
LEAST_DIAGONAL = 16
"""Pixels: no level is smaller (Sanchez et al. 2013)."""


@dataclass(frozen=True)
class Rule:
    """How a pyramid is made.

    `zoom` is a level's size over the finer one's; `smooth` the deviation in pixels of the blur of the finest level;
    `antialias` blurs a level by 0.6 sqrt(1 / zoom^2 - 1) before it is made smaller (bicubic), else it is bilinear.
    """

    scales: int = 5
    zoom: float = 0.5
    smooth: float = 0.8
    antialias: bool = True
    least_side: int = 1


def level_sizes(height: int, width: int, rule: Rule) -> list[tuple[int, int]]:
    """(height, width) of each level, the finest first; at least one."""
    sizes = [(height, width)]
    while len(sizes) < rule.scales:
        shrunk = rule.zoom ** len(sizes)
        last = sizes[-1]
        size = (int(last[0] * rule.zoom + 0.5), int(last[1] * rule.zoom + 0.5))
        if hypot(height, width) * shrunk < LEAST_DIAGONAL or min(size) < rule.least_side:
            break
        sizes.append(size)
    return sizes


def pyramid(grey: Tensor, rule: Rule) -> list[Tensor]:
    """The levels of pictures (N, B, H, W), the finest first."""
    levels = [blurred(grey, rule.smooth)]
    for size in level_sizes(grey.shape[-2], grey.shape[-1], rule)[1:]:
        finer = blurred(levels[-1], 0.6 * (1 / rule.zoom**2 - 1) ** 0.5) if rule.antialias else levels[-1]
        levels.append(resampled(finer, *size, cubic=rule.antialias))
    return levels


def stretched(grey: Tensor) -> Tensor:
    """Pictures (2, B, H, W), the least value of each pair at 0 and its greatest at 255; a flat pair as it is."""
    low, high = grey.amin(dim=(0, 2, 3), keepdim=True), grey.amax(dim=(0, 2, 3), keepdim=True)
    return torch.where(high > low, (grey - low) * (255 / (high - low).clamp(min=1e-10)), grey)


def blurred(x: Tensor, sigma: float) -> Tensor:
    """Pictures (..., H, W) under a Gaussian of `sigma` pixels, cut at four of them; the border is repeated."""
    if sigma <= 0:
        return x
    radius = ceil(4 * sigma)
    weights = [exp(-(t**2) / (2 * sigma**2)) for t in range(radius + 1)]
    total = weights[0] + 2 * sum(weights[1:])
    for axis in (-1, -2):
        wide = _repeated(x, radius, axis)
        side = x.shape[axis]
        x = wide.narrow(axis, radius, side) * (weights[0] / total)
        for t in range(1, radius + 1):
            pair = wide.narrow(axis, radius - t, side) + wide.narrow(axis, radius + t, side)
            x.add_(pair, alpha=weights[t] / total)
    return x


def _repeated(x: Tensor, radius: int, axis: int) -> Tensor:
    """`x` with its border repeated on both ends of an axis."""
    side = x.shape[axis]
    index = torch.arange(-radius, side + radius, device=x.device).clamp_(0, side - 1)
    return x.index_select(axis, index)


def resampled(x: Tensor, height: int, width: int, cubic: bool) -> Tensor:
    """Pictures (..., H, W) at another size, bicubic (Catmull and Rom's kernel) or bilinear; the border is repeated."""
    for axis, size in ((-1, width), (-2, height)):
        side = x.shape[axis]
        at = (torch.arange(size, dtype=torch.float64) + 0.5) * (side / size) - 0.5
        part = at - at.floor()
        weights = _cubic_weights(part) if cubic else [1 - part, part]
        found = None
        for tap, weight in enumerate(weights, -1 if cubic else 0):
            index = (at.floor().long() + tap).clamp_(0, side - 1).to(x.device)
            piece, factor = x.index_select(axis, index), weight.to(x)
            factor = factor if axis == -1 else factor[:, None]
            found = piece.mul_(factor) if found is None else found.addcmul_(piece, factor)
        assert found is not None
        x = found
    return x


def _cubic_weights(t: Tensor) -> list[Tensor]:
    """Of the pixels at -1, 0, 1 and 2 for a place `t` between 0 and 1."""
    return [
        ((2 - t) * t - 1) * t / 2,
        ((3 * t - 5) * t * t + 2) / 2,
        ((4 - 3 * t) * t + 1) * t / 2,
        (t - 1) * t * t / 2,
    ]


def scaled_to(u: Tensor, height: int, width: int) -> Tensor:
    """A flow (2, ..., H, W) at another size, bilinear; its vectors grow with the picture."""
    before = u.shape[-2:]
    if before == (height, width):
        return u
    found = resampled(u, height, width, cubic=False)
    found[0] *= width / before[1]
    found[1] *= height / before[0]
    return found


def central_gradient(x: Tensor) -> Tensor:
    """(2, B, H, W): half the difference of the neighbours along x and y, the border repeated."""
    wide, tall = _repeated(x, 1, -1), _repeated(x, 1, -2)
    return torch.stack([(wide[..., 2:] - wide[..., :-2]) * 0.5, (tall[..., 2:, :] - tall[..., :-2, :]) * 0.5])


def padded(planes: Tensor) -> Tensor:
    """Planes (C, B, H, W) as (B, C, H', W') for `warp`: sides of powers of two, the border repeated.

    Only then are whole pixels exact in the fractions of a side that `grid_sample` counts in.
    """
    height, width = planes.shape[-2:]
    right, below = (1 << (width - 1).bit_length()) - width, (1 << (height - 1).bit_length()) - height
    return functional.pad(planes.transpose(0, 1), (0, right, 0, below), mode="replicate")


def warp(planes: Tensor, u: Tensor, cubic: float) -> Tensor:
    """(C, B, H, W): `padded` planes at x + u, bicubic with the kernel parameter `cubic`; 0 outside of the picture.

    The kernel is linear in its parameter. `grid_sample` has it at -0.75, which bends straight ramps (0.04 px of
    bias at a quarter pixel); at 0 it is a bilinear look with smooth steps for weights; -0.5 is two thirds of the
    one and a third of the other.
    """
    _, _, height, width = u.shape
    x = torch.arange(width, dtype=u.dtype, device=u.device) + u[0]
    y = torch.arange(height, dtype=u.dtype, device=u.device)[:, None] + u[1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    found = _looked_up(planes, x, y, "bicubic")
    if cubic != GRID_SAMPLE_CUBIC:
        steps = _looked_up(planes, _smooth_step(x), _smooth_step(y), "bilinear")
        found = torch.lerp(steps, found, cubic / GRID_SAMPLE_CUBIC)
    return found.mul_(inside[:, None]).transpose(0, 1)


def _smooth_step(x: Tensor) -> Tensor:
    """Positions whose bilinear weights are those of the cubic kernel of parameter 0."""
    whole = x.floor()
    part = x - whole
    return whole.add_(part * part * (3 - 2 * part))


def _looked_up(planes: Tensor, x: Tensor, y: Tensor, mode: str) -> Tensor:
    tall, wide = planes.shape[-2:]
    grid = torch.stack([x.mul(2 / wide).add_(1 / wide - 1), y.mul(2 / tall).add_(1 / tall - 1)], dim=-1)
    return functional.grid_sample(planes, grid, mode=mode, padding_mode="border", align_corners=False)


def median(x: Tensor, side: int) -> Tensor:
    """Each value of (..., H, W) replaced by the median of the `side` x `side` around it; the border is repeated."""
    radius = side // 2
    wide = _repeated(_repeated(x, radius, -1), radius, -2)
    height, width = x.shape[-2:]
    held = [wide[..., i : i + height, j : j + width].contiguous() for i in range(side) for j in range(side)]
    spare = torch.empty_like(x)
    for low, high, keep_low, keep_high in selection(side * side):
        if keep_low and keep_high:
            torch.minimum(held[low], held[high], out=spare)
            torch.maximum(held[low], held[high], out=held[high])
            held[low], spare = spare, held[low]
        elif keep_low:
            torch.minimum(held[low], held[high], out=held[low])
        else:
            torch.maximum(held[low], held[high], out=held[high])
    return held[side * side // 2].contiguous()


@cache
def selection(count: int) -> tuple[tuple[int, int, bool, bool], ...]:
    """The exchanges of Batcher's odd-even merge sort of `count` values that their median depends on, in order.

    Each is (i, j, whether the smaller is wanted at i, whether the greater is wanted at j).
    """
    found, wanted = [], {count // 2}
    for low, high in reversed(list(_exchanges(count))):
        if low in wanted or high in wanted:
            found.append((low, high, low in wanted, high in wanted))
            wanted |= {low, high}
    return tuple(reversed(found))


def _exchanges(count: int) -> list[tuple[int, int]]:
    """Batcher's network (Knuth, volume 3, 5.2.2, algorithm M)."""
    found = []
    top = 1 << (count - 1).bit_length() - 1 if count > 1 else 0
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while True:
            found += [(i, i + d) for i in range(count - d) if i & p == r]
            if q == p:
                break
            d, q, r = q - p, q // 2, p
        p //= 2
    return found
