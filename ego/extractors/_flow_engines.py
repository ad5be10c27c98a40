"""The modules that compute flow: our own TV-L1, and OpenCV's methods one pair at a time."""

from collections.abc import Callable
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ego.errors import BadVideo
from ego.layers import tvl1

GREY = (0.299, 0.587, 0.114)


class Method(Protocol):
    """A method of OpenCV with its settings."""

    def calc(self, first: Any, second: Any, flow: Any, /) -> Any:
        """(H, W, 2) flow from one grey picture to another."""


class Bounded(nn.Module):
    """An engine's flow under its name, cut at +- `bound` pixels where there is one."""

    def __init__(self, engine: nn.Module, bound: float | None) -> None:
        super().__init__()
        self.engine, self._bound = engine, bound

    def forward(self, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        """{"feature": (B, 2, H, W)}."""
        found: torch.Tensor = self.engine(frames)
        return {"feature": found if self._bound is None else found.clamp(-self._bound, self._bound)}


class TVL1Engine(nn.Module):
    """TV-L1 with these constants, on the device the frames are on."""

    def __init__(self, constants: tvl1.Constants) -> None:
        super().__init__()
        self._constants = constants

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """(B, 2, H, W, 3) uint8 -> (B, 2, H, W)."""
        shades = grey(frames)
        return tvl1.flow(shades[:, 0], shades[:, 1], self._constants)


class RAFTEngine(nn.Module):
    """A network of two pictures in colour."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """(B, 2, H, W, 3) uint8 -> (B, 2, H, W)."""
        colours = frames.permute(1, 0, 4, 2, 3).float()
        found: torch.Tensor = self.model(colours[0], colours[1])
        return found


class OpenCVEngine(nn.Module):
    """A method of OpenCV, in one thread, made anew for each batch: its objects keep state and must not be shared."""

    def __init__(self, make: Callable[[], Method]) -> None:
        super().__init__()
        self._make = make

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """(B, 2, H, W, 3) uint8 -> (B, 2, H, W)."""
        cv2.setNumThreads(1)  # stripes for threads would change the numbers with the machine
        method = self._make()
        shades = grey(frames).round_().to(torch.uint8).cpu().numpy()
        try:
            flows = [np.asarray(method.calc(first, second, None)) for first, second in shades]
        except cv2.error as error:
            height, width = shades.shape[2:]
            raise BadVideo(f"OpenCV finds no flow in pictures of {width}x{height} pixels: {error.err}") from error
        found = np.stack(flows) if flows else np.empty((0, *shades.shape[2:], 2), np.float32)
        return torch.from_numpy(np.ascontiguousarray(found.transpose(0, 3, 1, 2), np.float32)).to(frames.device)


class Farneback:
    """`cv2.calcOpticalFlowFarneback` with its settings."""

    def __init__(self, *settings: float) -> None:
        self._settings = settings

    def calc(self, first: NDArray[np.uint8], second: NDArray[np.uint8], flow: Any, /) -> Any:
        """(H, W, 2)."""
        return cv2.calcOpticalFlowFarneback(first, second, flow, *self._settings)  # type: ignore[call-overload]


def grey(frames: torch.Tensor) -> torch.Tensor:
    """(..., 3) red, green and blue -> (...) float32 of 0 to 255 (ITU-R BT.601)."""
    red, green, blue = (frames[..., i].float() for i in range(3))
    return red.mul_(GREY[0]).add_(green, alpha=GREY[1]).add_(blue, alpha=GREY[2])
