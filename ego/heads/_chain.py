"""Linear layers one above another, of many settings at once, whose gradients are written out.

Autograd and its calls take longer than the arithmetic of so small a module; settings that read one input are here one
wide product.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ego.heads._base import Tensors
from ego.layers.linear import product


@dataclass(frozen=True)
class Layers:
    """What a module is above its input, by its parameters' names: hidden layers with GELU, and one layer a task.

    `outputs` gives the layer of a task and the shape of its prediction.
    """

    hidden: tuple[str, ...]
    outputs: Mapping[str, tuple[str, tuple[int, ...]]]


class Settling(ABC):
    """A module that first does what it does not learn, and is a chain of layers above, where nothing is drawn."""

    @property
    @abstractmethod
    def chain(self) -> Layers:
        """The layers."""

    @abstractmethod
    def settle(self, features: Tensors, masks: Tensors) -> Tensor:
        """(B, width), what the layers read."""


class Chain:
    """K settings of such layers over weights (K, *shape) by the names of the module's parameters.

    Within it all is (K, numbers, B): products are quickest that way round, and nothing is ever transposed in memory.
    """

    def __init__(self, layers: Layers, weights: Tensors) -> None:
        self._layers, self._weights = layers, weights
        self._inputs: list[Tensor] = []
        self._sums: list[Tensor] = []

    def said(self, rows: Tensor, tasks: Sequence[str]) -> dict[str, Tensor]:
        """{task: (B, *shape, K)} of rows (B, width), laid out (K, *shape, B)."""
        self._inputs, self._sums = [rows], []
        for name in self._layers.hidden:
            self._sums.append(self._above(name, self._inputs[-1]))
            self._inputs.append(functional.gelu(self._sums[-1]))
        found = {}
        for task in tasks:
            name, shape = self._layers.outputs[task]
            found[task] = self._above(name, self._inputs[-1]).permute(2, 1, 0).view(len(rows), *shape, -1)
        return found

    def gradients(self, slopes: Tensors) -> dict[str, Tensor]:
        """{parameter: (K, *shape)} by gradients {task: (B, *shape, K)} of what was said last."""
        found: dict[str, Tensor] = {}
        back: Tensor | None = None
        for task, slope in slopes.items():
            name, shape = self._layers.outputs[task]
            given = slope.flatten(1, len(shape)).permute(2, 1, 0).contiguous()
            self._note(found, name, given, self._inputs[-1])
            if self._layers.hidden:
                below = torch.bmm(self._weights[f"{name}.weight"].transpose(1, 2), given)
                back = below if back is None else back + below
        for place in reversed(range(len(self._layers.hidden))):
            assert back is not None
            name, given = self._layers.hidden[place], torch.ops.aten.gelu_backward(back, self._sums[place])
            self._note(found, name, given, self._inputs[place])
            back = torch.bmm(self._weights[f"{name}.weight"].transpose(1, 2), given) if place else None
        return found

    def _above(self, name: str, rows: Tensor) -> Tensor:
        """(K, out, B) of rows (B, in) that all settings share, or of what is their own, (K, in, B)."""
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"][..., None]
        if rows.ndim == 2:
            return product(weight.flatten(0, 1), rows).view(*weight.shape[:2], -1).add_(bias)
        if len(weight) == 1:
            return product(weight[0], rows[0].T)[None].add_(bias)
        return torch.baddbmm(bias, weight, rows)

    def _note(self, found: dict[str, Tensor], name: str, slope: Tensor, rows: Tensor) -> None:
        """Adds the gradients of one layer, of slopes (K, out, B) and what it read, to what was found."""
        if rows.ndim == 2:
            found[f"{name}.weight"] = product(slope.flatten(0, 1), rows.T).view(*slope.shape[:2], -1)
        elif len(rows) == 1:
            found[f"{name}.weight"] = product(slope[0], rows[0])[None]
        else:
            found[f"{name}.weight"] = torch.bmm(slope, rows.transpose(1, 2))
        found[f"{name}.bias"] = slope.sum(2)
