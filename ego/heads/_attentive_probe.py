"""The module of `attentive_probe`."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ego.heads._base import Tensors, slot
from ego.heads._embedding import Embedding
from ego.heads._rows import tokens
from ego.video import Array


class ProbeModule(Embedding):
    """A learnt query that attends to every token of every feature, and a block's second half."""

    def __init__(
        self,
        arrays: Mapping[str, Array],
        widths: Mapping[str, int],
        width: int,
        heads: int,
        ratio: int,
        dropout: float,
        outputs: Mapping[str, tuple[int, ...]],
    ) -> None:
        super().__init__(width, dropout, outputs)
        self._arrays = dict(arrays)
        self.inputs = nn.ModuleDict({slot(name): _input(own, width) for name, own in widths.items()})
        self._names = tuple(widths)
        self.query = nn.Parameter(torch.zeros(1, 1, width))
        nn.init.trunc_normal_(self.query, std=0.02)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.mixing = nn.Sequential(nn.Linear(width, width * ratio), nn.GELU(), nn.Linear(width * ratio, width))

    def embed(self, features: Tensors, masks: Tensors) -> Tensor:
        """(B, width) what the query finds; a clip of which nothing is there attends to zeros."""
        parts = [
            (self.inputs[slot(name)](rows), there)
            for name in self._names
            for rows, there in [tokens(features[name], masks[name], self._arrays[name])]
        ]
        x, mask = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        x = x * mask[..., None]
        hidden = ~mask & mask.any(dim=1, keepdim=True)
        query = self.query.expand(len(x), -1, -1)
        found = query + self.attention(query, x, x, key_padding_mask=hidden, need_weights=False)[0]
        return (found + self.mixing(self.norm(found)))[:, 0]  # type: ignore[no-any-return]


def _input(own: int, width: int) -> nn.Sequential:
    """A norm, and where widths differ a linear layer."""
    return nn.Sequential(nn.LayerNorm(own), nn.Identity() if own == width else nn.Linear(own, width))
