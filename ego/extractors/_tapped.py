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
        need: str | tuple[str, ...] = "frames",
    ) -> None:
        super().__init__()
        self.model = model
        self._prepare, self._taps, self._arrange, self._precision = prepare, taps, arrange, precision
        self._need = need
        channels_last(model)

    def forward(self, *rows: torch.Tensor, **shown: torch.Tensor) -> dict[str, torch.Tensor]:
        """{array: (B, *shape) float32} of what it is shown under its need's name, or of stored rows."""
        needs = (self._need,) if isinstance(self._need, str) else self._need
        given = rows or tuple(shown[need] for need in needs)
        with _autocast(given[0].device.type, self._precision):
            found = self.model(self._prepare(*given), tuple(self._taps))
        return {name: self._arrange(found[tap]).float() for tap, name in self._taps.items()}


class Restored(nn.Module):
    """Stored rows back in the network's own arrangement, in float32, with the channels of maps last in memory."""

    def __init__(self, restore: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self._restore = restore

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """(B, *shape) -> (B, C, ...)."""
        x = self._restore(rows.float())
        if x.ndim < 4:
            return x
        return x.contiguous(memory_format=torch.channels_last if x.ndim == 4 else torch.channels_last_3d)


class Moment(nn.Module):
    """The only tap of a network at one moment, of the frames that it comes of: `model.moment` computes it."""

    def __init__(self, whole: Tapped) -> None:
        super().__init__()
        self.whole = whole

    def forward(self, frames: torch.Tensor, there: torch.Tensor) -> dict[str, torch.Tensor]:
        """{"feature": (B, *shape) float32}; frames not `there` (B, T) are zeros to the network, as padding is."""
        x = self.whole._prepare(frames)
        x = x * there.repeat_interleave(len(x) // len(there), 0)[:, None, :, None, None]
        with _autocast(frames.device.type, self.whole._precision):
            moment: torch.Tensor = self.whole.model.moment(x)  # type: ignore[operator]
        return {"feature": self.whole._arrange(moment).float()}


class InTime(nn.Module):
    """Maps of single moments, one after the other in time, through what lies above them."""

    def __init__(self, above: nn.Module) -> None:
        super().__init__()
        self.above = above

    def forward(self, feature: torch.Tensor) -> dict[str, torch.Tensor]:
        """(B, T, ..., C, 1, h, w) -> what is above (B, ..., C, T, h, w)."""
        found: dict[str, torch.Tensor] = self.above(feature.squeeze(-3).movedim(1, -3))
        return found


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


class Flow(nn.Module):
    """A centre crop of flow, cut and scaled: (B, T, 2, h, w) in pixels -> (B, 2, T, size, size) in [-1, 1]."""

    def __init__(self, size: int, bound_pixels: float) -> None:
        super().__init__()
        self._size, self._bound = size, bound_pixels

    def forward(self, flow: torch.Tensor) -> torch.Tensor:
        """The network's input, x before y."""
        if flow.ndim != 5 or flow.shape[2] != 2:
            raise BadRequest(f"got rows of shape {tuple(flow.shape[2:])} as flow, expected fields (2, height, width)")
        cropped = centre_crop(flow.movedim(2, 4), self._size, self._size).float()
        return cropped.clamp(-self._bound, self._bound).div_(self._bound).permute(0, 4, 1, 2, 3)


class Stacked(nn.Module):
    """Flow in [-1, 1] as grey pictures, normalised: (B, 2, T, H, W) -> (B, 2 * T, H, W), x1, y1, x2, y2 ..."""

    def __init__(self, mean: float, std: float) -> None:
        super().__init__()
        self._mean, self._std = mean, std

    def forward(self, flow: torch.Tensor) -> torch.Tensor:
        """(v - mean) / std of v = (flow + 1) / 2."""
        grey = flow.transpose(1, 2).flatten(1, 2) / 2 + 0.5
        return (grey - self._mean) / self._std


class Beside(nn.Module):
    """Two inputs, each prepared, their channels side by side."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self._first, self._second = first, second

    def forward(self, first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
        """(B, C + D, H, W)."""
        return torch.cat([self._first(first), self._second(second)], dim=1)


class OnlyFrame(nn.Module):
    """(B, 3, 1, H, W) -> (B, 3, H, W)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The one frame of each clip."""
        return x[:, :, 0]


def channels_last(model: nn.Module) -> None:
    """Lays the weights of ungrouped convolutions out as pictures lie in memory: they are computed fastest so."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Conv3d) and module.groups == 1:
            layout = torch.channels_last if isinstance(module, nn.Conv2d) else torch.channels_last_3d
            module.weight.data = module.weight.data.contiguous(memory_format=layout)


def centre_crop(frames: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """The centre `height` x `width` of frames (..., H, W, C); a smaller picture is a BadRequest."""
    tall, wide = frames.shape[-3:-1]
    if tall < height or wide < width:
        raise BadRequest(f"got pictures of {wide}x{tall} pixels, expected at least {width}x{height}; ask a larger one")
    top, left = (tall - height) // 2, (wide - width) // 2
    return frames[..., top : top + height, left : left + width, :]


def _autocast(device: str, precision: str) -> AbstractContextManager[None]:
    dtype = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision)
    return torch.autocast(device, dtype=dtype, enabled=dtype is not None)
