"""The mean of a clip's rows and one linear layer: the plainest probe of what features know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Literal

import torch
from torch import Tensor, nn

from ego.errors import BadRequest
from ego.heads._base import Head, Tasks, Tensors, slot, wanted
from ego.video import Array


@dataclass(frozen=True)
class Linear(Head):
    """A linear layer for each task over the concatenated means of the named features.

    Rows of a clip are averaged, maps over their positions too. `norm` puts each feature on one
    scale first, with nothing learnt: `layer` by the mean and deviation within each clip, `batch` by
    those of each number over clips (as linear probes of self-supervised networks do).
    """

    norm: Literal["layer", "batch", "none"] = "layer"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.dropout < 1:
            raise BadRequest(f"got linear.dropout = {self.dropout:g}, expected 0 <= dropout < 1")

    def build(self, shapes: Mapping[str, Array], tasks: Tasks) -> nn.Module:
        """The module, on the CPU, freshly initialised from torch's global generator."""
        features = wanted(self, shapes)
        widths = {name: _width(shapes[name]) for name in features}
        return LinearModule(self.norm, self.dropout, widths, {name: task.shape for name, task in tasks.items()})


def _width(array: Array) -> int:
    return array.shape[0] if array.kind == "map" else prod(array.shape)


class LinearModule(nn.Module):
    """Masked mean, norm, dropout and one linear layer a task."""

    def __init__(
        self, norm: str, dropout: float, widths: Mapping[str, int], outputs: Mapping[str, tuple[int, ...]]
    ) -> None:
        super().__init__()
        self._norm = norm
        self._widths = dict(widths)
        self._outputs = dict(outputs)
        self.norms = nn.ModuleDict({slot(name): _scale(norm, width) for name, width in widths.items()})
        self.dropout = nn.Dropout(dropout)
        total = sum(widths.values())
        self.layers = nn.ModuleDict({slot(name): nn.Linear(total, prod(shape)) for name, shape in outputs.items()})

    def forward(
        self, features: Tensors, masks: Tensors, tasks: Sequence[str], labels: Tensors | None = None
    ) -> dict[str, Tensor]:
        """(B, *shape) scores of each task asked for."""
        if self._norm == "batch" and self.training and len(next(iter(masks.values()))) < 2:
            raise BadRequest("got a batch of one clip, head.norm = 'batch' needs two; raise training.batch")
        means = [
            self.norms[slot(name)](masked_mean(features[name].flatten(2), masks[name], width))
            for name, width in self._widths.items()
        ]
        hidden = self.dropout(torch.cat(means, dim=1))
        return {name: self.layers[slot(name)](hidden).unflatten(1, self._outputs[name]) for name in tasks}


def _scale(norm: str, width: int) -> nn.Module:
    """Brings numbers to one scale, with nothing to learn."""
    if norm == "batch":
        return nn.BatchNorm1d(width, affine=False)
    return nn.LayerNorm(width, elementwise_affine=False) if norm == "layer" else nn.Identity()


def masked_mean(rows: Tensor, mask: Tensor, width: int) -> Tensor:
    """(B, width) mean over the rows (B, N, width * positions) whose mask (B, N) is true; 0 where none is.

    Masked rows may hold anything finite.
    """
    shares = mask.float() / mask.sum(dim=1, keepdim=True).clamp(min=1)
    pooled = torch.bmm(shares[:, None], rows.float())[:, 0]
    return pooled.view(len(rows), width, -1).mean(dim=2)
