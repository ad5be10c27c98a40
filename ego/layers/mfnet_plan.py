"""What MFNet-3D is made of (Chen et al. 2018, table 1), without torch."""

STAGES = ("conv2", "conv3", "conv4", "conv5")
TAPS = (*STAGES, "tail", "pool", "logits")
STEM = 16
WIDTHS = (96, 192, 384, 768)
UNITS = (3, 4, 6, 3)
FIBRES = 16


def shape(tap: str, frames: int, size: int, classes: int) -> tuple[int, ...]:
    """The shape of a tap, without the batch, for a clip of `frames` pictures of `size` x `size` pixels."""
    if tap == "logits":
        return (classes,)
    if tap == "pool":
        return (WIDTHS[-1],)
    stage = len(STAGES) - 1 if tap == "tail" else STAGES.index(tap)
    side = size
    for _ in range(stage + 2):
        side = (side + 1) // 2
    return (WIDTHS[stage], (frames + 1) // 2, side, side)
