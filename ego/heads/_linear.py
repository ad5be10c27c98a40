"""The module of `linear`: masked means side by side, and a linear layer for each task."""

from collections.abc import Mapping, Sequence
from math import prod

import torch
from torch import Tensor, nn

from ego.errors import BadRequest
from ego.heads._base import Tensors, slot
from ego.heads._chain import Layers, Settling
from ego.layers.linear import Linear

MANY = 2**18
"""How many numbers are worth three calls instead of one."""


class LinearModule(nn.Module, Settling):
    """Masked mean, norm, dropout and one linear layer a task."""

    def __init__(
        self, norm: str, dropout: float, widths: Mapping[str, int], outputs: Mapping[str, tuple[int, ...]]
    ) -> None:
        super().__init__()
        self._widths = dict(widths)
        self._outputs = dict(outputs)
        self.norms = nn.ModuleDict({slot(name): scale(norm, width) for name, width in widths.items()})
        self.dropout = nn.Dropout(dropout)
        self.width = sum(widths.values())
        self.layers = nn.ModuleDict({slot(name): Linear(self.width, prod(shape)) for name, shape in outputs.items()})

    @property
    def chain(self) -> Layers:
        """The layers above what `settle` gives."""
        return Layers((), {name: (f"layers.{slot(name)}", shape) for name, shape in self._outputs.items()})

    def forward(
        self, features: Tensors, masks: Tensors, tasks: Sequence[str], labels: Tensors | None = None
    ) -> dict[str, Tensor]:
        """(B, *shape) scores of each task asked for."""
        return self.scores(self.embed(features, masks), tasks)

    def settle(self, features: Tensors, masks: Tensors) -> Tensor:
        """(B, width) the means side by side, each on its scale: what nothing is learnt of."""
        return means(features, masks, self._widths, self.norms)

    def scores(self, hidden: Tensor, tasks: Sequence[str]) -> dict[str, Tensor]:
        """(B, *shape) of the tasks from means (B, width)."""
        hidden = self.dropout(hidden)
        return {name: self.layers[slot(name)](hidden).unflatten(1, self._outputs[name]) for name in tasks}

    def embed(self, features: Tensors, masks: Tensors) -> Tensor:
        """(B, width) what the layers read."""
        return self.settle(features, masks)


class Equal(nn.BatchNorm1d):
    """Numbers at their scale over clips, divided by the root of how many they are: a clip's squares sum to about 1."""

    def forward(self, input: Tensor) -> Tensor:
        """(B, width)."""
        found: Tensor = super().forward(input) / self.num_features**0.5
        return found


class Layer(nn.LayerNorm):
    """Each clip's numbers brought to mean 0 and deviation 1, with nothing to learn.

    On a CPU three passes over many clips are several times as fast as the kernel, which is made for rows that learn.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width, elementwise_affine=False)

    def forward(self, input: Tensor) -> Tensor:
        """(B, width)."""
        plain = torch.compiler.is_compiling() or input.requires_grad or input.device.type != "cpu"
        if plain or input.numel() < MANY:
            return super().forward(input)
        found = input - input.mean(dim=1, keepdim=True)
        lengths = torch.linalg.vector_norm(found, dim=1, keepdim=True)
        return found.mul_((lengths.square() / found.shape[1] + self.eps).rsqrt())


def scale(norm: str, width: int) -> nn.Module:
    """Brings numbers to one scale, with nothing to learn."""
    if norm == "equal":
        return Equal(width, affine=False)
    if norm == "batch":
        return nn.BatchNorm1d(width, affine=False)
    return Layer(width) if norm == "layer" else nn.Identity()


def means(features: Tensors, masks: Tensors, widths: Mapping[str, int], norms: nn.ModuleDict) -> Tensor:
    """(B, width) masked means of the features of these widths side by side, each brought to its scale."""
    found = []
    for name, width in widths.items():
        norm = norms[slot(name)]
        if isinstance(norm, nn.BatchNorm1d) and norm.training and len(masks[name]) < 2:
            raise BadRequest("got a batch of one clip, head.norm = 'batch' needs two; raise training.batch")
        found.append(norm(masked_mean(features[name].flatten(2), masks[name], width)))
    return found[0] if len(found) == 1 else torch.cat(found, dim=1)


def masked_mean(rows: Tensor, mask: Tensor, width: int) -> Tensor:
    """(B, width) mean over the rows (B, N, width * positions) whose mask (B, N) is true; 0 where none is.

    Masked rows may hold anything finite.
    """
    if rows.shape[1] == 1:
        pooled = rows[:, 0].float() if rows.device.type == "cpu" and mask.all() else rows[:, 0].float() * mask
        return pooled if pooled.shape[1] == width else pooled.view(len(rows), width, -1).mean(dim=2)
    shares = mask.float() / mask.sum(dim=1, keepdim=True).clamp(min=1)
    pooled = torch.bmm(shares[:, None], rows.float())[:, 0]
    return pooled.view(rows.shape[0], width, -1).mean(dim=2)
