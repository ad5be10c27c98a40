"""TV-L1 on textures whose motion is known, on the kitchen's true flow, and against OpenCV's DualTVL1."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ego.extractors._flow_engines import grey
from ego.extractors.tvl1 import TVL1
from ego.layers import tvl1
from ego.layers.flow_codec import resized
from ego.layers.tvl1_pyramid import central_gradient, padded, warp

Field = NDArray[np.float32]
QUALITY, FAST, OPENCV = (TVL1(preset=one).constants for one in ("quality", "fast", "opencv"))
PRESETS = pytest.mark.parametrize("k", [QUALITY, FAST], ids=["quality", "fast"])


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def texture(height: int, width: int, x: float = 0, y: float = 0, seed: int = 0) -> Field:
    """White noise blurred with a deviation of 3 pixels, moved exactly by (x, y), 0 to 255."""
    tall, wide = height + 128, width + 128
    fy, fx = np.fft.fftfreq(tall)[:, None], np.fft.fftfreq(wide)
    noise = np.fft.fft2(np.random.default_rng(seed).standard_normal((tall, wide)))
    noise *= np.exp(-2 * (np.pi * 3.0) ** 2 * (fx * fx + fy * fy))
    still = np.fft.ifft2(noise).real
    steps = np.round(tall * fy), np.round(wide * fx)
    moved = np.fft.ifft2(noise * np.exp(-2j * np.pi * (steps[1] * x / wide + steps[0] * y / tall))).real
    scaled = (moved - still.min()) / (still.max() - still.min()) * 255
    return scaled[64 : 64 + height, 64 : 64 + width].astype(np.float32)


def zoomed(height: int, width: int, factor: float) -> tuple[Field, Field, Field]:
    """A texture, the same grown about its centre, and the flow between them."""
    still = texture(height, width)
    x, y = (width - 1) / 2, (height - 1) / 2
    matrix = np.array([[factor, 0, x - factor * x], [0, factor, y - factor * y]])
    grown = cv2.warpAffine(still, matrix, (width, height), flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT)
    columns, rows = np.meshgrid(np.arange(width) - x, np.arange(height) - y)
    return still, grown, ((factor - 1) * np.stack([columns, rows])).astype(np.float32)


def moved(height: int, width: int, x: float, y: float, seed: int = 0) -> tuple[Field, Field, Field]:
    """A texture, the same moved, and the flow between them."""
    truth = np.broadcast_to(np.array([x, y], np.float32)[:, None, None], (2, height, width))
    return texture(height, width, seed=seed), texture(height, width, x, y, seed), truth


def ours(first: Field, second: Field, k: tvl1.Constants) -> Field:
    return tvl1.flow(torch.from_numpy(first)[None], torch.from_numpy(second)[None], k)[0].numpy()


def opencv(first: Field, second: Field) -> Field:
    method = cv2.optflow.DualTVL1OpticalFlow_create()
    method.setScaleStep(0.5)
    method.setScalesNumber(5)
    method.setWarpingsNumber(5)
    method.setOuterIterations(1)
    method.setInnerIterations(10)
    pictures = [np.clip(np.rint(one), 0, 255).astype(np.uint8) for one in (first, second)]
    return method.calc(*pictures, None).transpose(2, 0, 1)


def error(found: Field, truth: Field, border: int = 20) -> float:
    """Mean end-point error in pixels, the border aside."""
    inner = np.s_[:, border:-border, border:-border] if border else np.s_[:]
    return float(np.linalg.norm((found - truth)[inner], axis=0).mean())


CASES = {
    "translation": moved(120, 160, 3, -2),
    "subpixel": moved(120, 160, 0.5, 0.25),
    "12 px": moved(120, 160, 12, 0),
    "zoom": zoomed(120, 160, 1.05),
    "translation, larger": moved(240, 320, 3, -2),
}


@PRESETS
def test_translation(k: tvl1.Constants) -> None:
    found = ours(*CASES["translation"][:2], k)
    assert found[:, 20:-20, 20:-20].mean((1, 2)) == pytest.approx(
        [3, -2], abs=0.1
    )  # I1 is I0 moved right by 3: u is +3
    assert error(found, CASES["translation"][2]) < 0.02


@PRESETS
def test_subpixel_zoom_and_a_long_way(k: tvl1.Constants) -> None:
    assert error(ours(*CASES["subpixel"][:2], k), CASES["subpixel"][2]) < 0.02
    assert error(ours(*CASES["zoom"][:2], k), CASES["zoom"][2]) < 0.03
    assert error(ours(*CASES["12 px"][:2], k), CASES["12 px"][2]) < 0.02
    single = replace(k, rule=replace(k.rule, scales=1))
    assert error(ours(*CASES["12 px"][:2], single), CASES["12 px"][2]) > 8


@pytest.mark.parametrize(
    ("k", "by"), [(QUALITY, (30, 0)), (QUALITY, (0, -30)), (QUALITY, (-20, 22)), (FAST, (30, 0)), (FAST, (0, -15))]
)
def test_thirty_pixels(k: tvl1.Constants, by: tuple[int, int]) -> None:
    first, second, truth = moved(240, 320, *by)
    assert error(ours(first, second, k), truth, 35) < 0.1  # half a pixel is asked for


@pytest.mark.parametrize("case", CASES)
def test_at_least_as_exact_as_opencv(case: str) -> None:
    first, second, truth = CASES[case]
    theirs = error(opencv(first, second), truth)
    assert error(ours(first, second, QUALITY), truth) <= 1.05 * theirs
    assert error(ours(first, second, FAST), truth) <= 1.05 * theirs


@pytest.fixture(scope="module")
def kitchen() -> list[tuple[Field, Field, Field]]:
    """Pairs of consecutive frames of a drawn kitchen, grey, and their true flow."""
    from ego.datasets.kitchen import flow
    from ego.datasets.kitchen.film import Order, direct
    from ego.datasets.kitchen.paint import Painter
    from ego.datasets.kitchen.poses import Poses

    film = direct(Order(3, 0, "train", 4.0, 30.0, (320, 240), social=0.0))
    drawn, poses = list(Painter(film).frames()), Poses(film)
    pairs = []
    for index in (10, 40, 70, 100):
        shades = [grey(torch.from_numpy(drawn[i].picture)).numpy() for i in (index, index + 1)]
        truth = flow.between(film, poses, index, drawn[index].parts)
        pairs.append((shades[0], shades[1], truth.astype(np.float32).transpose(2, 0, 1)))
    return pairs


def test_the_kitchens_true_flow_is_found_better_than_by_opencv(kitchen: list[tuple[Field, Field, Field]]) -> None:
    theirs = np.mean([error(opencv(first, second), truth, 0) for first, second, truth in kitchen])
    for k in (QUALITY, FAST):
        found = np.mean([error(ours(first, second, k), truth, 0) for first, second, truth in kitchen])
        assert found <= 1.05 * theirs


@pytest.mark.parametrize("k", [QUALITY, FAST, OPENCV])
def test_nothing_moves_between_equal_pictures(k: tvl1.Constants) -> None:
    still = texture(61, 83)
    assert np.abs(ours(still, still, replace(k, inner=min(k.inner, 10)))).max() < 1e-6


def test_swapped_pictures_move_back() -> None:
    first, second, _ = CASES["translation"]
    there, back = ours(first, second, QUALITY), ours(second, first, QUALITY)
    assert np.linalg.norm((there + back)[:, 20:-20, 20:-20], axis=0).mean() < 0.05


def test_flow_of_resized_pictures_is_the_resized_flow() -> None:
    first, second, _ = moved(240, 320, 3, -2)
    half = [cv2.resize(one, (160, 120), interpolation=cv2.INTER_AREA) for one in (first, second)]
    large = resized(torch.from_numpy(ours(first, second, QUALITY)), 120, 160).numpy()
    assert large[:, 20:-20, 20:-20].mean((1, 2)) == pytest.approx([1.5, -1], abs=0.1)
    assert error(large, ours(half[0], half[1], QUALITY), 20) < 0.3


def test_energy_is_below_that_of_no_flow() -> None:
    first, second, _ = CASES["translation"]

    def energy(u: Field) -> float:
        flow = torch.from_numpy(u)[:, None]
        planes = padded(torch.stack([torch.from_numpy(second)[None]] * 3))
        residual = warp(planes, flow, -0.5)[0, 0] - torch.from_numpy(first)
        gradient = torch.empty(2, *flow.shape)
        tvl1.forward_gradient(flow, gradient)
        return float(0.15 * residual.abs()[20:-20, 20:-20].sum() + gradient.square().sum(0).sqrt().sum())

    assert energy(ours(first, second, QUALITY)) < 0.2 * energy(np.zeros((2, 120, 160), np.float32))


def test_gradient_and_divergence_are_negative_adjoints() -> None:
    generator = torch.Generator().manual_seed(0)
    u = torch.randn(2, 3, 7, 9, generator=generator, dtype=torch.float64)
    p = torch.randn(2, 2, 3, 7, 9, generator=generator, dtype=torch.float64)
    p[0, ..., -1], p[1, ..., -1, :] = 0, 0
    gradient, divergence = torch.empty_like(p), torch.zeros_like(u)
    tvl1.forward_gradient(u, gradient)
    tvl1.add_divergence(divergence, p)
    assert float((gradient * p).sum() + (u * divergence).sum()) == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize(("residual", "expected"), [(-6.0, 0.45), (6.0, -0.45), (2.0, -0.2)])
def test_the_data_term_has_three_cases(residual: float, expected: float) -> None:
    first, u = torch.zeros(1, 1, 1), torch.zeros(2, 1, 1, 1)
    warped = torch.tensor([residual, 10.0, 0.0]).view(3, 1, 1, 1)
    pairs = tvl1.Pairs(u, torch.zeros(2, 2, 1, 1, 1), *tvl1.linearised(first, warped, u))
    pairs.step(QUALITY)
    assert pairs.u.flatten().tolist() == pytest.approx([expected, 0.0])


def test_without_gradient_the_data_term_is_silent() -> None:
    u = torch.zeros(2, 1, 1, 1)
    pairs = tvl1.Pairs(
        u, torch.zeros(2, 2, 1, 1, 1), *tvl1.linearised(u[0], torch.tensor([[[[9.0]]], [[[0]]], [[[0]]]]), u)
    )
    pairs.step(QUALITY)
    assert pairs.u.abs().max() == 0


def test_the_dual_step() -> None:
    """A ramp of (.3, .4) with the data term silent: p goes from 0 to (.17647, .23529)."""
    u = torch.stack([torch.tensor([[0.0, 0.3], [0.4, 0.7]])] * 2)[:, None]
    pairs = tvl1.Pairs(u, torch.zeros(2, 2, 1, 2, 2), torch.zeros(2, 1, 2, 2), torch.zeros(3, 1, 2, 2))
    pairs.step(QUALITY)
    assert (pairs.p[:, 0, 0, 0, 0] / QUALITY.theta).tolist() == pytest.approx([0.17647, 0.23529], abs=1e-5)


def test_the_dual_stays_in_the_unit_disc() -> None:
    first, second = torch.from_numpy(texture(40, 50))[None], torch.from_numpy(texture(40, 50, seed=1))[None]
    planes, u = padded(torch.cat([second[None], central_gradient(second)])), torch.zeros(2, 1, 40, 50)
    pairs = tvl1.Pairs(u, torch.zeros(2, 2, 1, 40, 50), *tvl1.linearised(first, warp(planes, u, -0.5), u))
    for _ in range(60):
        pairs.step(QUALITY)
        assert float((pairs.p / QUALITY.theta).square().sum(0).sqrt().max()) <= 1 + 1e-6


@pytest.mark.parametrize("size", [(96, 128), (61, 83), (17, 33)])
@pytest.mark.parametrize("k", [QUALITY, FAST, OPENCV], ids=["quality", "fast", "opencv"])
def test_a_pair_does_not_know_its_company(k: tvl1.Constants, size: tuple[int, int]) -> None:
    """Bit for bit: some converge at once, some late, in batches of seven and alone; and again."""
    k = replace(k, inner=min(k.inner, 60 if k.outer == 1 else 5), outer=min(k.outer, 2))
    shown = [(texture(*size), texture(*size, 0.7 * i, -0.3 * i, seed=i % 3)) for i in range(7)]
    shown[3] = (shown[3][0], shown[3][0])
    first, second = (torch.from_numpy(np.stack([pair[side] for pair in shown])) for side in (0, 1))
    together = tvl1.flow(first, second, k)
    assert torch.equal(together, tvl1.flow(first, second, k))
    assert torch.equal(together, torch.cat([tvl1.flow(first[i : i + 1], second[i : i + 1], k) for i in range(7)]))


def test_converged_pairs_leave_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of eight pairs seven are equal pictures: after the first iteration of each warp one is left."""
    worked: list[int] = []
    step: Callable[..., None] = tvl1.Pairs.step
    monkeypatch.setattr(tvl1.Pairs, "step", lambda self, k: (worked.append(self.u.shape[1]), step(self, k))[1])
    still, other = texture(40, 60), texture(40, 60, 2, 1)
    first = torch.from_numpy(np.stack([still] * 8))
    second = torch.from_numpy(np.stack([still] * 7 + [other]))
    tvl1.flow(first, second, QUALITY)
    levels = len(range(tvl1_levels(40, 60)))
    assert worked.count(8) == QUALITY.warps * levels
    assert set(worked) == {8, 1}


def tvl1_levels(height: int, width: int) -> int:
    from ego.layers.tvl1_pyramid import level_sizes

    return len(level_sizes(height, width, QUALITY.rule))


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (16, 16)])
def test_any_size_is_taken(size: tuple[int, int]) -> None:
    drawn = torch.rand(2, *size, generator=torch.Generator().manual_seed(0)) * 255
    assert tvl1.flow(drawn, drawn.flip(0), FAST).isfinite().all()
    assert tvl1.flow(drawn[:0], drawn[:0], FAST).shape == (0, 2, *size)
