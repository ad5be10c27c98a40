"""The module of `mlp`."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ego.errors import BadRequest
from ego.heads._base import Tensors, slot
from ego.heads._embedding import Embedding
from ego.heads._linear import masked_mean, scale
from ego.layers.linear import Linear


class MLPModule(Embedding):
    """Masked means side by side, each on its scale, through hidden layers, then a linear layer a task."""

    def __init__(
        self,
        norm: str,
        hidden: Sequence[int],
        dropout: float,
        widths: Mapping[str, int],
        outputs: Mapping[str, tuple[int, ...]],
    ) -> None:
        super().__init__(hidden[-1], dropout, outputs)
        self._norm, self._widths = norm, dict(widths)
        self.norms = nn.ModuleDict({slot(name): scale(norm, width) for name, width in widths.items()})
        sizes = (sum(widths.values()), *hidden)
        self.hidden = nn.Sequential()
        for before, after in pairwise(sizes):
            if len(self.hidden):
                self.hidden.append(nn.Dropout(dropout))
            self.hidden.extend([Linear(before, after), nn.GELU()])

    def embed(self, features: Tensors, masks: Tensors) -> Tensor:
        """(B, width) what the last hidden layer says."""
        if self._norm == "batch" and self.training and len(next(iter(masks.values()))) < 2:
            raise BadRequest("got a batch of one clip, head.norm = 'batch' needs two; raise training.batch")
        means = [
            self.norms[slot(name)](masked_mean(features[name].flatten(2), masks[name], width))
            for name, width in self._widths.items()
        ]
        found: Tensor = self.hidden(torch.cat(means, dim=1))
        return found
