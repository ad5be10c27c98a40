"""TV-L1 optical flow (Zach, Pock and Bischof 2007), batched, on any device.

One code for all: the planes of a level lie side by side in memory, each step is one pass over them in place,
and a pair that has converged leaves the work. What a pair gives does not depend on its company, because every
number of it is made by the same rounded operations wherever it lies.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ego.layers.tvl1_pyramid import Rule, central_gradient, median, padded, pyramid, scaled_to, stretched, warp

FLAT = 1e-10
"""A squared gradient below this tells nothing of the motion."""
PIXELS_AT_ONCE = 2**17
"""Pixels that a CPU works on together: its caches still hold them, and they outweigh the start of each pass."""


@dataclass(frozen=True)
class Constants:
    """The numbers of the method, as `ego.extractors.tvl1` explains them."""

    tau: float = 0.25
    lambda_: float = 0.15
    theta: float = 0.3
    warps: int = 5
    outer: int = 1
    inner: int = 300
    epsilon: float = 0.005
    median: int = 0
    cubic: float = -0.5
    stretch: bool = True
    rule: Rule = field(default_factory=Rule)


def flow(first: Tensor, second: Tensor, k: Constants) -> Tensor:
    """(B, 2, H, W) float32 pixels right and down: what `first` shows at x is in `second` at x + flow.

    Both are (B, H, W) grey values of 0 to 255. Memory grows with the batch alone.
    """
    grey = torch.stack([first, second]).to(torch.float32)
    if grey.numel() == 0:
        return grey.new_zeros((len(first), 2, *first.shape[1:]))
    levels = pyramid(stretched(grey) if k.stretch else grey, k.rule)
    u = levels[-1].new_zeros(levels[-1].shape)
    for level in reversed(levels):
        u = scaled_to(u, level.shape[2], level.shape[3])
        for part in _parts(level):
            u[:, part] = _solve(level[0, part], level[1, part], u[:, part].contiguous(), k)
    return u.transpose(0, 1).contiguous()


def _parts(level: Tensor) -> Iterator[slice]:
    """The pairs that are worked on together: on a CPU as many as its caches hold, elsewhere all."""
    _, pairs, height, width = level.shape
    step = max(1, PIXELS_AT_ONCE // (height * width)) if level.device.type == "cpu" else pairs
    return (slice(start, start + step) for start in range(0, pairs, step))


def _solve(first: Tensor, second: Tensor, u: Tensor, k: Constants) -> Tensor:
    """The flow (2, B, H, W) of one level from the coarser one's; the dual field lives as long as the level."""
    planes = padded(torch.cat([second[None], central_gradient(second)]))
    p = u.new_zeros((2, *u.shape))
    for _ in range(k.warps):
        slope, ratio = linearised(first, warp(planes, u, k.cubic), u)
        u, p = iterated(Pairs(u, p, slope, ratio), k)
    return u


