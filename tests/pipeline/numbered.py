"""Extractors that say which frames they saw, so that a test knows which frames arrived."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import readable
import torch

from ego.extractors._base import Beside, Block, Files, Network, Rows, Tracker
from ego.sampling import Window
from ego.video import Array, Picture


@dataclass(frozen=True)
class Numbers(Network):
    """Each row holds the numbers of its frames, -1 where one cannot be read."""

    window: Window = Window()
    size: int = 96
    fault: int = -2
    """Where this number is seen the row holds infinity."""

    def needs(self) -> dict[str, Picture]:  # type: ignore[override]
        return {"frames": Picture("short", self.size)}

    def rows(self, files: Files) -> dict[str, Array]:
        return {"feature": Array((self.window.frames,), "float32"), "count": Array((), "int32")}

    def build(self, files: Files) -> torch.nn.Module:
        return _Reader(self.fault)


class _Reader(torch.nn.Module):
    def __init__(self, fault: int) -> None:
        super().__init__()
        self._fault = fault

    def forward(self, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        said = [[_number(picture.numpy()) for picture in window] for window in frames.cpu()]
        numbers = torch.tensor(said, dtype=torch.float32)
        numbers[numbers == self._fault] = torch.inf
        return {"feature": numbers, "count": torch.full((len(frames),), frames.shape[1], dtype=torch.int32)}


@dataclass(frozen=True)
class Walk(Tracker):
    """Each row holds a frame's number and the one before it: only in-order frames make it right."""

    lag_seconds: ClassVar[float | None] = 0.0
    window: Window = Window()
    stop_at: int = -2

    def needs(self) -> dict[str, Picture]:  # type: ignore[override]
        return {"frames": Picture("native", 0)}

    def rows(self, files: Files) -> dict[str, Array]:
        return {"feature": Array((2,), "int16", scale=0.5)}

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        before = -1
        for block in blocks:
            numbers = [_number(picture) for picture in block.pictures["frames"]]
            if self.stop_at in numbers:
                raise ZeroDivisionError("a bug in a tracker")
            pairs = np.array(list(zip(numbers, [before, *numbers[:-1]], strict=True)), np.float32)
            before = numbers[-1]
            yield Rows({"feature": pairs}, block.time, block.source)


def _number(picture: np.ndarray) -> int:
    number = readable.read_number(picture)
    return -1 if number is None else number
