"""The modules around a backbone: a centre crop goes in, the wanted end points come out as rows."""

from collections.abc import Callable
from contextlib import AbstractContextManager

import torch
from torch import nn

from ego.errors import BadRequest


class Tapped(nn.Module):
    """A prepared input through a network, its end points arranged as rows; trainable."""

    def __init__(
        self,
        model: nn.Module,
        prepare: nn.Module,
        taps: dict[str, str],
        arrange: Callable[[torch.Tensor], torch.Tensor],
        precision: str,
    ) -> None:
        super().__init__()
        self.model = model
        self._prepare, self._taps, self._arrange, self._precision = prepare, taps, arrange, precision

    def forward(self, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        """{array: (B, *shape) float32} of frames (B, T, H, W, 3) uint8, or of stored rows."""
        with _autocast(frames.device.type, self._precision):
            found = self.model(self._prepare(frames), tuple(self._taps))
        return {name: self._arrange(found[tap]).float() for tap, name in self._taps.items()}


class Restored(nn.Module):
    """Stored rows back in the network's own arrangement, in float32."""

    def __init__(self, restore: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self._restore = restore

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(B, *shape) -> (B, C, ...)."""
        return self._restore(rows.float())


class Normalise(nn.Module):
    """A centre crop, scaled: (B, T, H, W, 3) uint8 -> (B, 3, T, size, size), ((x / white) - mean) / std in float32."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self, size: int, mean: tuple[float, float, float], std: tuple[float, float, float], white: float = 255.0
    ) -> None:
        super().__init__()
        self._size, self._white = size, white
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """The network's input; channels lie last in memory, as in the frames."""
        x = centre_crop(frames, self._size, self._size).float().div_(self._white)
        return x.sub_(self.mean).div_(self.std).permute(0, 4, 1, 2, 3)


class OnlyFrame(nn.Module):
    """(B, 3, 1, H, W) -> (B, 3, H, W)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The one frame of each clip."""
        return x[:, :, 0]


def centre_crop(frames: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The centre `height` x `width` of frames (..., H, W, 3); a smaller picture is a BadRequest."""
    tall, wide = frames.shape[-3:-1]
    if tall < height or wide < width:
        raise BadRequest(f"got pictures of {wide}x{tall} pixels, expected at least {width}x{height}; ask a larger one")
    top, left = (tall - height) // 2, (wide - width) // 2
    return frames[..., top : top + height, left : left + width, :]


def _autocast(device: str, precision: str) -> AbstractContextManager[None]:
    dtype = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision)
    return torch.autocast(device, dtype=dtype, enabled=dtype is not None)
