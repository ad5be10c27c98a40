"""Rows of features as heads take them: what is masked is 0, maps have steps, and two rates become one.

Everything here is (B, N, ...) with a mask (B, N): what a masked row holds never reaches a result.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ego.heads._base import Tensors, steps
from ego.video import Array


def clean(rows: Tensor, mask: Tensor) -> Tensor:
    """Rows as float32, 0 where they are masked."""
    return rows.float().masked_fill(~mask.view(*mask.shape, *(1,) * (rows.ndim - 2)), 0.0)


def traced() -> bool:
    """Whether the module is being written as a program: then nothing may depend on which rows are there.

    What is saved by leaving masked rows out is then computed and set to 0, which in eval mode is the same.
    """
    return torch.compiler.is_exporting()


def map_steps(rows: Tensor, mask: Tensor, array: Array) -> tuple[Tensor, Tensor]:
    """(B, S, C, h, w) maps and (B, S) mask of rows (C, h, w) or (C, T, h, w): S = N * T steps."""
    count, rows = steps(array), clean(rows, mask)
    if len(array.shape) == 4:
        rows = rows.transpose(2, 3).flatten(1, 2)
    return rows, mask.repeat_interleave(count, dim=1)


def vector_steps(rows: Tensor, mask: Tensor, array: Array) -> tuple[Tensor, Tensor]:
    """(B, S, C) vectors and (B, S) mask: maps averaged over places, a row's tokens over themselves."""
    if array.kind == "map" and len(array.shape) > 2:
        found, there = map_steps(rows, mask, array)
        return found.mean(dim=(3, 4)), there
    rows = clean(rows, mask)
    return (rows.mean(dim=2) if array.kind == "tokens" and rows.ndim == 4 else rows.flatten(2)), mask


def tokens(rows: Tensor, mask: Tensor, array: Array) -> tuple[Tensor, Tensor]:
    """(B, tokens, C) of every place and moment of every row, and their mask."""
    rows = clean(rows, mask)
    if array.kind == "map" and len(array.shape) > 2:
        rows = rows.flatten(3).transpose(2, 3)
    elif array.kind != "tokens" or rows.ndim != 4:
        rows = rows.flatten(2)[:, :, None]
    return rows.flatten(1, 2), mask.repeat_interleave(rows.shape[2], dim=1)


class Standard(nn.BatchNorm2d):
    """Brings each channel of steps that are there to mean 0 and deviation 1 over the clips trained on; nothing learnt.

    For networks whose channels have no common scale, such as those with random weights.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=False)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore[override]
        """(B, S, C, h, w) of steps (B, S, C, h, w) and their mask (B, S), 0 where they are not there."""
        if traced():
            return clean(super().forward(x.flatten(0, 1)).view_as(x), mask)
        found = torch.zeros_like(x)
        if bool(mask.any()):
            found[mask] = super().forward(x[mask])
        return found


def mean(x: Tensor, mask: Tensor) -> Tensor:
    """(B, ...) mean of steps (B, S, ...) over those that are there; 0 where none is."""
    shape = (*mask.shape, *(1,) * (x.ndim - 2))
    total = x.masked_fill(~mask.view(shape), 0.0).sum(dim=1)
    return total / mask.sum(dim=1).clamp(min=1).view(-1, *(1,) * (x.ndim - 2))


def in_pieces(mask: Tensor, pieces: int) -> Tensor:
    """(B, pieces, S) the weight of each step in the mean over each of so many equal pieces of those that are there.

    A step counts by the time that it shares with the piece; where none is there all are 0.
    """
    count = mask.sum(dim=1).clamp(min=1)[:, None, None]
    rank = (mask.cumsum(dim=1) - 1)[:, None]
    first = torch.arange(pieces, device=mask.device)[None, :, None]
    both = torch.minimum((rank + 1) / count, (first + 1) / pieces) - torch.maximum(rank / count, first / pieces)
    return both.clamp(min=0) * pieces * mask[:, None]


def in_front(mask: Tensor) -> Tensor:
    """(B, S) places: those that are there first, in their order."""
    places = torch.arange(mask.shape[1], device=mask.device)  # no two alike: programs of ONNX know no stable sort
    return torch.argsort(places + (~mask).to(torch.int64) * mask.shape[1], dim=1)


def aligned(x: Tensor, mask: Tensor, lead: Tensor) -> Tensor:
    """Steps (B, S, ...) at the places of another mask (B, L): for each its like, by its place among those there.

    Both cover the same clip, so step i of n stands where step m * (i + 1/2) / n of m does; 0 where none is there.
    """
    if not traced() and mask.shape == lead.shape and bool((mask == lead).all()):
        return x
    own, count = mask.sum(dim=1, keepdim=True), lead.sum(dim=1, keepdim=True).clamp(min=1)
    rank = lead.long().cumsum(dim=1) - 1
    place = ((2 * rank + 1).clamp(min=0) * own // (2 * count)).clamp(max=mask.shape[1] - 1)
    picked = in_front(mask).gather(1, place)
    found = x[torch.arange(len(x), device=x.device)[:, None], picked]
    return clean(found, lead & (own > 0))


def joined(
    features: Tensors, masks: Tensors, arrays: Mapping[str, Array], names: Sequence[str], of_maps: bool = False
) -> tuple[Tensor, Tensor]:
    """(B, S, C, ...) steps and mask of several features on the steps of the first, their channels side by side."""
    one = map_steps if of_maps else vector_steps
    first, mask = one(features[names[0]], masks[names[0]], arrays[names[0]])
    rest = [one(features[name], masks[name], arrays[name]) for name in names[1:]]
    return torch.cat([first, *(aligned(x, own, mask) for x, own in rest)], dim=2), mask