def linearised(first: Tensor, warped: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """(slope (2, B, H, W), ratio (3, B, H, W)): the data term around the flow so far.

    `slope` is the warped gradient. `ratio[0] + ratio[1] * u_x + ratio[2] * u_y` is minus the residual over the
    squared gradient: cut at +- lambda * theta and times `slope` it is the step of the data term, so that its
    three cases are one.
    """
    slope = warped[1:]
    residual = (warped[0] - first) - (slope[0] * u[0] + slope[1] * u[1])
    weight = -1 / (slope[0] * slope[0] + slope[1] * slope[1]).clamp_(min=FLAT)
    return slope.contiguous(), torch.cat([(residual * weight)[None], slope * weight])


class Pairs:
    """Some pairs within one warp: flow `u` (2, B, H, W), dual `p` (axis, component, B, H, W) times theta, data term."""

    def __init__(self, u: Tensor, p: Tensor, slope: Tensor, ratio: Tensor) -> None:
        self.u, self.p = u, p
        self._slope, self._ratio = slope, ratio
        self._before, self._scratch, self._gradient = torch.empty_like(u), torch.empty_like(u), torch.empty_like(p)
        self._one = torch.ones((), dtype=u.dtype)

    def kept(self, places: list[int]) -> "Pairs":
        """These pairs alone."""
        index = torch.tensor(places, device=self.u.device)
        return Pairs(*(x.index_select(-3, index) for x in (self.u, self.p, self._slope, self._ratio)))

    def step(self, k: Constants) -> None:
        """One iteration: data term, divergence of the dual, ascent of the dual."""
        new, cut = self._before, k.lambda_ * k.theta
        t = torch.addcmul(self._ratio[0], self._ratio[1], self.u[0], out=self._scratch[0])
        t.addcmul_(self._ratio[2], self.u[1]).clamp_(-cut, cut)
        add_divergence(torch.addcmul(self.u, self._slope, t, out=new), self.p)
        forward_gradient(new, self._gradient)
        size = torch.mul(self._gradient[0], self._gradient[0], out=self._scratch)
        size.addcmul_(self._gradient[1], self._gradient[1]).sqrt_()
        torch.add(self._one, size, alpha=k.tau / k.theta, out=size)
        self.p.add_(self._gradient, alpha=k.tau).div_(size)
        self.u, self._before = new, self.u

    def change(self) -> Tensor:
        """(B,) sum over pixels of the squared change of the last iteration."""
        moved = torch.sub(self.u, self._before, out=self._scratch).flatten(2)
        norms: Tensor = torch.linalg.vector_norm(moved, dim=2)
        return (norms * norms).sum(0)


def add_divergence(u: Tensor, p: Tensor) -> None:
    """Adds div p (backward differences) to `u` in place; p must be 0 in its last column (x) and last row (y).

    So it is after every ascent; then shifting the flat memory is shifting the picture, whatever lies beside it.
    """
    width, flat = u.shape[-1], u.view(-1)
    u.add_(p[0])
    flat[1:].sub_(p[0].view(-1)[:-1])
    u.add_(p[1])
    flat[width:].sub_(p[1].view(-1)[:-width])


def forward_gradient(u: Tensor, out: Tensor) -> None:
    """Forward differences of `u` along x and y into `out` (2, *u.shape), 0 in the last column and row."""
    width, flat = u.shape[-1], u.view(-1)
    torch.sub(flat[1:], flat[:-1], out=out[0].view(-1)[:-1])
    torch.sub(flat[width:], flat[:-width], out=out[1].view(-1)[:-width])
    out[0, ..., -1] = 0
    out[1, ..., -1, :] = 0


def iterated(pairs: Pairs, k: Constants) -> tuple[Tensor, Tensor]:
    """(u, p) after one warp's iterations: each pair as it was when it converged by itself.

    Converged pairs are worked on, for nothing, until half of those left have; then the others go on alone.
    """
    u, p = torch.empty_like(pairs.u), torch.empty_like(pairs.p)
    limit = k.epsilon**2 * u.shape[2] * u.shape[3]
    lanes = dict(enumerate(range(u.shape[1])))  # lane -> pair, of those that have not converged
    width = len(lanes)
    for number in range(k.outer * k.inner):
        if k.median and number % k.inner == 0:
            pairs.u = median(pairs.u, k.median)
        pairs.step(k)
        if not k.epsilon:
            continue
        changes = pairs.change().tolist()
        for lane in [lane for lane in lanes if changes[lane] < limit]:
            pair = lanes.pop(lane)
            u[:, pair], p[:, :, pair] = pairs.u[:, lane], pairs.p[:, :, lane]
        if not lanes:
            break
        if len(lanes) <= width // 2:
            pairs, lanes = pairs.kept(list(lanes)), dict(enumerate(lanes.values()))
            width = len(lanes)
    for lane, pair in lanes.items():
        u[:, pair], p[:, :, pair] = pairs.u[:, lane], pairs.p[:, :, lane]
    return u, p
