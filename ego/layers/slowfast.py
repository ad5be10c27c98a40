"""The residual video networks of PySlowFast: one pathway or two (Feichtenhofer et al. 2019), with its key names.

Tensors are (B, C, T, H, W). Two pathways leave and enter as one map: the slow one's channels first,
then the fast one's with the frames that stand beside each slow frame folded into its channels.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from ego.layers.slowfast_plan import ALPHA, BETA, BLOCKS, KERNELS, PATHWAYS, STAGES, STEM, STEPS, WIDTHS, Arch

Maps = list[torch.Tensor]
Heads = Mapping[str, int]
"""Classes of each classifier by its key in the file: `projection`, or `projections.0`, `projections.1` ..."""


class Transform(nn.Module):
    """The residual of a bottleneck: Tx1x1, 1x3x3 (which carries the stride in space) and 1x1x1 convolutions."""

    def __init__(self, channels: int, out: int, frames: int, stride: int) -> None:
        super().__init__()
        inner = out // 4
        self.a = nn.Conv3d(channels, inner, (frames, 1, 1), padding=(frames // 2, 0, 0), bias=False)
        self.a_bn = nn.BatchNorm3d(inner)
        self.b = nn.Conv3d(inner, inner, (1, 3, 3), (1, stride, stride), (0, 1, 1), bias=False)
        self.b_bn = nn.BatchNorm3d(inner)
        self.c = nn.Conv3d(inner, out, 1, bias=False)
        self.c_bn = nn.BatchNorm3d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The residual, before the sum."""
        x = torch.relu(self.a_bn(self.a(x)))
        x = torch.relu(self.b_bn(self.b(x)))
        out: torch.Tensor = self.c_bn(self.c(x))
        return out


class Block(nn.Module):
    """A bottleneck with its shortcut: a 1x1x1 convolution where width or stride change, else the identity."""

    def __init__(self, channels: int, out: int, frames: int, stride: int) -> None:
        super().__init__()
        self.branch1, self.branch1_bn = None, None
        if channels != out or stride != 1:
            self.branch1 = nn.Conv3d(channels, out, 1, (1, stride, stride), bias=False)
            self.branch1_bn = nn.BatchNorm3d(out)
        self.branch2 = Transform(channels, out, frames, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, channels, T, H, W) -> (B, out, T, H / stride, W / stride), after the sum and its ReLU."""
        shortcut = x if self.branch1 is None or self.branch1_bn is None else self.branch1_bn(self.branch1(x))
        return torch.relu(shortcut + self.branch2(x))


class Stem(nn.Module):
    """A pathway's first convolution, 7x7 in space with stride 2, and its pooling."""

    def __init__(self, out: int, frames: int) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, out, (frames, 7, 7), (1, 2, 2), (frames // 2, 3, 3), bias=False)
        self.bn = nn.BatchNorm3d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 3, T, H, W) -> (B, out, T, H / 4, W / 4)."""
        return F.max_pool3d(torch.relu(self.bn(self.conv(x))), (1, 3, 3), (1, 2, 2), (0, 1, 1))


class Lateral(nn.Module):
    """From the fast pathway to the slow one: a convolution over time whose stride leaves the slow frames."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.conv_f2s = nn.Conv3d(
            channels, channels * 2, (frames, 1, 1), (ALPHA, 1, 1), (frames // 2, 0, 0), bias=False
        )
        self.bn = nn.BatchNorm3d(channels * 2)

    def forward(self, maps: Maps) -> Maps:
        """[slow, fast] -> [slow with the fast's channels behind its own, fast]."""
        slow, fast = maps
        return [torch.cat([slow, torch.relu(self.bn(self.conv_f2s(fast)))], dim=1), fast]


class Pathways(nn.Module):
    """One module a pathway and block, by PySlowFast's names; the pathways do not meet in it."""

    def __init__(self, pathways: Sequence[Mapping[str, nn.Module]]) -> None:
        super().__init__()
        self._names = [[f"pathway{i}_{name}" for name in modules] for i, modules in enumerate(pathways)]
        for names, modules in zip(self._names, pathways, strict=True):
            for name, module in zip(names, modules.values(), strict=True):
                self.add_module(name, module)

    def forward(self, maps: Maps) -> Maps:
        """Each pathway's blocks, in turn."""
        found = []
        for names, x in zip(self._names, maps, strict=True):
            for name in names:
                x = self.get_submodule(name)(x)
            found.append(x)
        return found


