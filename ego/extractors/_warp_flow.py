"""The module of `warp_flow`: the camera's motion a pair, the second frame warped, the flow once more."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ego.extractors._camera import Camera
from ego.extractors._homography import Motion, Pixels, between, corners, outside, stabilise


class Warped(nn.Module):
    """Each pair by itself, whatever the batch: equal pairs give equal rows.

    Warped pixels are rounded to uint8, as the flow module takes them.
    """

    def __init__(self, flow: nn.Module, need: str, camera: Camera) -> None:
        super().__init__()
        self.flow = flow
        self._need, self._camera = need, camera

    def forward(self, frames: torch.Tensor, flow: torch.Tensor, **hands: torch.Tensor) -> dict[str, torch.Tensor]:
        """(B, 2, H, W, 3) uint8 and (B, 2, H, W) -> `feature` (B, 2, H, W), `homography`, `inliers`.

        `hands_boxes` (B, 2, slots, 4) and `hands_visible` (B, 2, slots) mask both frames of each pair.
        """
        pairs = frames.cpu().numpy()
        moves = flow.float().permute(0, 2, 3, 1).cpu().numpy()
        boxes, visible = (hands[name].cpu().numpy() if name in hands else None for name in BOXES)
        stable, motions = pairs.copy(), []
        for place, (before, after) in enumerate(pairs):
            keep: tuple[Pixels | None, Pixels | None] = (None, None)
            if boxes is not None and visible is not None:
                keep = _masks(boxes[place], visible[place], before)
            greys = [np.asarray(cv2.cvtColor(one, cv2.COLOR_RGB2GRAY), np.uint8) for one in (before, after)]
            start = corners(self._camera, greys[0], keep=keep[0])
            at = start.astype(np.int64)
            stop = start + moves[place, at[:, 1], at[:, 0]]
            motion = between(self._camera, greys[0], greys[1], (start, stop), keep)
            stable[place, 1] = stabilise(after, motion, before)
            motions.append(motion)
        again = self.flow(**{self._need: torch.from_numpy(stable).to(frames.device)})
        return {"feature": again["feature"], **_told(motions, frames.device)}


BOXES = ("hands_boxes", "hands_visible")


def _masks(
    boxes: NDArray[np.float32], visible: NDArray[np.bool_], picture: Pixels
) -> tuple[Pixels | None, Pixels | None]:
    first, second = (outside(one, seen > 0, *picture.shape[:2]) for one, seen in zip(boxes, visible, strict=True))
    return first, second


def _told(motions: list[Motion], device: torch.device) -> dict[str, torch.Tensor]:
    moved = np.stack([one.homography for one in motions]).astype(np.float32)
    counts = np.array([one.inliers for one in motions], np.int32)
    return {"homography": torch.from_numpy(moved).to(device), "inliers": torch.from_numpy(counts).to(device)}
