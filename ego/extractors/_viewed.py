"""The modules that show a network several views of each window and give its rows an axis of views."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from ego.errors import BadRequest
from ego.extractors._views import View


class Viewed(nn.Module):
    """What `inner` makes of every view: (B, T, H, W, 3) uint8 -> `inner` of (B * views, T, size, size, 3) uint8."""

    def __init__(self, inner: nn.Module, views: Sequence[View], size: int) -> None:
        super().__init__()
        self._inner, self._views, self._size = inner, tuple(views), size

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """The views of a window lie side by side."""
        return seen(frames, self._views, self._size, self._inner)


class ViewedFlow(nn.Module):
    """The same of flow in pixels: (B, T, 2, h, w) -> `inner` of (B * views, T, 2, size, size).

    In a mirrored view x runs the other way, and a view that is scaled scales its vectors.
    """

    def __init__(self, inner: nn.Module, views: Sequence[View], size: int) -> None:
        super().__init__()
        self._inner, self._views, self._size = inner, tuple(views), size

    def forward(self, flow: torch.Tensor) -> torch.Tensor:
        """The views of a window lie side by side."""
        if flow.ndim != 5 or flow.shape[2] != 2:
            raise BadRequest(f"got rows of shape {tuple(flow.shape[2:])} as flow, expected fields (2, height, width)")
        cuts = torch.stack([_cut_flow(flow.float(), view, self._size) for view in self._views], 1)
        found: torch.Tensor = self._inner(cuts.flatten(0, 1))
        return found


class Apart(nn.Module):
    """Stored rows (B, views, *shape) one view after the other, as what is restored next wants them."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self._inner = inner

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """What `inner` makes of (B * views, *shape)."""
        found: torch.Tensor = self._inner(rows.flatten(0, 1))
        return found


def seen(
    frames: torch.Tensor, views: Sequence[View], size: int, by: Callable[[torch.Tensor], torch.Tensor]
) -> torch.Tensor:
    """What `by` makes of all views (B * views, T, size, size, 3) of frames (B, T, H, W, 3)."""
    return by(torch.stack([_cut(frames, view, size) for view in views], 1).flatten(0, 1))


def _cut(frames: torch.Tensor, view: View, size: int) -> torch.Tensor:
    left, top, side = view.cut(size, frames.shape[-2], frames.shape[-3])
    square = frames[..., top : top + side, left : left + side, :]
    if side != size:
        square = _resized(square, size)
    return square.flip(-2) if view.flip else square


def _cut_flow(flow: torch.Tensor, view: View, size: int) -> torch.Tensor:
    left, top, side = view.cut(size, flow.shape[-1], flow.shape[-2])
    square = flow[..., top : top + side, left : left + side]
    if side != size:
        fields = square.flatten(0, 1)
        scaled = nn.functional.interpolate(fields, size=(size, size), mode="bilinear", antialias=True)
        square = scaled.reshape(*flow.shape[:3], size, size) * (size / side)
    if not view.flip:
        return square
    return square.flip(-1) * torch.tensor([-1.0, 1.0], device=flow.device)[:, None, None]


def _resized(frames: torch.Tensor, size: int) -> torch.Tensor:
    """Square frames (B, T, s, s, 3) at another size, bilinear over all pixels that fall into one, in whole greys."""
    shape = frames.shape
    planes = frames.flatten(0, 1).permute(0, 3, 1, 2).float()
    scaled = nn.functional.interpolate(planes, size=(size, size), mode="bilinear", antialias=True)
    return scaled.round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).reshape(*shape[:2], size, size, 3)
