"""Clips gathered from the store: right rows, right masks, absent entries masked, several features at once."""

from dataclasses import replace

import numpy as np
import pytest

from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.heads._train import begin
from ego.heads._training import Training
from ego.heads.linear import Linear
from ego.pipeline.cached import feature_name, read_clips
from ego.pipeline.clips import Problem
from ego.samplers import Sampling
from ego.tasks.classify import Classify
from ego.video import Array, Clip, Video

DIGESTS = ["a" * 64, "b" * 64]
TASK = Classify(label="verb", classes=("x", "y"))


@pytest.fixture
def problem():
    videos = [Video(digest, digest[0], f"{digest[0]}.mp4") for digest in DIGESTS]
    clips = (
        Clip(videos[0], ((0.0, 1.0),)),
        Clip(videos[1], ((1.0, 3.0),)),
        Clip(videos[0], ((2.0, 2.5),)),
        Clip(videos[1], ()),
    )
    labels = {"verb": np.array([0, 1, 0, 0])}
    labelled = {"verb": np.array([True, True, False, True])}
    return Problem(clips, ("",) * 4, {"verb": TASK}, labels, labelled, {"": {"train": np.arange(4)}}, {})


def write(store, name, rows, arrays, absent=()):
    """Entries whose rows say video * 100 + row; {video digest: key}."""
    keys = {digest: FeatureKey(name, f"{len(name):064x}", digest) for digest in DIGESTS}
    for number, (digest, key) in enumerate(keys.items()):
        if digest in absent:
            store.absent(key, arrays, "it has no sound", {})
            continue
        begin = np.arange(rows) * 0.5
        time = np.stack([begin, begin + 0.25, begin + 0.5], 1)
        block = {"time": time, "source": np.full((rows, 4), -1)}
        for array, what in arrays.items():
            value = (number * 100 + np.arange(rows)).reshape(rows, *[1] * len(what.shape))
            block[array] = np.broadcast_to(value, (rows, *what.shape)).astype(what.dtype)
        store.write(key, arrays, [block], {})
    return keys


def test_rows_masks_and_labels_by_hand(problem, tmp_path):
    store = FeatureStore(tmp_path / "store", create=True)
    keys = write(store, "rgb", 8, {"feature": Array((2,))})
    clips = read_clips(problem, {"rgb": keys}, (), store, Sampling()).only(np.array([3, 0, 1, 2]))
    assert len(clips) == 4
    batch = clips.batch(np.array([1, 2, 3]))
    assert batch.features["rgb"].shape == (3, 4, 2)
    both = zip(batch.features["rgb"][:, :, 0], batch.masks["rgb"], strict=True)
    seen = [rows[mask].tolist() for rows, mask in both]
    assert seen == [[0, 1], [102, 103, 104, 105], [4]]
    assert batch.labels["verb"].tolist() == [0, 1, 0]
    assert batch.labelled["verb"].tolist() == [True, True, False]
    assert clips.batch(np.array([0])).features["rgb"][0, :, 0].tolist() == list(range(100, 108))
    assert clips.only(np.array([2])).batch(np.array([0])).features["rgb"][0, :, 0].tolist() == [4]


@pytest.mark.parametrize("pooled", [False, True])
def test_a_row_that_is_one_number_is_a_vector_of_it(problem, tmp_path, pooled):
    store = FeatureStore(tmp_path / "store", create=True)
    keys = write(store, "gaze", 8, {"type": Array((), "int8"), "pupil": Array(())})
    clips = read_clips(problem, {"gaze": keys}, (), store, Sampling())
    clips = replace(clips, columns={name: replace(one, pooled=pooled) for name, one in clips.columns.items()})
    assert {name: array.shape for name, array in clips.shapes.items()} == {"gaze.type": (1,), "gaze.pupil": (1,)}
    batch = clips.batch(np.array([0, 1, 2]))
    assert batch.features["gaze.type"].shape == (3, 4, 1)
    assert batch.features["gaze.pupil"].shape == (3, 1 if pooled else 4, 1)
    module = begin(Linear(), clips.shapes, {"verb": TASK}, Training())
    assert module(batch.features, batch.masks, ("verb",))["verb"].shape == (3, 2)


def test_an_absent_entry_is_masked_and_several_arrays_have_names(problem, tmp_path):
    store = FeatureStore(tmp_path / "store", create=True)
    sound = write(store, "sound", 4, {"feature": Array((3,))}, absent=DIGESTS[:1])
    hands = write(store, "hands", 8, {"boxes": Array((4,), "int16", scale=0.5), "score": Array((1,))})
    clips = read_clips(problem, {"sound": sound, "hands": hands}, (), store, Sampling())
    assert set(clips.columns) == {"sound", "hands.boxes", "hands.score"}
    batch = clips.batch(np.array([0, 1, 2]))
    assert batch.masks["sound"].sum(dim=1).tolist() == [0, 2, 0]
    assert batch.masks["hands.boxes"].sum(dim=1).tolist() == [2, 4, 1]
    assert batch.features["hands.boxes"][1, :, 0].tolist() == [51, 51.5, 52, 52.5]  # stored * scale
    only = read_clips(problem, {"hands": hands}, ("hands.score",), store, Sampling())
    assert set(only.columns) == {"hands.score"}
    with pytest.raises(BadRequest, match=r"asks for 'hands\.nails', what is stored is: hands\.boxes, hands\.score"):
        read_clips(problem, {"hands": hands}, ("hands.score", "hands.nails"), store, Sampling())


def test_entries_that_are_all_absent_are_masked(problem, tmp_path):
    store = FeatureStore(tmp_path / "store", create=True)
    keys = write(store, "sound", 4, {"feature": Array((3,))}, absent=DIGESTS)
    batch = read_clips(problem, {"sound": keys}, (), store, Sampling(rows=2)).batch(np.arange(4))
    assert batch.features["sound"].shape == (4, 1, 3)
    assert not batch.masks["sound"].any()


def test_names():
    assert (feature_name("rgb", "feature"), feature_name("hands", "boxes")) == ("rgb", "hands.boxes")
