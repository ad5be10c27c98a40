"""What holds for every backbone: lower precision stays within the tolerance, and tails are parts of the whole."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from ego.extractors._backbone import Backbone
from ego.extractors.dis import DIS
from ego.extractors.flow_resnet import FlowResNet
from ego.extractors.googlenet import GoogLeNet
from ego.extractors.i3d import I3D
from ego.extractors.i3d_r50 import I3DR50
from ego.extractors.mfnet import MFNet
from ego.extractors.r3d import R3D
from ego.extractors.resnet import ResNet
from ego.extractors.slow import Slow
from ego.extractors.slow_layer5 import SlowLayer5
from ego.extractors.slowfast import SlowFast
from ego.sampling import Window
from ego.spec import Weights
from ego.video import Picture

RANDOM = Weights("random:4")
# class, frames, side in pixels, other fields
NETWORKS: dict[str, tuple[type[Backbone], int, int, dict[str, Any]]] = {
    "resnet": (ResNet, 1, 48, {}),
    "flow_resnet": (FlowResNet, 5, 48, {"sees": DIS(picture=Picture("squash", 48))}),
    "googlenet": (GoogLeNet, 1, 48, {}),
    "googlenet of flow": (GoogLeNet, 10, 48, {"sees": DIS(picture=Picture("squash", 48))}),
    "i3d": (I3D, 9, 193, {}),
    "i3d of flow": (I3D, 9, 193, {"sees": DIS(picture=Picture("squash", 193))}),
    "i3d_r50": (I3DR50, 4, 48, {}),
    "mfnet": (MFNet, 4, 48, {}),
    "r3d": (R3D, 4, 48, {}),
    "r2plus1d": (R3D, 4, 48, {"variant": "r2plus1d"}),
    "slow": (Slow, 4, 48, {}),
    "slow_layer5": (SlowLayer5, 3, 48, {}),
    "slowfast": (SlowFast, 8, 48, {}),
}


NOWHERE = [("slow_layer5", "pool")]
"""The head of random weights judges each frame, which a mean over time has not."""


def small(name: str, precision: str = "float32") -> Backbone:
    """A backbone of few frames and small pictures."""
    cls, frames, side, fields = NETWORKS[name]
    if "sees" not in fields:
        fields = {**fields, "picture": Picture("squash", side)}
    return cls(weights=RANDOM, size=side, window=Window(frames=frames), precision=precision, **fields)


def drawn(spec: Backbone, count: int) -> torch.Tensor:
    """Noise pictures or fields."""
    random, frames, side = np.random.default_rng(1), spec.window.frames, spec.size
    if "flow" in spec.needs():
        return torch.from_numpy(random.normal(0, 6, (count, frames, 2, side, side))).float()
    return torch.from_numpy(random.integers(0, 256, (count, frames, side, side, 3), np.uint8))


@pytest.mark.parametrize("name", NETWORKS)
def test_bfloat16_stays_within_the_tolerance(name: str) -> None:
    exact, rough = (small(name, one) for one in ("float32", "bfloat16"))
    shown = drawn(exact, 2)
    with torch.inference_mode():
        ours, theirs = (spec.build({})(shown)["feature"].flatten(1) for spec in (exact, rough))
    assert ours.dtype == theirs.dtype == torch.float32
    assert not torch.equal(ours, theirs)
    assert ((ours - theirs).norm(dim=1) / ours.norm(dim=1)).max() < exact.tolerance


@pytest.mark.parametrize("name", NETWORKS)
def test_a_tail_holds_what_lies_above_a_tap_under_the_same_keys(name: str) -> None:
    spec = small(name)
    end_points = [tap for tap in spec.end_points if set(spec.above(tap)) & set(spec.taps)]
    with torch.device("meta"):
        whole = spec.network({}, None).state_dict()
        for tap in end_points:
            part = spec.network({}, tap).state_dict()
            assert {key: x.shape for key, x in part.items()} == {key: whole[key].shape for key in part}
            assert len(part) < len(whole)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "i3d of flow"])
def test_a_tail_gives_what_the_whole_gives_from_every_tap(name: str) -> None:
    spec = small(name)
    spec = replace(spec, taps=spec.end_points)
    with torch.inference_mode():
        found = spec.build({})(drawn(spec, 1))
        below = [tap for tap in spec.end_points if spec.above(tap) and (name, tap) not in NOWHERE]
        for tap in below[:: 4 if name == "i3d" else 1]:
            again = spec.tail(tap, {})(found[tap])
            assert set(again) == set(spec.above(tap))
            for above, x in again.items():
                assert (x - found[above]).norm() <= 1e-4 * found[above].norm(), (tap, above)
