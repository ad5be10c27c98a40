"""Extractors that hold others and say which of their rows they were given."""

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from ego.extractors._base import Beside, Block, Extractor, Files, Network, Rows, Tracker
from ego.sampling import Window
from ego.video import Array, Picture, Signal

COUNTED: Counter[str] = Counter()
"""How many rows each digest has computed."""
_lock = threading.Lock()
PAIRS = Window(frames=2, edge="drop")


def counted(digest: str, rows: int) -> None:
    with _lock:
        COUNTED[digest] += rows


def _bars(pictures: Any) -> Any:
    import readable

    return [readable.read_number(np.asarray(picture)) for picture in pictures]


@dataclass(frozen=True)
class Steps(Network):
    """Of two frames: the number of the first and of the second, as a map of the picture's size."""

    window: Window = PAIRS
    size: int = 96

    def needs(self) -> dict[str, Picture]:  # type: ignore[override]
        return {"frames": Picture("height", self.size)}

    def rows(self, files: Files) -> dict[str, Array]:
        return {"feature": Array((2, 0, 0), "float16", "flow", compress=True)}

    def build(self, files: Files) -> torch.nn.Module:
        return _Steps(self.digest)


class _Steps(torch.nn.Module):
    def __init__(self, digest: str) -> None:
        super().__init__()
        self._digest = digest

    def forward(self, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        counted(self._digest, len(frames))
        numbers = torch.tensor([_bars(window) for window in frames.cpu()], dtype=torch.float32)
        height, width = frames.shape[2:4]
        return {"feature": numbers[:, :, None, None].expand(-1, -1, height, width)}


@dataclass(frozen=True)
class Beneath(Network):
    """Row beside row: the step of the row and the numbers of its own frames."""

    window: Window = PAIRS
    held: Extractor = Steps()

    def needs(self) -> dict[str, Any]:
        return {"frames": Picture("short", 96), "flow": self.held}

    def rows(self, files: Files) -> dict[str, Array]:
        return {"feature": Array((4,), "float32")}

    def build(self, files: Files) -> torch.nn.Module:
        return _Beneath(self.digest)


class _Beneath(torch.nn.Module):
    def __init__(self, digest: str) -> None:
        super().__init__()
        self._digest = digest

    def forward(self, frames: torch.Tensor, flow: torch.Tensor) -> dict[str, torch.Tensor]:
        counted(self._digest, len(frames))
        numbers = torch.tensor([_bars(window) for window in frames.cpu()], dtype=torch.float32)
        return {"feature": torch.cat([flow[:, :, 0, 0], numbers], dim=1)}


@dataclass(frozen=True)
class Stack(Network):
    """For each frame of its window the first number of the held step: what a flow network sees."""

    window: Window = Window(frames=5, stride=3)
    held: Extractor = Steps()

    def needs(self) -> dict[str, Extractor]:  # type: ignore[override]
        return {"flow": self.held}

    def rows(self, files: Files) -> dict[str, Array]:
        return {"feature": Array((self.window.frames,), "float32")}

    def build(self, files: Files) -> torch.nn.Module:
        return _Stack()


class _Stack(torch.nn.Module):
    def forward(self, flow: torch.Tensor) -> dict[str, torch.Tensor]:
        values = flow if flow.ndim == 2 else flow.reshape(*flow.shape[:2], -1)[:, :, 0]
        return {"feature": values}


@dataclass(frozen=True)
class Follow(Tracker):
    """One row a frame: both numbers of the held row that ends with it, -1 where none does."""

    window: Window = Window()
    held: Extractor = Steps()

    def needs(self) -> dict[str, Any]:
        return {"frames": Picture("short", 96), "flow": self.held}

    def rows(self, files: Files) -> dict[str, Array]:
        return {"feature": Array((2,), "float32")}

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        for block in blocks:
            held = block.held["flow"]
            by_stop = {
                round(stop, 6): values for stop, values in zip(held.time[:, 2], held.arrays["feature"], strict=True)
            }
            said = []
            for stop in block.time[:, 2]:
                values = by_stop.pop(round(stop, 6), None)
                said.append([-1, -1] if values is None else values.reshape(2, -1)[:, 0].tolist())
            assert not by_stop, "rows that end with no frame of the block"
            yield Rows({"feature": np.array(said, np.float32)}, block.time, block.source)


@dataclass(frozen=True)
class Late(Tracker):
    """Each frame's number less the video's mean number: known only at the end."""

    lag_seconds: ClassVar[float | None] = None
    window: Window = Window()

    def needs(self) -> dict[str, Picture]:  # type: ignore[override]
        return {"frames": Picture("short", 96)}

    def rows(self, files: Files) -> dict[str, Array]:
        return {"feature": Array((), "float32")}

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        seen, times, sources = [], [], []
        for block in blocks:
            seen += _bars(block.pictures["frames"])
            times.append(block.time)
            sources.append(block.source)
        counted(self.digest, len(seen))
        numbers = np.array(seen, np.float32)
        yield Rows({"feature": numbers - numbers.mean()}, np.concatenate(times), np.concatenate(sources))


@dataclass(frozen=True)
class Afterwards(Tracker):
    """Without pictures: what it holds, doubled."""

    window: Window = Window()
    held: Extractor = Late()

    def needs(self) -> dict[str, Extractor]:  # type: ignore[override]
        return {"late": self.held}

    def rows(self, files: Files) -> dict[str, Array]:
        return {"feature": Array((), "float32")}

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        for block in blocks:
            held = block.held["late"]
            assert len(held.time) == len(block.time)
            yield Rows({"feature": held.arrays["feature"] * 2}, block.time, block.source)


@dataclass(frozen=True)
class Pictured(Network):
    """With pictures: the frame's number beside what it holds, which comes only at the end."""

    window: Window = Window()
    held: Extractor = Late()

    def needs(self) -> dict[str, Any]:
        return {"frames": Picture("short", 96), "late": self.held}

    def rows(self, files: Files) -> dict[str, Array]:
        return {"feature": Array((2,), "float32")}

    def build(self, files: Files) -> torch.nn.Module:
        return _Pictured()


class _Pictured(torch.nn.Module):
    def forward(self, frames: torch.Tensor, late: torch.Tensor) -> dict[str, torch.Tensor]:
        numbers = torch.tensor([_bars(window) for window in frames.cpu()], dtype=torch.float32)
        return {"feature": torch.stack([numbers[:, 0], late], dim=1)}


@dataclass(frozen=True)
class Taps(Tracker):
    """Without pictures: how many instants of a signal lie in each frame's time."""

    window: Window = Window()

    def needs(self) -> dict[str, Signal]:  # type: ignore[override]
        return {"taps": Signal("taps")}

    def rows(self, files: Files) -> dict[str, Array]:
        return {"feature": Array((), "int32"), "size": Array((2,), "int32")}

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        seconds = beside.signals["taps"].seconds[:, 0]
        for block in blocks:
            found = [int(((seconds >= start) & (seconds < stop)).sum()) for start, _, stop in block.time]
            size = np.tile(np.array([beside.width, beside.height], np.int32), (len(found), 1))
            yield Rows({"feature": np.array(found, np.int32), "size": size}, block.time, block.source)


@dataclass(frozen=True)
class Broken(Tracker):
    """Fails as a tracker may that is shown a bad video."""

    window: Window = Window()

    def needs(self) -> dict[str, Picture]:  # type: ignore[override]
        return {"frames": Picture("short", 96)}

    def rows(self, files: Files) -> dict[str, Array]:
        return {"feature": Array((), "float32")}

    def follow(self, blocks: Iterator[Block], beside: Beside, files: Files, device: str) -> Iterator[Rows]:
        from ego.errors import BadVideo

        next(blocks)
        raise BadVideo("the tracker cannot go on")
        yield  # pragma: no cover
