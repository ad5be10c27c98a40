"""The network of Ego4D's state-change baselines: one pathway that keeps every frame (`slow_layer5` of EgoT2)."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ego.layers.slowfast import Classifiers, Maps, Trunk
from ego.layers.slowfast_plan import KEYFRAME_HEAD, POOL, WIDTHS


class SlowLayer5(Trunk):
    """`tokens` (B, T, cells * 2048), their mean over time `pool`, and `logits` of the head of the file.

    A token is its frame's `res5` averaged in windows of 7x7 with stride 1, in the order (row, column,
    channel): 2x2 cells for pictures of 225. `Keyframe_localisation_head` (PNR) gives (B, T), a logit for
    each frame; `State_detection_head` (OSCC) classifies the mean: (B, classes).
    """

    def __init__(self, head: str | None, classes: int, sides: int, after: str | None = None) -> None:
        super().__init__("slow_layer5", 50, after)
        self._head = head
        if head is not None:
            self.add_module(head, Classifiers(WIDTHS[-1] * sides * sides, {"projection": classes}))

    def tokens(self, maps: Maps) -> dict[str, torch.Tensor]:
        """One token a frame."""
        return {"tokens": tokens(maps[0])}

    def top(self, known: dict[str, torch.Tensor], taps: Sequence[str]) -> dict[str, torch.Tensor]:
        """Their mean and logits too."""
        if "pool" not in known:
            known = known | {"pool": known["tokens"].mean(dim=1)}
        if "logits" not in taps or self._head is None:
            return known
        by_frame = self._head == KEYFRAME_HEAD
        logits: torch.Tensor = self.get_submodule(self._head)(known["tokens" if by_frame else "pool"])
        return known | {"logits": logits.flatten(1) if by_frame else logits}


def tokens(res5: torch.Tensor) -> torch.Tensor:
    """(B, C, T, h, w) -> (B, T, cells * C), each frame's windows by row and column, their channels together."""
    height, width = (min(side, POOL) for side in res5.shape[3:])
    pooled = F.avg_pool3d(res5, (1, height, width), stride=1)
    return pooled.permute(0, 2, 3, 4, 1).flatten(2)
