"""Maps of gaze are the target of each row of gaze, stored or rendered on reading."""

from dataclasses import replace

import numpy as np
import pytest

from ego.errors import BadRequest
from ego.extractors._base import Beside, Block, Rows
from ego.extractors.gaze import Gaze
from ego.extractors.gaze_heatmap import GazeHeatmap
from ego.gaze import FIXATION, TRUNCATED, UNKNOWN, UNTRACKED, heatmap, kernel_heatmap
from ego.sampling import Window


def stored(spec: GazeHeatmap, point: np.ndarray, kinds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows as they are stored, from gaze as it is stored."""
    count = len(point)
    time, source = np.tile(np.arange(count)[:, None] / 24, 3), np.zeros((count, 4), np.int64)
    held = Rows({"point": point, "type": kinds, "blink": np.zeros(count, bool)}, time, source)
    blocks = [
        Block({}, time[part], source[part], {"gaze": sliced(held, part)}) for part in (slice(0, 7), slice(7, None))
    ]
    found = list(spec.follow(iter(blocks), Beside({}, 640, 480), {}, "cpu"))
    arrays = spec.rows({})
    return tuple(np.concatenate([arrays[name].cast(rows.arrays[name]) for rows in found]) for name in arrays)


def sliced(rows: Rows, part: slice) -> Rows:
    return Rows({name: array[part] for name, array in rows.arrays.items()}, rows.time[part], rows.source[part])


POINT = np.random.default_rng(0).uniform(0, 1, (40, 2)).astype(np.float32)
KINDS = np.array([FIXATION, UNTRACKED, TRUNCATED, UNKNOWN] * 10, np.int8)
VALID = np.array([True, False, False, True] * 10)


@pytest.mark.parametrize(
    "spec",
    [
        GazeHeatmap(),
        GazeHeatmap(grid=14, sigma=1.5, kind="prob"),
        GazeHeatmap(grid=56, kind="prob", kernel=19),
        GazeHeatmap(sigma=3.0, centres="whole"),
    ],
)
def test_what_is_stored_equals_what_is_rendered_on_reading(spec: GazeHeatmap) -> None:
    maps, valid = stored(spec, POINT, KINDS)
    assert maps.dtype == np.float16
    assert maps.shape[1:] == spec.rows({})["feature"].shape
    shape = (spec.grid, spec.grid)
    rendered = (
        kernel_heatmap(POINT, VALID, shape, spec.kernel)
        if spec.kernel
        else heatmap(POINT, VALID, shape, spec.sigma, spec.kind, spec.centres)
    )
    assert np.abs(maps.astype(np.float32) - rendered).max() <= np.spacing(np.float16(rendered.max())) / 2
    assert np.array_equal(valid, VALID)
    assert not maps[~VALID].any()
    assert np.array_equal(maps, rendered.astype(np.float16))


def test_the_default_is_the_papers_target() -> None:
    maps, _ = stored(GazeHeatmap(), np.full((8, 2), 0.5, np.float32), np.ones(8, np.int8))
    assert maps[0, 3, 3] == 1
    assert float(maps[0, 0, 0]) == pytest.approx(0.47965, abs=5e-4)


def test_what_means_nothing_is_refused() -> None:
    for fields in ({"sigma": 0.0}, {"kernel": 4, "kind": "prob"}, {"kernel": 19}, {"window": Window(fps=10.0)}):
        with pytest.raises(BadRequest):
            GazeHeatmap(**fields)
    tens = Window(fps=10.0)
    assert GazeHeatmap(tens, Gaze(tens)).window == replace(Gaze(), window=tens).window
