"""The module of `motion_segmentation`."""

from collections.abc import Mapping, Sequence
from math import prod

from torch import Tensor, nn

from ego.heads._base import Tensors, slot
from ego.heads._embedding import apart
from ego.heads._rows import Standard, map_steps
from ego.video import Array

BEFORE: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "none": nn.Identity}


class Segmentation(nn.Module):
    """A map (B, C, h, w) -> (B, *shape): a convolution, then a linear layer over all of its places."""

    def __init__(
        self, before: str, after: str, kernel: int, array: Array, channels: int, shape: tuple[int, ...]
    ) -> None:
        super().__init__()
        self._shape = shape
        self.before, self.after = BEFORE[before](), BEFORE[after]()
        self.conv = nn.Conv2d(array.shape[0], channels, kernel, padding=kernel // 2)
        self.fc = nn.Linear(channels * prod(array.shape[-2:]), prod(shape))

    def forward(self, x: Tensor) -> Tensor:
        """Scores before softmax or sigmoid, of each cell."""
        found: Tensor = self.fc(self.after(self.conv(self.before(x))).flatten(1))
        return found.view(-1, *self._shape)


class MotionModule(nn.Module):
    """A `Segmentation` a task over the steps of one feature."""

    def __init__(
        self,
        feature: str,
        array: Array,
        before: str,
        after: str,
        kernel: int,
        channels: int,
        outputs: Mapping[str, tuple[int, ...]],
        standard: bool = False,
    ) -> None:
        super().__init__()
        self.standard = Standard(array.shape[0]) if standard else None
        self._feature, self._array, self.outputs = feature, array, dict(outputs)
        self.layers = apart(outputs, lambda name: Segmentation(before, after, kernel, array, channels, outputs[name]))

    def forward(
        self, features: Tensors, masks: Tensors, tasks: Sequence[str], labels: Tensors | None = None
    ) -> dict[str, Tensor]:
        """(B, S, *shape) of each task asked for."""
        x, mask = map_steps(features[self._feature], masks[self._feature], self._array)
        x = x if self.standard is None else self.standard(x, mask)
        own = [name for name in tasks if name in self.outputs]
        return {name: self.layers[slot(name)](x.flatten(0, 1)).unflatten(0, mask.shape) for name in own}
