"""Rows that are no numbers are found in any type, whoever wrote them."""

import numpy as np
import pytest

from ego.errors import BadRequest
from ego.pipeline import finite
from ego.pipeline.finite import first_not_finite


@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_the_first_odd_row_is_found_in_every_block(kind, odd, monkeypatch):
    monkeypatch.setattr(finite, "BLOCK_BYTES", 64)
    rows = np.full((50, 2, 3), np.finfo(kind).max, kind)
    assert first_not_finite(rows) is None
    rows[37, 1, 2] = odd
    assert first_not_finite(rows) == 37


def test_whole_numbers_and_nothing_are_finite():
    assert first_not_finite(np.full((3, 2), 255, np.uint8)) is None
    assert first_not_finite(np.empty((0, 4), np.float16)) is None


def test_a_run_on_rows_that_are_no_numbers_names_the_video_and_the_entry(colours, monkeypatch, tmp_path):
    """The store takes no such rows, so they come from a pack that another program wrote."""
    import sys

    from ego.cache.pack import Pack
    from ego.pipeline import packs

    real = packs.pack

    def broken(*arguments, **options):
        made = real(*arguments, **options)
        rows = made["feature"].copy()
        rows[made.rows(1).start + 7] = np.nan
        return Pack(made.keys, made.offsets, made.arrays, {"time": made.time, "feature": rows})

    monkeypatch.setattr(packs, "pack", broken)
    with pytest.raises(
        BadRequest, match=r"colour of '(one|two|three)' holds a value that is no number near 1\.50 s; de"
    ):
        sys.modules["colours"].fit(colours, tmp_path)
