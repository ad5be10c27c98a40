"""What Inception-v1 I3D is made of (Carreira and Zisserman 2017), without torch: its end points, sizes and widths."""

Triple = tuple[int, int, int]
Size = tuple[int, ...]

# end point -> (kernel, stride, channels); an inception module gives its branch widths b0, b1a, b1b, b2a, b2b, b3b
CONVOLUTIONS: dict[str, tuple[Triple, Triple, int]] = {
    "Conv3d_1a_7x7": ((7, 7, 7), (2, 2, 2), 64),
    "Conv3d_2b_1x1": ((1, 1, 1), (1, 1, 1), 64),
    "Conv3d_2c_3x3": ((3, 3, 3), (1, 1, 1), 192),
}
POOLINGS: dict[str, tuple[Triple, Triple]] = {
    "MaxPool3d_2a_3x3": ((1, 3, 3), (1, 2, 2)),
    "MaxPool3d_3a_3x3": ((1, 3, 3), (1, 2, 2)),
    "MaxPool3d_4a_3x3": ((3, 3, 3), (2, 2, 2)),
    "MaxPool3d_5a_2x2": ((2, 2, 2), (2, 2, 2)),
}
MIXTURES: dict[str, tuple[int, int, int, int, int, int]] = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
END_POINTS = (
    "Conv3d_1a_7x7", "MaxPool3d_2a_3x3", "Conv3d_2b_1x1", "Conv3d_2c_3x3", "MaxPool3d_3a_3x3", "Mixed_3b", "Mixed_3c",
    "MaxPool3d_4a_3x3", "Mixed_4b", "Mixed_4c", "Mixed_4d", "Mixed_4e", "Mixed_4f", "MaxPool3d_5a_2x2", "Mixed_5b",
    "Mixed_5c", "avg_pool", "logits",
)  # fmt: skip
POOL: Triple = (2, 7, 7)
STEM = "Conv3d_2b_1x1"
"""The last end point whose moments come of the first convolution's frames alone."""


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """(front, back) zeros of one axis, so that the output has ceil(size / stride) cells."""
    pad = max(kernel - (stride if size % stride == 0 else size % stride), 0)
    return pad // 2, pad - pad // 2


def stem_frames(frames: int) -> tuple[tuple[int, ...], ...]:
    """The frames of a clip that each moment of the stem sees; -1 is padding before or after it."""
    kernel, stride, _ = CONVOLUTIONS[END_POINTS[0]]
    front, _ = same_padding(frames, kernel[0], stride[0])
    seen = [range(start - front, start - front + kernel[0]) for start in range(0, frames, stride[0])]
    return tuple(tuple(frame if 0 <= frame < frames else -1 for frame in moment) for moment in seen)


def shape(tap: str, frames: int, height: int, width: int, classes: int) -> Size:
    """(C, T, H, W) of an end point for a clip of this size; a side below 1 means that it does not fit."""
    size, channels = (frames, height, width), 0
    for name in END_POINTS[: END_POINTS.index(tap) + 1]:
        channels = channels_after(name, channels, classes)
        stride = CONVOLUTIONS[name][1] if name in CONVOLUTIONS else POOLINGS[name][1] if name in POOLINGS else (1, 1, 1)
        size = (-(-size[0] // stride[0]), -(-size[1] // stride[1]), -(-size[2] // stride[2]))
        if name == "avg_pool":
            size = (size[0] - POOL[0] + 1, size[1] - POOL[1] + 1, size[2] - POOL[2] + 1)
    return (channels, *size)


def channels_after(name: str, channels: int, classes: int) -> int:
    """How many channels an end point has whose input has `channels`."""
    if name in MIXTURES:
        b0, _, b1b, _, b2b, b3b = MIXTURES[name]
        return b0 + b1b + b2b + b3b
    return CONVOLUTIONS[name][2] if name in CONVOLUTIONS else classes if name == "logits" else channels
