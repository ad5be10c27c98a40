"""The presets of TV-L1 and what a field does to them."""

import torch

from ego.extractors.tvl1 import TVL1
from ego.spec import rebuild


def test_presets_fill_in_what_is_not_said() -> None:
    quality, fast, opencv = (TVL1(preset=one).constants for one in ("quality", "fast", "opencv"))
    shared = {(k.tau, k.lambda_, k.theta, k.rule.scales) for k in (quality, fast, opencv)}
    assert shared == {(0.25, 0.15, 0.3, 5)}
    assert (quality.rule.zoom, quality.warps, quality.outer, quality.inner, quality.median) == (0.5, 5, 1, 300, 0)
    assert (fast.warps, fast.inner, fast.epsilon) == (2, 50, 0)
    assert (opencv.rule.zoom, opencv.outer, opencv.inner, opencv.epsilon, opencv.median) == (0.8, 10, 30, 0.01, 5)
    assert (opencv.rule.smooth, opencv.rule.antialias, opencv.stretch, opencv.rule.least_side) == (0, False, False, 16)


def test_a_field_that_is_said_holds_whatever_the_preset() -> None:
    one = TVL1(preset="fast", warps=3, epsilon=0.02)
    assert (one.warps, one.inner, one.epsilon) == (3, 50, 0.02)
    assert TVL1(preset="fast", epsilon=0.0) == TVL1(preset="fast")
    assert TVL1(warps=5).digest == TVL1().digest
    assert rebuild(one.describe()) == one


def test_it_has_nothing_to_learn() -> None:
    assert not list(TVL1().build({}).parameters())
    assert not TVL1().build({}).training
    assert TVL1().build({})(frames=torch.zeros(0, 2, 24, 32, 3, dtype=torch.uint8))["feature"].shape == (0, 2, 24, 32)