class Classifiers(nn.Module):
    """Linear classifiers over one feature, side by side."""

    def __init__(self, width: int, heads: Heads) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.5)
        if "projection" in heads:
            self.projection = nn.Linear(width, heads["projection"])
        else:
            self.projections = nn.ModuleList(nn.Linear(width, classes) for classes in heads.values())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., width) -> (..., classes of all heads)."""
        x = self.dropout(x)
        heads = [self.projection] if hasattr(self, "projection") else self.projections
        return torch.cat([head(x) for head in heads], dim=-1)


class Trunk(nn.Module, ABC):
    """`stem` and `res2` to `res5` of one pathway or two, from the clip or from above one of them.

    forward((B, 3, T, H, W), or the map of `after`) gives the wanted taps by name. `slow` are the frames of
    the clip that a slow pathway sees, `lateral` the frames that a lateral connection sees.
    """

    def __init__(
        self, arch: Arch, depth: int, after: str | None = None, slow: Sequence[int] = (), lateral: int = 5
    ) -> None:
        super().__init__()
        self._arch, self._slow, self._after = arch, list(slow), after
        self._steps = STEPS if after is None else STEPS[STEPS.index(after) + 1 :] if after in STEPS else ()
        names = PATHWAYS[arch]
        narrower = (1, BETA)
        if "stem" in self._steps:
            stems = [{"stem": Stem(STEM // narrower[i], KERNELS[name][0])} for i, name in enumerate(names)]
            self.s1 = Pathways(stems)
        for place, (step, out) in enumerate(zip(STAGES, WIDTHS, strict=True)):
            if step not in self._steps:
                continue
            before = WIDTHS[place - 1] if place else STEM
            widths = [before]
            if len(names) > 1:
                self.add_module(f"s{place + 1}_fuse", Lateral(before // BETA, lateral))
                widths = [before + 2 * (before // BETA), before // BETA]
            blocks = [
                stage(widths[i], out // narrower[i], KERNELS[name][1][place], depth, place)
                for i, name in enumerate(names)
            ]
            self.add_module(f"s{place + 2}", Pathways(blocks))

    def forward(self, x: torch.Tensor, taps: Sequence[str]) -> dict[str, torch.Tensor]:
        """The wanted taps by name; nothing above the highest of them is computed."""
        if self._after is not None and self._after not in STEPS:
            return _picked(self.top({self._after: x}, taps), taps)
        found: dict[str, torch.Tensor] = {}
        maps = self._split(x)
        for step in self._steps:
            maps = self._step(step, maps)
            if step in taps:
                found[step] = self._join(maps)
            if len(found) == len(taps):
                return found
        return found | _picked(self.top(self.tokens(maps), taps), taps)

    @abstractmethod
    def tokens(self, maps: Maps) -> dict[str, torch.Tensor]:
        """The tokens of the maps of `res5`, by tap."""

    @abstractmethod
    def top(self, known: dict[str, torch.Tensor], taps: Sequence[str]) -> dict[str, torch.Tensor]:
        """`known`, which is the tokens or `pool`, and what lies above it as far as `taps` ask."""

    def _step(self, step: str, maps: Maps) -> Maps:
        if step != "stem" and len(maps) > 1:
            maps = self.get_submodule(f"s{STAGES.index(step) + 1}_fuse")(maps)
        if step == "res3" and self._arch == "i3d":
            maps = [F.max_pool3d(maps[0], (2, 1, 1))]
        place = 1 if step == "stem" else STAGES.index(step) + 2
        found: Maps = self.get_submodule(f"s{place}")(maps)
        return found

    def _split(self, x: torch.Tensor) -> Maps:
        if len(PATHWAYS[self._arch]) == 1:
            return [x]
        if self._after is None:
            return [x[:, :, self._slow], x]
        wide = x.shape[1] * BETA // (BETA + ALPHA)
        batch, _, frames, *sides = x.shape
        fast = x[:, wide:].reshape(batch, -1, ALPHA, frames, *sides)
        return [x[:, :wide], fast.movedim(2, 3).flatten(2, 3)]

    def _join(self, maps: Maps) -> torch.Tensor:
        if len(maps) == 1:
            return maps[0]
        slow, fast = maps
        batch, channels, frames, *sides = fast.shape
        beside = fast.reshape(batch, channels, frames // ALPHA, ALPHA, *sides)
        return torch.cat([slow, beside.movedim(3, 2).flatten(1, 2)], dim=1)


def stage(channels: int, out: int, kernels: Sequence[int], depth: int, place: int) -> dict[str, nn.Module]:
    """The blocks of a pathway's stage; only the first has a stride and changes the width."""
    return {
        f"res{i}": Block(channels if i == 0 else out, out, kernels[i % len(kernels)], 2 if i == 0 and place else 1)
        for i in range(BLOCKS[depth][place])
    }


class SlowFast(Trunk):
    """One pathway or two, a mean over space and time, and a linear classifier.

    Above `res5`: `tokens` (B, C, T), for two pathways `tokens_slow` and `tokens_fast`, `pool` (B, C) and
    `logits`. Without `heads` it has no classifier.
    """

    def __init__(
        self,
        arch: Arch,
        depth: int,
        heads: Heads,
        after: str | None = None,
        slow: Sequence[int] = (),
        lateral: int = 5,
    ) -> None:
        super().__init__(arch, depth, after, slow, lateral)
        two = len(PATHWAYS[arch]) > 1
        if heads:
            self.head = Classifiers(WIDTHS[-1] + (WIDTHS[-1] // BETA if two else 0), heads)

    def tokens(self, maps: Maps) -> dict[str, torch.Tensor]:
        """Each pathway's mean over space: (B, C, T)."""
        names = ("tokens",) if len(maps) == 1 else ("tokens_slow", "tokens_fast")
        return {name: one.mean(dim=(3, 4)) for name, one in zip(names, maps, strict=True)}

    def top(self, known: dict[str, torch.Tensor], taps: Sequence[str]) -> dict[str, torch.Tensor]:
        """Means over time and logits too."""
        if "pool" not in known:
            known = known | {"pool": torch.cat([one.mean(dim=2) for one in known.values()], dim=1)}
        return known | {"logits": self.head(known["pool"])} if "logits" in taps else known


def _picked(found: dict[str, torch.Tensor], taps: Sequence[str]) -> dict[str, torch.Tensor]:
    return {tap: found[tap] for tap in taps if tap in found}
