"""Faces through the ResNet-18 of Ego4D's baselines, and LAM's seven frames around each."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ego.extractors._backbone import Precision
from ego.extractors._base import Block, Rows
from ego.extractors._face_cuts import lam
from ego.layers.face_lstm import AROUND, LookingAtMe

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BATCH = 32

Numbers = NDArray[Any]


def embedded(trunk: nn.Module, faces: torch.Tensor, precision: Precision) -> torch.Tensor:
    """(n, 256) float32 of normalised faces (n, 3, H, W), the convolutions in this precision."""
    dtype = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision)
    with torch.autocast(faces.device.type, dtype=dtype, enabled=dtype is not None):
        found: torch.Tensor = trunk(faces)
    return found.float()


def features(trunk: nn.Module, crops: NDArray[np.generic], device: str, precision: Precision) -> NDArray[np.float32]:
    """(n, 256) of crops (n, 224, 224, 3) uint8."""
    mean, std = torch.tensor(MEAN, device=device), torch.tensor(STD, device=device)
    found = [np.zeros((0, 256), np.float32)]
    for first in range(0, len(crops), BATCH):
        pictures = torch.from_numpy(np.ascontiguousarray(crops[first : first + BATCH])).to(device)
        with torch.inference_mode():
            x = ((pictures.float() / 255 - mean) / std).permute(0, 3, 1, 2)
            found.append(embedded(trunk, x, precision).cpu().numpy())
    return np.concatenate(found)


@dataclass
class Waiting:
    """One frame whose faces are judged when the frames after it are known."""

    time: Numbers
    source: Numbers
    faces: dict[int, Numbers] = field(default_factory=dict)


def looking(blocks: Iterator[Block], network: nn.Module, device: str, precision: Precision) -> Iterator[Rows]:
    """LAM's rows: every frame is given once the three after it, or the end, have come."""
    assert isinstance(network, LookingAtMe)
    nobody = [Waiting(np.empty(3), np.empty(4))] * AROUND
    around = deque(nobody, maxlen=2 * AROUND + 1)
    for frames in chain(_followed(blocks, network, device, precision), [nobody]):
        windows = []
        for frame in frames:
            around.append(frame)
            if len(around) == around.maxlen:
                windows.append(tuple(around))
        yield from _judged(network, windows, device)


def _followed(
    blocks: Iterator[Block], network: LookingAtMe, device: str, precision: Precision
) -> Iterator[list[Waiting]]:
    for block in blocks:
        held = block.held["faces"]
        (rows,) = lam(iter([block]))
        found = features(network.base_model, rows.arrays["feature"], device, precision)
        frames = [Waiting(time, source) for time, source in zip(block.time, block.source, strict=True)]
        places = np.searchsorted(block.time[:, 0], held.time[:, 0])
        for place, track, feature in zip(places, rows.arrays["track"], found, strict=True):
            frames[place].faces[int(track)] = feature
        yield frames


def _judged(network: LookingAtMe, windows: Sequence[tuple[Waiting, ...]], device: str) -> Iterator[Rows]:
    """One Rows of the middle frames' faces."""
    asked = [(window, track) for window in windows for track in window[AROUND].faces]
    if not asked:
        return
    seven = np.stack([packed([frame.faces.get(track) for frame in window]) for window, track in asked])
    with torch.inference_mode():
        logits = network.judge(torch.from_numpy(seven).to(device)).float().cpu()
    middles = [window[AROUND] for window, _ in asked]
    yield Rows(
        {
            "feature": np.stack([window[AROUND].faces[track] for window, track in asked]),
            "logits": logits.numpy(),
            "score": logits.softmax(dim=1)[:, 1].numpy(),
            "track": np.array([track for _, track in asked], np.int32),
        },
        np.stack([middle.time for middle in middles]),
        np.stack([middle.source for middle in middles]),
    )


def packed(frames: Sequence[Numbers | None]) -> Numbers:
    """Seven frames of which some are missing, the middle one never, as the baseline packs them.

    Those that are there are moved together; the first is repeated in front, once for each that is missing before the
    middle, the last at the end, once for each that is missing after it.
    """
    there = [frame for frame in frames if frame is not None]
    before = sum(frame is None for frame in frames[:AROUND])
    after = sum(frame is None for frame in frames[AROUND + 1 :])
    return np.stack([there[0]] * before + there + [there[-1]] * after)
