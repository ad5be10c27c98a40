"""RAFT (Teed and Deng 2020), large and small, with the key names of the authors' checkpoints."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from ego.layers.raft_plan import PLANS, Plan

LEVELS = 4
CELL = 8
"""Pixels of a side that one cell of the coarse flow stands for."""
LEAST_SIDE = 128
"""Pixels: below, the coarsest level of correlations would be a single cell."""

Norm = Callable[[int], nn.Module]


class Block(nn.Module):
    """Two 3x3 convolutions, or in the small network 1x1, 3x3 and 1x1, each with norm and ReLU, and a shortcut."""

    def __init__(self, channels: int, width: int, stride: int, norm: Norm, narrow: bool) -> None:
        super().__init__()
        inner = width // 4 if narrow else width
        sides, strides = ((1, 3, 1), (1, stride, 1)) if narrow else ((3, 3), (stride, 1))
        self._depth = len(sides)
        for i, (side, step) in enumerate(zip(sides, strides, strict=True)):
            out = width if i + 1 == self._depth else inner
            self.add_module(f"conv{i + 1}", nn.Conv2d(channels if i == 0 else inner, out, side, step, side // 2))
            self.add_module(f"norm{i + 1}", norm(out))
        self.downsample = None
        if stride > 1:
            self.downsample = nn.Sequential(nn.Conv2d(channels, width, 1, stride), norm(width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, H, W) -> (B, width, H / stride, W / stride)."""
        y = x
        for i in range(1, self._depth + 1):
            y = torch.relu(self.get_submodule(f"norm{i}")(self.get_submodule(f"conv{i}")(y)))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class Encoder(nn.Module):
    """Pictures (B, 3, H, W) -> (B, out, H / 8, W / 8)."""

    def __init__(self, plan: Plan, out: int, norm: Norm) -> None:
        super().__init__()
        self.conv1, self.norm1 = nn.Conv2d(3, plan.widths[0], 7, 2, 3), norm(plan.widths[0])
        channels = plan.widths[0]
        for number, width in enumerate(plan.widths, 1):
            first = Block(channels, width, 1 if number == 1 else 2, norm, plan.narrow)
            self.add_module(f"layer{number}", nn.Sequential(first, Block(width, width, 1, norm, plan.narrow)))
            channels = width
        self.conv2 = nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """The feature map."""
        x = torch.relu(self.norm1(self.conv1(x)))
        for number in (1, 2, 3):
            x = self.get_submodule(f"layer{number}")(x)
        found: Tensor = self.conv2(x)
        return found


class MotionEncoder(nn.Module):
    """Correlations and flow as features; the flow itself is the last two channels."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        seen = LEVELS * (2 * plan.radius + 1) ** 2
        self.convc1 = nn.Conv2d(seen, plan.correlation[0], 1)
        self.convc2 = (
            nn.Conv2d(plan.correlation[0], plan.correlation[1], 3, padding=1) if len(plan.correlation) > 1 else None
        )
        self.convf1 = nn.Conv2d(2, plan.flow[0], 7, padding=3)
        self.convf2 = nn.Conv2d(plan.flow[0], plan.flow[1], 3, padding=1)
        self.conv = nn.Conv2d(plan.correlation[-1] + plan.flow[-1], plan.motion - 2, 3, padding=1)

    def forward(self, flow: Tensor, correlation: Tensor) -> Tensor:
        """(B, motion, h, w)."""
        seen = torch.relu(self.convc1(correlation))
        if self.convc2 is not None:
            seen = torch.relu(self.convc2(seen))
        moved = torch.relu(self.convf2(torch.relu(self.convf1(flow))))
        return torch.cat([torch.relu(self.conv(torch.cat([seen, moved], 1))), flow], 1)


class GRU(nn.Module):
    """A convolutional gated unit: one of 3x3 (small), or one along x and then one along y (large)."""

    def __init__(self, hidden: int, channels: int, separable: bool) -> None:
        super().__init__()
        sides = {"1": (1, 5), "2": (5, 1)} if separable else {"": (3, 3)}
        self._turns = tuple(sides)
        for turn, side in sides.items():
            for gate in "zrq":
                padding = (side[0] // 2, side[1] // 2)
                self.add_module(f"conv{gate}{turn}", nn.Conv2d(hidden + channels, hidden, side, padding=padding))

    def forward(self, h: Tensor, x: Tensor) -> Tensor:
        """The new hidden state."""
        for turn in self._turns:
            both = torch.cat([h, x], 1)
            z = torch.sigmoid(self.get_submodule(f"convz{turn}")(both))
            r = torch.sigmoid(self.get_submodule(f"convr{turn}")(both))
            q = torch.tanh(self.get_submodule(f"convq{turn}")(torch.cat([r * h, x], 1)))
            h = (1 - z) * h + z * q
        return h


class FlowHead(nn.Module):
    """What the flow changes by."""

    def __init__(self, hidden: int, inner: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(hidden, inner, 3, padding=1)
        self.conv2 = nn.Conv2d(inner, 2, 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        """(B, 2, h, w)."""
        found: Tensor = self.conv2(torch.relu(self.conv1(h)))
        return found


class Update(nn.Module):
    """One look at the correlations: a new hidden state and a change of the flow."""

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        self.encoder = MotionEncoder(plan)
        self.gru = GRU(plan.hidden, plan.motion + plan.context, plan.separable)
        self.flow_head = FlowHead(plan.hidden, plan.head)
        self.mask: nn.Sequential | None = None
        if plan.learnt_upsampling:
            self.mask = nn.Sequential(
                nn.Conv2d(plan.hidden, 256, 3, padding=1), nn.ReLU(), nn.Conv2d(256, CELL**2 * 9, 1)
            )

    def forward(self, h: Tensor, context: Tensor, correlation: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
        """(hidden state, change of the flow)."""
        h = self.gru(h, torch.cat([context, self.encoder(flow, correlation)], 1))
        return h, self.flow_head(h)


class RAFT(nn.Module):
    """The network; `iterations` looks. forward gives (B, 2, H, W) pixels of the pictures."""

    def __init__(self, size: str, iterations: int) -> None:
        super().__init__()
        self._plan = plan = PLANS[size]
        self._iterations = iterations
        self.fnet = Encoder(plan, plan.features, nn.InstanceNorm2d)
        self.cnet = Encoder(
            plan, plan.hidden + plan.context, nn.BatchNorm2d if plan.context_norm else lambda channels: nn.Identity()
        )
        self.update_block = Update(plan)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Pictures (B, 3, H, W) of 0 to 255 -> (B, 2, H, W)."""
        height, width = first.shape[-2:]
        pad = _padding(height, width)
        first, second = (functional.pad(x / 127.5 - 1, pad, mode="replicate") for x in (first, second))
        pyramid = correlations(self.fnet(first), self.fnet(second))
        hidden, context = self.cnet(first).split([self._plan.hidden, self._plan.context], 1)
        hidden, context = torch.tanh(hidden), torch.relu(context)
        flow = hidden.new_zeros((len(hidden), 2, *hidden.shape[-2:]))
        for _ in range(self._iterations):
            seen = looked_up(pyramid, flow, self._plan.radius)
            hidden, change = self.update_block(hidden, context, seen, flow)
            flow = flow + change
        found = upsampled(flow, None if self.update_block.mask is None else self.update_block.mask(hidden) / 4)
        return found[..., pad[2] : pad[2] + height, pad[0] : pad[0] + width]


