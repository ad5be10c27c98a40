"""Rows on a device: the same batches, whatever is gathered, as far as there is room."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.pipeline.cached import read_clips
from ego.pipeline.clips import Problem
from ego.pipeline.resident import on_device, placed
from ego.samplers import Sampling
from ego.tasks.classify import Classify
from ego.video import Array, Clip, Video

DIGEST = "a" * 64
VIEWS = ((0.0, 0.0, 0.5, 1.0, 0.0), (0.5, 0.0, 1.0, 1.0, 0.0))
ELSEWHERE = "cpu:0"
"""The CPU by its other name: all is done as on another device."""


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store", create=True)


def clips(store, array, pooled=False, views="axis"):
    """Three clips, one of a single row, over 12 rows of noise."""
    key = FeatureKey("rgb", f"{len(array.shape):064x}", DIGEST)
    begin = np.arange(12) * 0.5
    rows = (np.random.default_rng(0).normal(size=(12, *array.shape)) * 20).astype(array.dtype)
    block = {"time": np.stack([begin, begin + 0.25, begin + 0.5], 1), "source": np.full((12, 4), -1), "feature": rows}
    store.write(key, {"feature": array}, [block], {})
    video = Video(DIGEST, "a", "a.mp4")
    some = tuple(Clip(video, (span,)) for span in ((0.0, 2.0), (2.0, 2.5), (1.0, 6.0)))
    task = {"verb": Classify(label="verb", classes=("x", "y"))}
    labels, known = {"verb": np.array([0, 1, 0])}, {"verb": np.ones(3, bool)}
    problem = Problem(some, ("",) * 3, task, labels, known, {"": {"train": np.arange(3)}}, {})
    found = read_clips(problem, {"rgb": {DIGEST: key}}, (), store, Sampling(rows=2, draw="jitter", views=views))
    return replace(found, columns={name: replace(one, pooled=pooled) for name, one in found.columns.items()})


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize(
    ("array", "views"),
    [(Array((3,)), "axis"), (Array((2, 3), views=VIEWS), "draw"), (Array((2, 2), "int16", scale=0.5), "axis")],
)  # fmt: skip
def test_batches_are_the_same(store, array, views, pooled):
    plain = clips(store, array, pooled, views)
    there = placed(plain, ELSEWHERE, room=10_000)
    assert there.columns["rgb"].device == ELSEWHERE
    for seed in (None, 1, 2):
        one, other = (
            some.batch(np.arange(3), None if seed is None else np.random.default_rng(seed)) for some in (plain, there)
        )
        assert torch.equal(one.features["rgb"], other.features["rgb"])
        assert torch.equal(one.masks["rgb"], other.masks["rgb"])
    one, other = (some.looked().clips.batch(np.arange(3)) for some in (plain, there))
    assert torch.equal(one.features["rgb"], other.features["rgb"])


def test_rows_that_do_not_fit_stay_where_they_are(store):
    plain = clips(store, Array((3,)))
    assert plain.columns["rgb"].bytes == 12 * 3 * 2
    assert placed(plain, ELSEWHERE, room=71).columns["rgb"].device == "cpu"
    assert placed(plain, ELSEWHERE, room=72).columns["rgb"].device == ELSEWHERE
    assert on_device(plain, "cpu") is plain
