"""Inception-v1 inflated to three dimensions (I3D; Carreira and Zisserman 2017), with the published PyTorch key names.

Tensors are (B, C, T, H, W). Convolutions and poolings pad the way TensorFlow's "SAME" does: by the input's size.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from ego.layers.inception_plan import (
    CONVOLUTIONS,
    END_POINTS,
    MIXTURES,
    POOL,
    POOLINGS,
    STEM,
    Triple,
    channels_after,
    same_padding,
)


def pad_same(x: torch.Tensor, kernel: Triple, stride: Triple) -> tuple[torch.Tensor, Triple]:
    """`x` padded where front and back differ, and the even padding that is left to the operation itself."""
    pads = [same_padding(n, k, s) for n, k, s in zip(x.shape[2:], kernel, stride, strict=True)]
    if all(front == back for front, back in pads):
        return x, (pads[0][0], pads[1][0], pads[2][0])
    return F.pad(x, [n for pad in reversed(pads) for n in pad]), (0, 0, 0)


class Unit3d(nn.Module):
    """A convolution with SAME padding, batch norm and ReLU; the head has a bias instead of both."""

    def __init__(
        self, channels: int, out: int, kernel: Triple = (1, 1, 1), stride: Triple = (1, 1, 1), head: bool = False
    ) -> None:
        super().__init__()
        self._kernel, self._stride = kernel, stride
        self.conv3d = nn.Conv3d(channels, out, kernel, stride, bias=head)
        self.bn = None if head else nn.BatchNorm3d(out, eps=1e-3, momentum=0.01)

    def forward(self, x: torch.Tensor, inside: bool = False) -> torch.Tensor:
        """(B, channels, T, H, W) -> (B, out, ceil(T / stride) ...); `inside`: without padding in time."""
        x, padding = pad_same(x, (1, *self._kernel[1:]) if inside else self._kernel, self._stride)
        weight, bias = self.conv3d.weight, self.conv3d.bias
        if self.bn is None:
            return F.conv3d(x, weight, bias, self._stride, padding)
        if self.training:
            return torch.relu(self.bn(F.conv3d(x, weight, None, self._stride, padding)))
        weight, bias = folded(weight, self.bn)
        return torch.relu(F.conv3d(x, weight, bias, self._stride, padding))


def folded(weight: torch.Tensor, norm: nn.BatchNorm3d) -> tuple[torch.Tensor, torch.Tensor]:
    """A convolution's weight and bias with a norm's running statistics in them: one pass, and one rounding, less."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return weight * scale.view(-1, *(1,) * (weight.ndim - 1)), norm.bias - norm.running_mean * scale


class SamePool3d(nn.Module):
    """Max pooling with SAME padding; what it sees is never below 0, so padding with zeros changes nothing."""

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self._kernel, self._stride = kernel, stride

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, T, H, W) -> (B, C, ceil(T / stride) ...)."""
        x, padding = pad_same(x, self._kernel, self._stride)
        return F.max_pool3d(x, self._kernel, self._stride, padding)


class Mixed(nn.Module):
    """An inception module: four branches side by side, joined in the channels b0, b1b, b2b, b3b.

    With the kernel (1, 3, 3) no moment sees another: Inception-v1 itself.
    """

    def __init__(self, channels: int, widths: tuple[int, int, int, int, int, int], kernel: Triple = (3, 3, 3)) -> None:
        super().__init__()
        b0, b1a, b1b, b2a, b2b, b3b = widths
        self.b0 = Unit3d(channels, b0)
        self.b1a = Unit3d(channels, b1a)
        self.b1b = Unit3d(b1a, b1b, kernel)
        self.b2a = Unit3d(channels, b2a)
        self.b2b = Unit3d(b2a, b2b, kernel)
        self.b3a = SamePool3d(kernel, (1, 1, 1))
        self.b3b = Unit3d(channels, b3b)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, channels, T, H, W) -> (B, b0 + b1b + b2b + b3b, T, H, W)."""
        return torch.cat([self.b0(x), self.b1b(self.b1a(x)), self.b2b(self.b2a(x)), self.b3b(self.b3a(x))], dim=1)


class InceptionI3d(nn.Module):
    """The network from its clip, or from above an end point: `after="Mixed_4f"` holds what follows only.

    forward((B, channels, T, H, W) in [-1, 1]) gives the wanted end points by name; `avg_pool` is
    (B, 1024, ceil(T / 8) - 1, h, w) and `logits` is its 1x1x1 convolution, before any mean.
    """

    def __init__(self, channels: int = 3, classes: int = 400, after: str | None = None) -> None:
        super().__init__()
        self._first = 0 if after is None else END_POINTS.index(after) + 1
        width = channels
        for place, name in enumerate(END_POINTS):
            module = _end_point(name, width, classes)
            if place >= self._first and module is not None:
                self.add_module(name, module)
            width = channels_after(name, width, classes)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor, taps: Sequence[str]) -> dict[str, torch.Tensor]:
        """The wanted end points by name; nothing above the highest of them is computed."""
        found = {}
        for name in END_POINTS[self._first : max(map(END_POINTS.index, taps)) + 1]:
            if name == "avg_pool":
                x = F.avg_pool3d(x, POOL, stride=1)
            elif name == "logits":
                x = self.get_submodule(name)(self.dropout(x))
            else:
                x = self.get_submodule(name)(x)
            if name in taps:
                found[name] = x
        return found

    def moment(self, x: torch.Tensor) -> torch.Tensor:
        """One moment of `Conv3d_2b_1x1`, (B, 64, 1, h, w), of the seven frames that the stem sees of it."""
        x = self.get_submodule(END_POINTS[0])(x, inside=True)
        for name in END_POINTS[1 : END_POINTS.index(STEM) + 1]:
            x = self.get_submodule(name)(x)
        return x


def _end_point(name: str, channels: int, classes: int) -> nn.Module | None:
    """The module of an end point; None where it has no weights of its own and no state."""
    if name in CONVOLUTIONS:
        kernel, stride, out = CONVOLUTIONS[name]
        return Unit3d(channels, out, kernel, stride)
    if name in POOLINGS:
        return SamePool3d(*POOLINGS[name])
    if name in MIXTURES:
        return Mixed(channels, MIXTURES[name])
    return Unit3d(channels, classes, head=True) if name == "logits" else None
