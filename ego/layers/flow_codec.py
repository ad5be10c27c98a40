"""How flow is written in 8 bits, turned over and brought to another size; fields are (..., 2, H, W), x then y."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


def to_bytes(flow: NDArray[Any], bound: float = 20.0) -> NDArray[np.uint8]:
    """Pixels as 0 to 255, -bound to bound, halves to even (dense_flow, TSN); zero is between 127 and 128: 128."""
    scaled = (np.asarray(flow, np.float64) + bound) * (255 / (2 * bound))
    return np.rint(scaled).clip(0, 255).astype(np.uint8)


def from_bytes(stored: NDArray[np.uint8], bound: float = 20.0) -> NDArray[np.float32]:
    """The pixels of `to_bytes`; those of zero are 0.0039 of the bound."""
    return stored.astype(np.float32) * np.float32(2 * bound / 255) - np.float32(bound)


def to_int8(flow: NDArray[Any], bound: float = 20.0) -> NDArray[np.int8]:
    """Pixels as -127 to 127, -bound to bound; zero is exact and -128 is not used."""
    return np.rint(np.clip(np.asarray(flow, np.float64), -bound, bound) * (127 / bound)).astype(np.int8)


def from_int8(stored: NDArray[np.int8], bound: float = 20.0) -> NDArray[np.float32]:
    """The pixels of `to_int8`."""
    return stored.astype(np.float32) * np.float32(bound / 127)


def flipped(flow: NDArray[Any]) -> NDArray[Any]:
    """A flow in pixels of the mirrored pictures: columns in reverse and x negated."""
    mirrored = flow[..., ::-1].copy()
    mirrored[..., 0, :, :] *= -1
    return mirrored


def flipped_bytes(stored: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`flipped` of flow as `to_bytes` has it: x becomes 255 - x."""
    mirrored = stored[..., ::-1].copy()
    mirrored[..., 0, :, :] = 255 - mirrored[..., 0, :, :]
    return mirrored


def resized(flow: Tensor, height: int, width: int) -> Tensor:
    """A flow at another size of its pictures, bilinear, smoothed where it shrinks; vectors grow with the picture."""
    tall, wide = flow.shape[-2:]
    planes = flow.reshape(-1, 2, tall, wide).float()
    found = functional.interpolate(planes, (height, width), mode="bilinear", antialias=True)
    found = found * found.new_tensor([width / wide, height / tall])[:, None, None]
    return found.reshape(*flow.shape[:-2], height, width)
