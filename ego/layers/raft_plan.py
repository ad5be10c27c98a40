"""The two sizes of RAFT, and how others name the same tensors; no torch."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True)
class Plan:
    """The widths of one size."""

    widths: tuple[int, int, int]
    narrow: bool
    features: int
    hidden: int
    context: int
    context_norm: bool
    radius: int
    correlation: tuple[int, ...]
    flow: tuple[int, int]
    motion: int
    head: int
    separable: bool
    learnt_upsampling: bool


PLANS = {
    "large": Plan((64, 96, 128), False, 256, 128, 128, True, 4, (256, 192), (128, 64), 128, 256, True, True),
    "small": Plan((32, 64, 96), True, 128, 96, 64, False, 3, (96,), (64, 32), 82, 128, False, False),
}

_TORCHVISION = (
    (r"^feature_encoder\.", "fnet."),
    (r"^context_encoder\.", "cnet."),
    (r"^mask_predictor\.convrelu\.0\.", "update_block.mask.0."),
    (r"^mask_predictor\.conv\.", "update_block.mask.2."),
    (r"^update_block\.motion_encoder\.conv(corr|flow)(\d)\.0\.", r"update_block.encoder.conv\1\2."),
    (r"^update_block\.motion_encoder\.conv\.0\.", "update_block.encoder.conv."),
    (r"^update_block\.recurrent_block\.convgru(\d)\.conv([zrq])\.", r"update_block.gru.conv\2\1."),
    (r"\.encoder\.convcorr", ".encoder.convc"),
    (r"\.encoder\.convflow", ".encoder.convf"),
    (r"^([fc]net)\.convnormrelu\.0\.", r"\1.conv1."),
    (r"^([fc]net)\.convnormrelu\.1\.", r"\1.norm1."),
    (r"^([fc]net)\.conv\.", r"\1.conv2."),
    (r"\.convnormrelu(\d)\.0\.", r".conv\1."),
    (r"\.convnormrelu(\d)\.1\.", r".norm\1."),
)


def authors_names(found: Mapping[str, Value], size: str) -> dict[str, Value]:
    """Tensors under the authors' names, whether the authors or torchvision wrote them.

    The authors' files hold the norm of each shortcut twice, as `norm3` (large) and as `downsample.1`: once is kept.
    """
    if any(key.startswith("feature_encoder.") for key in found):
        renamed = {_renamed(key): value for key, value in found.items()}
        if not PLANS[size].separable:
            renamed = {re.sub(r"\.gru\.conv([zrq])1\.", r".gru.conv\1.", key): value for key, value in renamed.items()}
        return renamed
    last = 4 if PLANS[size].narrow else 3
    return {key: value for key, value in found.items() if not re.search(rf"\.layer\d\.0\.norm{last}\.", key)}


def _renamed(key: str) -> str:
    for pattern, name in _TORCHVISION:
        key = re.sub(pattern, name, key)
    return key
