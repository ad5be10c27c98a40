"""The module around an image model: frames are cropped, scaled to what its file takes, and its tensor arranged."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ego.extractors._graph import Engine, Graph, Input, Layout, Scaling, quantise
from ego.extractors._tapped import centre_crop

IMAGENET = (np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32))


class Seen(nn.Module):
    """Frames cropped, scaled and shown to the model."""

    def __init__(self, graph: Graph, output: str, size: tuple[int, int], scaling: Scaling, bgr: bool) -> None:
        super().__init__()
        self._height, self._width = graph.size(size)
        self._input, self._bgr, self._scaling = graph.input, bgr, scaling
        self._engine: Engine = graph.engine(output or graph.feature, self._height, self._width)

    def forward(self, frames: torch.Tensor) -> dict[str, torch.Tensor]:
        """{"feature": (B, *shape)} on the frames' device."""
        pictures = centre_crop(frames[:, 0], self._height, self._width).cpu().numpy()
        if self._bgr:
            pictures = pictures[..., ::-1]
        shown = scaled(pictures, self._scaling, self._input)
        if self._input.layout == "nchw":
            shown = shown.transpose(0, 3, 1, 2)
        found = self._engine.run(np.ascontiguousarray(shown), frames.is_cuda)
        return {"feature": torch.from_numpy(arranged(found, self._input.layout)).to(frames.device)}


def scaled(pictures: NDArray[np.uint8], scaling: Scaling, taken: Input) -> NDArray[Any]:
    """Pictures (B, H, W, 3) in the scale and type of a model's input.

    Bytes fill an 8-bit input from end to end, which is what such models are made for; with another
    scaling real numbers are quantised by its scale and zero point.
    """
    if scaling == "byte" and taken.dtype == "uint8":
        return pictures
    if scaling == "byte" and taken.dtype == "int8":
        return (pictures.astype(np.int16) - 128).astype(np.int8)
    values = pictures.astype(np.float32)
    if scaling == "symmetric":
        values = values / np.float32(127.5) - np.float32(1)
    elif scaling != "byte":
        values /= np.float32(255)
    if scaling == "imagenet":
        values = (values - IMAGENET[0]) / IMAGENET[1]
    if taken.dtype in ("uint8", "int8"):
        return quantise(values, taken.dtype, taken.quantised)
    return values.astype(taken.dtype)


def arranged(found: NDArray[Any], layout: Layout) -> NDArray[Any]:
    """A model's (B, ...) as rows: channels first in a map, and without axes of 1 where only one is longer."""
    if sum(side > 1 for side in found.shape[1:]) <= 1:
        return found.reshape(len(found), -1)
    if found.ndim == 4 and layout == "nhwc":
        found = found.transpose(0, 3, 1, 2)
    return np.ascontiguousarray(found)
