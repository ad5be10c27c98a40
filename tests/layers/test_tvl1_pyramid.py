"""What TV-L1 does around its iterations: levels, blur, warp, median, each against its definition."""

import pytest
import torch
from torch.nn import functional

from ego.layers.tvl1_pyramid import (
    Rule,
    blurred,
    central_gradient,
    level_sizes,
    median,
    padded,
    pyramid,
    resampled,
    scaled_to,
    selection,
    stretched,
    warp,
)


def noise(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0)) * 255


@pytest.mark.parametrize(("width", "height", "levels"), [(320, 240, 5), (340, 256, 5), (1280, 960, 7)])
def test_how_many_levels(width: int, height: int, levels: int) -> None:
    assert len(level_sizes(height, width, Rule(scales=100))) == levels


def test_five_levels_of_four_fifths_are_opencvs() -> None:
    sizes = level_sizes(240, 320, Rule(scales=5, zoom=0.8, least_side=16))
    assert sizes == [(240, 320), (192, 256), (154, 205), (123, 164), (98, 131)]
    assert [level.shape for level in pyramid(noise(2, 1, 240, 320), Rule(zoom=0.8, least_side=16))] == [
        (2, 1, *size) for size in sizes
    ]
    assert len(level_sizes(20, 30, Rule(zoom=0.8, least_side=16))) == 2


def test_a_pair_is_stretched_together_and_a_flat_one_left() -> None:
    grey = torch.tensor([[[[10.0, 20]], [[7, 7]]], [[[30, 110]], [[7, 7]]]])
    assert torch.allclose(stretched(grey)[:, 0, 0], torch.tensor([[0, 25.5], [51, 255]]))
    assert stretched(grey)[:, 1].tolist() == [[[7, 7]], [[7, 7]]]


def test_blur_keeps_a_flat_picture_and_spreads_a_point_by_its_deviation() -> None:
    assert torch.allclose(blurred(torch.full((1, 9, 9), 3.0), 1.5), torch.full((1, 9, 9), 3.0))
    point = torch.zeros(41, 41)
    point[20, 20] = 1
    spread, at = blurred(point, 2.0), torch.arange(41.0) - 20
    assert float(spread.sum()) == pytest.approx(1, abs=1e-5)
    assert float((spread.sum(0) * at**2).sum()) == pytest.approx(4, rel=0.01)
    assert blurred(point, 0) is point


def test_the_gradient_is_central_and_halved_at_the_border() -> None:
    ramp = torch.arange(5.0).expand(4, 5)[None] * 2
    assert central_gradient(ramp)[0, 0, 0].tolist() == [1, 2, 2, 2, 1]
    assert central_gradient(ramp)[1].abs().max() == 0


@pytest.mark.parametrize("size", [(6, 10), (16, 32), (37, 50)])
def test_a_warp_by_whole_pixels_is_exact_and_outside_is_zero(size: tuple[int, int]) -> None:
    planes, u = noise(3, 2, *size), torch.zeros(2, 2, *size)
    for cubic in (-0.5, -0.75):
        assert torch.equal(warp(padded(planes), u, cubic), planes)
        u[0] = 2
        assert torch.equal(warp(padded(planes), u, cubic)[..., :-2], planes[..., 2:])
        assert warp(padded(planes), u, cubic)[..., -2:].abs().max() == 0
        u[0] = 0


def test_only_the_half_bicubic_kernel_keeps_a_ramp() -> None:
    ramp = torch.arange(20.0).expand(3, 1, 8, 20) * 10
    u = torch.full((2, 1, 8, 20), 0.25)
    straight, bent = (warp(padded(ramp), u, cubic)[0, 0, 2:-3, 2:-3] for cubic in (-0.5, -0.75))
    assert torch.allclose(straight, ramp[0, 0, 2:-3, 2:-3] + 2.5, atol=1e-4)
    assert float((bent - ramp[0, 0, 2:-3, 2:-3] - 2.5).abs().max()) > 0.2


@pytest.mark.parametrize("side", [3, 5, 7])
def test_median_is_the_middle_value(side: int) -> None:
    x = noise(2, 2, 11, 13)
    wide = functional.pad(x, (side // 2,) * 4, mode="replicate")
    around = wide.unfold(2, side, 1).unfold(3, side, 1).flatten(-2)
    assert torch.equal(median(x, side), around.median(-1).values)


def test_the_selection_network_finds_the_median_of_any_zeros_and_ones() -> None:
    """The 0-1 principle, for nine values all of them."""
    for number in range(2**9):
        values = [number >> i & 1 for i in range(9)]
        expected = sorted(values)[4]
        for low, high, keep_low, keep_high in selection(9):
            pair = min(values[low], values[high]), max(values[low], values[high])
            values[low], values[high] = pair[0] if keep_low else values[low], pair[1] if keep_high else values[high]
        assert values[4] == expected


@pytest.mark.parametrize("cubic", [True, False])
def test_a_ramp_stays_a_ramp_at_another_size(cubic: bool) -> None:
    ramp = torch.arange(24.0).expand(2, 10, 24)
    for width in (12, 17, 48):
        at = (torch.arange(float(width)) + 0.5) * 24 / width - 0.5
        inner = (at > 2) & (at < 21)
        assert torch.allclose(resampled(ramp, 7, width, cubic)[0, 3][inner], at[inner], atol=1e-4)
    assert torch.allclose(resampled(ramp, 10, 24, cubic), ramp)


def test_bilinear_is_torchs() -> None:
    x = noise(2, 1, 9, 13)
    expected = functional.interpolate(x, (18, 20), mode="bilinear")
    assert torch.allclose(resampled(x, 18, 20, cubic=False), expected, atol=1e-3)


def test_vectors_grow_with_the_picture() -> None:
    u = torch.stack([torch.full((1, 4, 6), 2.0), torch.full((1, 4, 6), -1.0)])
    found = scaled_to(u, 9, 12)
    assert found.shape == (2, 1, 9, 12)
    assert torch.allclose(found[0], torch.tensor(4.0))
    assert torch.allclose(found[1], torch.tensor(-2.25))
