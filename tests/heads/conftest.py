"""Toy clips, and what tests of heads share with those of extractors."""

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from ego.heads._base import Batch


def _published() -> ModuleType:
    place = Path(__file__).parents[1] / "extractors" / "conftest.py"
    spec = importlib.util.spec_from_file_location("published_numbers", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["published_numbers"] = module
    spec.loader.exec_module(module)
    return module


_shared = _published()
pins, keep, one_thread = _shared.pins, _shared.keep, _shared.one_thread


class Toy:
    """Clips in memory."""

    still = True

    def __init__(self, features: Mapping[str, Any], masks: Mapping[str, Any], labels: Mapping[str, Any]):
        self.parts = [{key: torch.as_tensor(x) for key, x in part.items()} for part in (features, masks, labels)]

    def __len__(self):
        return len(next(iter(self.parts[0].values())))

    def batch(self, indices, draw=None):
        features, masks, labels = ({key: x[indices] for key, x in part.items()} for part in self.parts)
        there = {key: self._labelled(x, masks) for key, x in labels.items()}
        return Batch(features, masks, labels, there)

    def _labelled(self, label, masks):
        if label.ndim == 1:
            return torch.ones(len(label), dtype=torch.bool)
        first = next(iter(masks.values()))
        return first.repeat_interleave(label.shape[1] // first.shape[1], dim=1)

    def whole(self):
        return self.batch(np.arange(len(self)))


@pytest.fixture
def toy():
    """`toy(features, masks, labels)`: clips in memory."""
    return Toy


@pytest.fixture
def frames():
    """`frames(seeds)`: the pins' blocks of colour as (B, 1, 224, 224, 3) uint8."""

    def draw(seeds):
        blocks = [np.random.Generator(np.random.PCG64(seed)).integers(0, 256, (7, 7, 3), np.uint8) for seed in seeds]
        return torch.from_numpy(np.stack([block.repeat(32, 0).repeat(32, 1) for block in blocks]))[:, None]

    return draw


def load(module, found):
    """Loads published tensors into a head, every one of which they must fill."""
    missing, unexpected = module.load_state_dict(found, strict=False)
    assert not unexpected
    counters = [name for name, _ in module.named_buffers() if name.endswith("num_batches_tracked")]
    assert set(missing) <= set(counters)


@pytest.fixture
def filled():
    """`filled(module, tensors)`: the module in eval mode with these tensors, which must be all of its own."""

    def fill(module, found):
        load(module, found)
        return module.eval()

    return fill