def _padding(height: int, width: int) -> tuple[int, int, int, int]:
    """(left, right, top, bottom) pixels that make both sides multiples of a cell, on both ends alike."""
    lacking = [max(LEAST_SIDE, -(-side // CELL) * CELL) - side for side in (width, height)]
    return lacking[0] // 2, lacking[0] - lacking[0] // 2, lacking[1] // 2, lacking[1] - lacking[1] // 2


def correlations(first: Tensor, second: Tensor) -> list[Tensor]:
    """For every cell of `first` its products with all cells of `second`: (B * h * w, 1, h, w), halved three times."""
    batch, channels, height, width = first.shape
    found = first.flatten(2).transpose(1, 2) @ second.flatten(2) / channels**0.5
    levels = [found.reshape(batch * height * width, 1, height, width)]
    for _ in range(LEVELS - 1):
        levels.append(functional.avg_pool2d(levels[-1], 2))
    return levels


def looked_up(pyramid: list[Tensor], flow: Tensor, radius: int) -> Tensor:
    """(B, levels * (2 radius + 1)^2, h, w): correlations around where the flow points, offsets in x first."""
    batch, _, height, width = flow.shape
    reach = torch.arange(-radius, radius + 1, dtype=flow.dtype, device=flow.device)
    offset_x, offset_y = torch.meshgrid(reach, reach, indexing="ij")
    x = torch.arange(width, dtype=flow.dtype, device=flow.device) + flow[:, 0]
    y = torch.arange(height, dtype=flow.dtype, device=flow.device)[:, None] + flow[:, 1]
    found = []
    for level, plane in enumerate(pyramid):
        tall, wide = plane.shape[-2:]
        at_x = x.reshape(-1, 1, 1) / 2**level + offset_x
        at_y = y.reshape(-1, 1, 1) / 2**level + offset_y
        grid = torch.stack([2 * at_x / (wide - 1) - 1, 2 * at_y / (tall - 1) - 1], -1)
        found.append(functional.grid_sample(plane, grid, align_corners=True).view(batch, height, width, -1))
    return torch.cat(found, -1).permute(0, 3, 1, 2).contiguous()


def upsampled(flow: Tensor, mask: Tensor | None) -> Tensor:
    """A coarse flow in pixels, by learnt weights (B, 9 * 64, h, w) of the nine cells around, or bilinear."""
    batch, _, height, width = flow.shape
    if mask is None:
        return CELL * functional.interpolate(flow, scale_factor=CELL, mode="bilinear", align_corners=True)
    weights = mask.view(batch, 1, 9, CELL, CELL, height, width).softmax(2)
    around = functional.unfold(CELL * flow, 3, padding=1).view(batch, 2, 9, 1, 1, height, width)
    found = (weights * around).sum(2).permute(0, 1, 4, 2, 5, 3)
    return found.reshape(batch, 2, CELL * height, CELL * width)
