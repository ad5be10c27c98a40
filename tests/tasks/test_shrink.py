"""Maps made small: the mean stays, whatever the sides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ego.tasks import _shrink
from ego.tasks._shrink import shrink


@pytest.mark.parametrize("size", [7, 14, 28])
def test_full_and_empty_maps(size: int) -> None:
    maps = np.stack([np.ones((240, 320), bool), np.zeros((240, 320), bool)])
    small = shrink(maps, size)
    assert small[0] == pytest.approx(np.ones((size, size)), abs=1e-5)
    assert not small[1].any()


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 30))
def test_the_mean_of_a_map_stays(height: int, width: int, size: int) -> None:
    maps = np.random.default_rng(height * width).uniform(0, 1, (2, height, width)).astype(np.float32)
    small = shrink(maps, size)
    assert small.mean(axis=(1, 2)) == pytest.approx(maps.mean(axis=(1, 2)), abs=1e-5)


def test_whole_blocks_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_shrink, "CHUNK_BYTES", 1)
    maps = np.random.default_rng(0).uniform(0, 1, (3, 14, 21)).astype(np.float32)
    assert shrink(maps, 7) == pytest.approx(maps.reshape(3, 7, 2, 7, 3).mean(axis=(2, 4)), abs=1e-6)


def test_bilinear_is_torchs() -> None:
    import torch

    maps = np.random.default_rng(0).uniform(0, 1, (2, 224, 224)).astype(np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(maps)[:, None], (7, 7), mode="bilinear", align_corners=False
    )[:, 0].numpy()
    assert shrink(maps, 7, "bilinear") == pytest.approx(expected, abs=1e-5)


def test_maps_without_a_pixel() -> None:
    assert shrink(np.zeros((2, 0, 0), bool), 7).tolist() == np.zeros((2, 7, 7)).tolist()
