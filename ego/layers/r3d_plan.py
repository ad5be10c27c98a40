"""What R3D-18 and R(2+1)D-18 are made of (Tran et al. 2018, table 1), without torch."""

STAGES = ("conv2_x", "conv3_x", "conv4_x", "conv5_x")
TAPS = (*STAGES, "pool", "logits")
WIDTHS = (64, 128, 256, 512)
BLOCKS = 2


def shape(tap: str, frames: int, size: int, classes: int) -> tuple[int, ...]:
    """The shape of a tap, without the batch, for a clip of `frames` pictures of `size` x `size` pixels."""
    if tap in ("pool", "logits"):
        return (WIDTHS[-1] if tap == "pool" else classes,)
    stage = STAGES.index(tap)
    moments, side = frames, (size + 1) // 2
    for _ in range(stage):
        moments, side = (moments + 1) // 2, (side + 1) // 2
    return (WIDTHS[stage], moments, side, side)
