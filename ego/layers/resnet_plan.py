"""What ResNet-18, -34 and -50 are made of (He et al. 2016, table 1), without torch."""

STAGES = ("conv2_x", "conv3_x", "conv4_x", "conv5_x")
TAPS = (*STAGES, "pool", "logits")
ATTENTION = ("bn", "nbn", "cam", "cam_raw")
"""What attention by class activation is made of (Sudhakaran and Lanz 2018; 2019)."""
BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
WIDTHS = (64, 128, 256, 512)


def expansion(depth: int) -> int:
    """How many times a block of this depth's network widens its channels."""
    return 4 if depth >= 50 else 1


def shape(depth: int, tap: str, size: int, classes: int) -> tuple[int, ...]:
    """The shape of a tap, without the batch, for a picture of `size` x `size` pixels."""
    if tap == "logits":
        return (classes,)
    if tap == "pool":
        return (WIDTHS[-1] * expansion(depth),)
    stage = STAGES.index(tap) if tap in STAGES else len(STAGES) - 1
    side = size
    for _ in range(stage + 2):
        side = (side + 1) // 2
    return (side, side) if tap.startswith("cam") else (WIDTHS[stage] * expansion(depth), side, side)


def above(tap: str) -> tuple[str, ...]:
    """The taps that follow from a stored one: the stages above it, then all that the last map gives."""
    stage = STAGES[-1] if tap == "bn" else tap
    if stage not in STAGES:
        return ("logits",) if tap == "pool" else ()
    nbn = () if stage == STAGES[-1] else ("nbn",)
    last = (one for one in ("bn", "pool", "logits", "cam", "cam_raw") if one != tap)
    return (*STAGES[STAGES.index(stage) + 1 :], *nbn, *last)
