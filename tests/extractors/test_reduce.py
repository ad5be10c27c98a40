"""Maps made small keep their area."""

import cv2
import numpy as np
import pytest

from ego.extractors._reduce import area_mean, occupied


@pytest.mark.parametrize("side", [7, 14, 28])
def test_the_mean_of_each_cell_as_another_library_has_it(side: int) -> None:
    maps = np.random.default_rng(0).random((3, 224, 224)) > 0.6
    small = area_mean(maps, side, side)
    assert small.shape == (3, side, side)
    assert small[1] == pytest.approx(cv2.resize(maps[1].astype(np.float32), (side, side), interpolation=cv2.INTER_AREA))
    assert small.mean(axis=(1, 2)) == pytest.approx(maps.mean(axis=(1, 2)), abs=1e-6)


def test_cells_that_do_not_divide_the_picture_share_its_pixels() -> None:
    maps = np.zeros((1, 540, 962), bool)
    maps[0, :, :481] = True
    small = area_mean(maps, 7, 7)
    assert small[0, 0] == pytest.approx([1, 1, 1, 0.5, 0, 0, 0], abs=1e-5)
    assert area_mean(np.ones((5, 3), np.uint8), 7, 7) == pytest.approx(np.ones((7, 7)), abs=1e-5)


def test_one_pixel_occupies_its_cell() -> None:
    maps = np.zeros((2, 540, 960), bool)
    maps[1, 300, 500] = True
    found = occupied(maps)
    assert found.sum() == 1
    assert found[1, 300 * 7 // 540, 500 * 7 // 960]
    assert not occupied(maps, 7, above=0.5).any()
    assert occupied(~maps, 7, above=0.5).all()
