"""The module of `stam`."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ego.heads._base import Tensors, slot
from ego.heads._embedding import Embedding
from ego.heads._rows import clean, mean, traced
from ego.layers.inception import Mixed, Unit3d
from ego.video import Array

WIDTHS = (384, 192, 384, 48, 128, 128)
"""Of the inception module, for a map of 1024 channels; others are scaled to theirs."""


class STAMModule(Embedding):
    """An attention map of every row, what it weights averaged, then a linear layer a task.

    Attention is an inception module, `attention_inc`, and one channel of it, `attention_pred`.
    """

    def __init__(
        self,
        name: str,
        array: Array,
        attention: str,
        normalised: bool,
        dropout: float,
        outputs: Mapping[str, tuple[int, ...]],
        heatmaps: Sequence[str],
        standard: bool = False,
    ) -> None:
        channels = array.shape[0]
        super().__init__(channels, dropout, outputs)
        self._name, self._timed = name, len(array.shape) == 4
        self._attention, self._normalised, self._heatmaps = attention, normalised, tuple(heatmaps)
        self.standard = nn.BatchNorm3d(channels, affine=False) if standard else None
        if attention != "none":
            kernel = (3, 3, 3) if self._timed else (1, 3, 3)
            b0, b1a, b1b, b2a, b2b, b3b = (max(1, width * channels // 1024) for width in WIDTHS)
            self.attention_inc = Mixed(channels, (b0, b1a, b1b, b2a, b2b, b3b), kernel)
            self.attention_pred = Unit3d(b0 + b1b + b2b + b3b, 1)

    def raw(self, x: Tensor) -> Tensor:
        """(M, T, h, w) attention before it is brought into [0, 1], of maps (M, C, T, h, w)."""
        found = self.attention_inc(x)
        if self._attention != "sigmoid":
            return self.attention_pred(found)[:, 0]  # type: ignore[no-any-return]
        assert self.attention_pred.bn is not None
        found = self.attention_pred.bn(self.attention_pred.conv3d(found))
        return found[:, 0]  # type: ignore[no-any-return]

    def attend(self, x: Tensor) -> Tensor:
        """(M, T, h, w) attention of maps (M, C, T, h, w)."""
        if self._attention == "none":
            return torch.ones_like(x[:, 0])
        raw = self.raw(x)
        if self._attention == "sigmoid":
            return torch.sigmoid(raw)
        low = raw.amin(dim=(1, 2, 3), keepdim=True)
        if self._attention == "release":
            return raw - low
        span = raw.amax(dim=(1, 2, 3), keepdim=True) - low
        return torch.where(span > 0, (raw - low) / torch.where(span > 0, span, 1.0), 0.0)

    def look(self, features: Tensors, masks: Tensors) -> tuple[Tensor, Tensor]:
        """(B, C) means of what is attended to, and (B, S, h, w) attention; 0 where rows are masked."""
        rows, mask = features[self._name], masks[self._name]
        rows = clean(rows if self._timed else rows[:, :, :, None], mask)
        if traced():
            vectors, weights = self._pool(rows.flatten(0, 1))
            found = mask.float()[:, :, None, None, None] * weights.view(*mask.shape, *weights.shape[1:])
            return mean(vectors.view(*mask.shape, -1), mask), found.flatten(1, 2)
        if not bool(mask.any()):
            return rows[:, 0].mean(dim=(2, 3, 4)), rows[:, :, 0].flatten(1, 2)
        pooled, weights = self._pool(rows[mask])  # a norm's statistics are of what is there
        vectors = rows.new_zeros(*mask.shape, rows.shape[2]).masked_scatter(mask[..., None], pooled.to(rows.dtype))
        maps = rows.new_zeros(*mask.shape, *weights.shape[1:])
        maps = maps.masked_scatter(mask[..., None, None, None], weights.to(rows.dtype))
        return mean(vectors, mask), maps.flatten(1, 2)

    def _pool(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(M, C) means of what is attended to and (M, T, h, w) attention, of maps (M, C, T, h, w)."""
        x = x if self.standard is None else self.standard(x)
        weights = self.attend(x)
        pooled = (weights[:, None] * x).mean(dim=(2, 3, 4))
        if self._normalised:
            pooled = pooled / weights.mean(dim=(1, 2, 3)).clamp(min=1e-6)[:, None]
        return pooled, weights

    def attention_maps(self, features: Tensors, masks: Tensors) -> Tensor | None:
        """(B, S, h, w); without attention None."""
        return None if self._attention == "none" else self.look(features, masks)[1]

    def embed(self, features: Tensors, masks: Tensors) -> Tensor:
        """(B, C) means over rows of what is attended to."""
        return self.look(features, masks)[0]

    def forward(
        self, features: Tensors, masks: Tensors, tasks: Sequence[str], labels: Tensors | None = None
    ) -> dict[str, Tensor]:
        """(B, *shape) scores of the tasks of clips, and (B, S, h, w) the attention for tasks of heat-maps."""
        hidden, maps = self.look(features, masks)
        found = self.scores(hidden, [name for name in tasks if name in self.outputs])
        return found | {name: maps for name in tasks if name in self._heatmaps}


def from_published(found: Mapping[str, Tensor], task: str) -> dict[str, Tensor]:
    """The head's tensors of a STAM file: its attention and the classes of one task."""
    own = {key: x for key, x in found.items() if key.startswith("attention_")}
    own[f"layers.{slot(task)}.weight"] = found["logits.conv3d.weight"].flatten(1)
    own[f"layers.{slot(task)}.bias"] = found["logits.conv3d.bias"]
    return own
