"""What the residual video networks of PySlowFast are made of (Feichtenhofer et al. 2019, table 1), without torch."""

from typing import Literal

Arch = Literal["slow", "i3d", "slow_layer5", "slowfast"]

STAGES = ("res2", "res3", "res4", "res5")
STEPS = ("stem", *STAGES)
BLOCKS = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
WIDTHS = (256, 512, 1024, 2048)
STEM = 64
ALPHA = 4
"""Fast frames for each slow one."""
BETA = 8
"""How many times narrower the fast pathway is."""
LATERAL = {50: 7, 101: 5}
"""Frames that a lateral connection sees; other files say otherwise by their shapes."""

KEYFRAME_HEAD, STATE_HEAD = "Keyframe_localisation_head", "State_detection_head"
POOL = 7
"""Cells along a side of the windows that `slow_layer5` averages."""

# frames the stem's convolution sees, then those of each stage's first convolutions, taken in turn over its blocks
KERNELS: dict[str, tuple[int, tuple[tuple[int, ...], ...]]] = {
    "slow": (1, ((1,), (1,), (3,), (3,))),
    "fast": (5, ((3,), (3,), (3,), (3,))),
    "i3d": (5, ((3,), (3, 1), (3, 1), (1, 3))),
    "slow_layer5": (3, ((3,), (3,), (3,), (3,))),
}
PATHWAYS: dict[Arch, tuple[str, ...]] = {
    "slow": ("slow",), "i3d": ("i3d",), "slow_layer5": ("slow_layer5",), "slowfast": ("slow", "fast"),
}  # fmt: skip


def slow_frames(frames: int, clip: int = 1, clips: int = 1) -> tuple[int, ...]:
    """The frames of a clip of `frames` that the slow pathway sees: evenly from the first to the last, rounded down.

    Where `clips` clips are joined in time before the slow frames are picked, those of clip number `clip`.
    """
    count, last = frames * clips // ALPHA, frames * clips - 1
    picked = [i * last // (count - 1) if count > 1 else 0 for i in range(count)]
    return tuple(frame - (clip - 1) * frames for frame in picked if (clip - 1) * frames <= frame < clip * frames)


def cells(side: int) -> int:
    """How many windows of `slow_layer5` there are along a side of so many cells; a small map is one."""
    return max(side - POOL + 1, 1)


def shape(arch: Arch, stage: str, frames: int, size: int) -> tuple[int, int, int, int]:
    """(C, T, h, w) of the stem or a stage for a clip of this size; a fast pathway's frames are folded into C."""
    place = STAGES.index(stage) if stage in STAGES else -1
    side = size
    for _ in range(2 + max(place, 0)):
        side = (side + 1) // 2
    channels = WIDTHS[place] if place >= 0 else STEM
    if arch == "slowfast":
        return channels + channels // BETA * ALPHA, frames // ALPHA, side, side
    return channels, frames // 2 if arch == "i3d" and place > 0 else frames, side, side
