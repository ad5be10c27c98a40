"""The module of `multitask`."""

from collections.abc import Mapping, Sequence
from math import prod

import torch
from torch import Tensor, nn

from ego.heads._base import Tensors, slot
from ego.heads._embedding import apart
from ego.heads._rows import in_pieces, map_steps, mean, vector_steps
from ego.video import Array


class MultitaskModule(nn.Module):
    """Linear layers a task, `layers`, over means; 1x1 convolutions a task, `points`, over the map of each step."""

    def __init__(
        self,
        arrays: Mapping[str, Array],
        lead: str,
        widths: Mapping[str, int],
        dropout: float,
        clips: Mapping[str, tuple[int, ...]],
        steps: Mapping[str, tuple[int, ...]],
        pieces: int = 0,
    ) -> None:
        super().__init__()
        self._arrays, self._lead, self._names = dict(arrays), lead, tuple(widths)
        self._clips, self._steps, self._pieces = dict(clips), dict(steps), pieces
        self.dropout = nn.Dropout(dropout)
        vectors = [name for name, shape in steps.items() if len(shape) == 1]
        of_maps = [name for name in steps if name not in vectors]
        where = pieces * sum(prod(steps[name][:-2]) for name in of_maps) * prod(arrays[lead].shape[-2:])
        self.layers = apart(clips, lambda name: _linear(sum(widths.values()) + where, prod(clips[name])))
        self.step_layers = apart(vectors, lambda name: _linear(widths[lead], steps[name][0]))
        self.points = apart(of_maps, lambda name: _convolution(widths[lead], prod(steps[name][:-2])))

    def forward(
        self, features: Tensors, masks: Tensors, tasks: Sequence[str], labels: Tensors | None = None
    ) -> dict[str, Tensor]:
        """(B, *shape) of the tasks of clips, (B, S, *shape) of those of steps: maps before any softmax."""
        x, mask = map_steps(features[self._lead], masks[self._lead], self._arrays[self._lead])
        found: dict[str, Tensor] = {}
        if any(name in self._clips for name in tasks):
            parts = [(x.mean(dim=(3, 4)), mask)] + [
                vector_steps(features[name], masks[name], self._arrays[name])
                for name in self._names
                if name != self._lead
            ]
            seen = [mean(*part) for part in parts] + (self._where(x, mask) if self._pieces else [])
            hidden = self.dropout(torch.cat(seen, dim=1))
            for name in tasks:
                if name in self._clips:
                    found[name] = self.layers[slot(name)](hidden).unflatten(1, self._clips[name])
        for name in tasks:
            if slot(name) in self.points:
                cells = self.points[slot(name)](x.flatten(0, 1)).unflatten(0, mask.shape)
                found[name] = cells if len(self._steps[name]) == 3 else cells[:, :, 0]
            elif name in self._steps:
                found[name] = self.step_layers[slot(name)](self.dropout(x.mean(dim=(3, 4))))
        return found

    def _where(self, x: Tensor, mask: Tensor) -> list[Tensor]:
        """(B, pieces * L * h * w) for each task of points: how much likelier than at random each is in each cell."""
        share, cells = in_pieces(mask, self._pieces), x.shape[-2] * x.shape[-1]
        maps = [layer(x.flatten(0, 1)).flatten(2).softmax(2).unflatten(0, mask.shape) for layer in self.points.values()]
        return [torch.einsum("bps,bslc->bplc", share, one * cells).flatten(1) for one in maps]


def _linear(width: int, out: int) -> nn.Linear:
    """Xavier-uniform weights, bias 0."""
    layer = nn.Linear(width, out)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def _convolution(width: int, out: int) -> nn.Conv2d:
    layer = nn.Conv2d(width, out, 1, bias=False)
    nn.init.xavier_uniform_(layer.weight)
    return layer


def from_published(found: Mapping[str, Tensor], clips: Sequence[str], points: Mapping[str, int]) -> dict[str, Tensor]:
    """The head's tensors of a multi-output MFNet file.

    `clips` are the tasks in the file's order (action, verb, noun), `points` how many points each task of points has,
    in the file's order (gaze, left, right).
    """
    own = {
        f"layers.{slot(name)}.{part}": found[f"classifier_list.classifier_list.{place}.{part}"]
        for place, name in enumerate(clips)
        for part in ("weight", "bias")
    }
    if points:
        rows = found["coord_layers.hm_conv.weight"].flatten(2)[..., None]
        for name, part in zip(points, torch.split(rows, list(points.values())), strict=True):
            own[f"points.{slot(name)}.weight"] = part
    return own
