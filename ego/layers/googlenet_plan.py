"""What Inception-v1 of single frames is made of (Szegedy et al. 2015; torchvision's GoogLeNet), without torch."""

from ego.layers.inception_plan import MIXTURES as MIXTURES
from ego.layers.inception_plan import channels_after as _channels_after

KEYS = {
    "Conv2d_1a_7x7": "conv1", "Conv2d_2b_1x1": "conv2", "Conv2d_2c_3x3": "conv3", "Mixed_3b": "inception3a",
    "Mixed_3c": "inception3b", "Mixed_4b": "inception4a", "Mixed_4c": "inception4b", "Mixed_4d": "inception4c",
    "Mixed_4e": "inception4d", "Mixed_4f": "inception4e", "Mixed_5b": "inception5a", "Mixed_5c": "inception5b",
    "logits": "fc",
}  # fmt: skip
"""The published name of the module behind each end point that has weights."""
CONVOLUTIONS = {"Conv2d_1a_7x7": (7, 2), "Conv2d_2b_1x1": (1, 1), "Conv2d_2c_3x3": (3, 1)}
"""Kernel and stride; they are padded alike on all sides."""
POOLINGS = {"MaxPool_2a_3x3": (3, 2), "MaxPool_3a_3x3": (3, 2), "MaxPool_4a_3x3": (3, 2), "MaxPool_5a_2x2": (2, 2)}
"""Kernel and stride of maxima without padding; what is left over at the end is a window too."""
END_POINTS = (
    "Conv2d_1a_7x7", "MaxPool_2a_3x3", "Conv2d_2b_1x1", "Conv2d_2c_3x3", "MaxPool_3a_3x3", "Mixed_3b", "Mixed_3c",
    "MaxPool_4a_3x3", "Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f", "MaxPool_5a_2x2", "Mixed_5b",
    "Mixed_5c", "avg_pool", "logits",
)  # fmt: skip


def channels_after(name: str, channels: int, classes: int) -> int:
    """How many channels an end point has whose input has `channels`."""
    return _channels_after(name.replace("Conv2d", "Conv3d"), channels, classes)


def shape(tap: str, size: int, classes: int) -> tuple[int, ...]:
    """(C, h, w) of an end point, (C,) of `avg_pool` and `logits`; a side below 1 means that it does not fit."""
    side, channels = size, 0
    for name in END_POINTS[: END_POINTS.index(tap) + 1]:
        channels = channels_after(name, channels, classes)
        if name in CONVOLUTIONS:
            side = -(-side // CONVOLUTIONS[name][1])
        elif name in POOLINGS:
            kernel, stride = POOLINGS[name]
            side = -(-(side - kernel) // stride) + 1
    return (channels,) if tap in ("avg_pool", "logits") else (channels, side, side)
