"""Frames cropped, scaled and laid out as somebody's network takes them, and its answer taken apart."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from ego.errors import BadRequest
from ego.extractors._tapped import _autocast, centre_crop


class Scaled(nn.Module):
    """(B, T, H, W, 3) uint8 -> ((bytes * factor) - mean) / std of the centre crop, float32, its axes in an order."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self, size: int, factor: float, mean: Sequence[float], std: Sequence[float], layout: str, bgr: bool = False
    ) -> None:
        super().__init__()
        self._size, self._factor, self._bgr = size, factor, bgr
        self._only = "t" not in layout
        self._order = ["bthwc".index(axis) for axis in layout.replace("b", "bt" if self._only else "b")]
        self.register_buffer("mean", torch.tensor(tuple(mean)), persistent=False)
        self.register_buffer("std", torch.tensor(tuple(std)), persistent=False)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """The network's input."""
        x = centre_crop(frames, self._size, self._size).float() * self._factor
        x = (x.flip(-1) if self._bgr else x).sub(self.mean).div(self.std).permute(self._order)
        return x[:, 0] if self._only else x


class Answered(nn.Module):
    """Frames shown to a network, one of its answers as a row."""

    def __init__(self, model: nn.Module, scaled: Scaled, output: str, precision: str) -> None:
        super().__init__()
        self.model = model
        self._scaled, self._output, self._precision = scaled, output, precision

    def forward(self, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        """{"feature": (B, *shape)}; axes of 1 are dropped where at most one is longer."""
        with _autocast(frames.device.type, self._precision):
            found = chosen(self.model(self._scaled(frames).contiguous()), self._output)
        if not found.ndim or len(found) != len(frames):
            raise BadRequest(
                f"got an answer of shape {tuple(found.shape)} for {len(frames)} windows, expected a row for each; name "
                "another output"
            )
        if sum(side > 1 for side in found.shape[1:]) <= 1:
            found = found.reshape(len(found), -1)
        return {"feature": found.float() if found.is_floating_point() else found}


def chosen(found: Any, output: str) -> torch.Tensor:
    """The tensor called `output` of what a network gave: a key, or a place as a number; "" is the first."""
    if isinstance(found, torch.Tensor) and output in ("", "0"):
        return found
    named = dict(found) if isinstance(found, Mapping) else {}
    if not named and isinstance(found, tuple | list):
        named = {str(place): one for place, one in enumerate(found)}
    tensors = {str(name): one for name, one in named.items() if isinstance(one, torch.Tensor)}
    if output in tensors:
        return tensors[output]
    if output == "" and tensors:
        return next(iter(tensors.values()))
    known = ", ".join(tensors) or ("0" if isinstance(found, torch.Tensor) else "no tensor at all")
    raise BadRequest(f"got output {output!r} of a network that gives {known}; name one of them")
