"""Noise in the place of what an extractor is shown, for a run of one window without a video."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.extractors._base import Block, Extractor, Files, Network, Rows, Tracker
from ego.video import Array, Picture, Sound

FRAME = (340, 256)
"""Width and height in pixels of the upright frame that is drawn."""
FRAMES, FPS = 8, 25.0
"""What a tracker is shown."""
BOX = (0.25, 0.25, 0.75, 0.75)


def window(extractor: Network, files: Files) -> dict[str, torch.Tensor]:
    """One window of noise for each need, as `Network.build` says."""
    random = np.random.Generator(np.random.PCG64(0))
    shown = {}
    for need, one in extractor.needs().items():
        if isinstance(one, Picture):
            shown[need] = torch.from_numpy(_pictures(random, one, extractor.window.frames)[None])
        elif isinstance(one, Sound):
            samples = round(extractor.window.span / (extractor.window.fps or 1) * one.rate)
            shown[need] = torch.from_numpy(random.normal(0, 0.1, (1, samples))).float()
        elif isinstance(one, Extractor):
            before = (1,) if one.window == extractor.window else (1, extractor.window.frames)
            arrays = {name: array.sized(*_size(one)) for name, array in one.rows(files).items()}
            shown |= {
                need if name == "feature" else f"{need}_{name}": torch.randn(*before, *array.shape)
                for name, array in arrays.items()
            }
        else:
            raise BadRequest(f"{extractor.name} needs {need}, which cannot be drawn; extract a video with it instead")
    return shown


def block(tracker: Tracker, files: Files) -> Block:
    """A few frames of noise for a tracker, with one row for each frame of those it holds: one box, the same track."""
    random = np.random.Generator(np.random.PCG64(0))
    needs = tracker.needs()
    pictures = {need: _pictures(random, one, FRAMES) for need, one in needs.items() if isinstance(one, Picture)}
    held = {need: _held(random, one, files) for need, one in needs.items() if isinstance(one, Extractor)}
    return Block(pictures, _times(FRAMES, FPS), _sources(FRAMES), held)


def _held(random: np.random.Generator, held: Extractor, files: Files) -> Rows:
    """Rows side by side over the same seconds."""
    fps = held.window.fps / held.window.span if held.window.fps else FPS
    count = int(np.ceil(FRAMES / FPS * fps))
    arrays = {name: _rows(random, array.sized(*_size(held)), count) for name, array in held.rows(files).items()}
    return Rows(arrays, _times(count, fps), _sources(count))


def _rows(random: np.random.Generator, array: Array, count: int) -> NDArray[Any]:
    if array.kind == "boxes":
        return np.broadcast_to(np.array(BOX, np.float32), (count, *array.shape)).copy()
    if array.dtype.startswith("float") or array.scale != 1:
        return random.normal(0, 0.1, (count, *array.shape)).astype(np.float32)
    return np.zeros((count, *array.shape), array.dtype)


def _pictures(random: np.random.Generator, picture: Picture, frames: int) -> NDArray[np.uint8]:
    width, height = picture.pixels(*FRAME)
    return random.integers(0, 256, (frames, height, width, 3), np.uint8)


def _size(extractor: Extractor) -> tuple[int, int]:
    """(height, width) of its picture."""
    needs: Mapping[str, Any] = extractor.needs()
    width, height = next((one.pixels(*FRAME) for one in needs.values() if isinstance(one, Picture)), FRAME)
    return height, width


def _times(count: int, fps: float) -> NDArray[np.float64]:
    starts = np.arange(count) / fps
    return np.stack([starts, starts + 0.5 / fps, starts + 1 / fps], axis=1)


def _sources(count: int) -> NDArray[np.int64]:
    return np.stack([np.arange(count, dtype=np.int64)] * 4, axis=1)
