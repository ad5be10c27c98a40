"""What a head sees of a clip: looks as they are tested, rows as they are drawn, and nothing of the future."""

import numpy as np
import pytest

from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors.hands import Hands
from ego.extractors.mean_rgb import MeanRgb
from ego.heads._train import Predicted
from ego.pipeline.averaging import Looked, averaged
from ego.pipeline.cached import read_clips
from ego.pipeline.clips import Problem
from ego.pipeline.looks import check_causal
from ego.samplers import Sampling
from ego.tasks.classify import Classify
from ego.video import Array, Clip, Video

TASK = Classify(label="verb", classes=("x", "y"))
VIEWS = ((0.0, 0.0, 0.5, 1.0, 0.0), (0.5, 0.0, 1.0, 1.0, 1.0))


def world(tmp_path, features, parts, sampling, asked=()):
    """One video of 10 s; `features` are (rate, seconds a row, array) by name; rows say their number."""
    video = Video("a" * 64, "a", "a.mp4")
    clips = tuple(Clip(video, spans) for spans in parts)
    count = len(clips)
    labels, known = {"verb": np.arange(count) % 2}, {"verb": np.ones(count, bool)}
    problem = Problem(clips, ("",) * count, {"verb": TASK}, labels, known, {"": {"train": np.arange(count)}}, {})
    store, keys = FeatureStore(tmp_path / "store", create=True), {}
    for name, (rate, seconds, array) in features.items():
        begin = np.arange(int((10 - seconds) * rate) + 1) / rate
        time = np.stack([begin, begin + seconds / 2, begin + seconds], 1)
        rows = np.broadcast_to(np.arange(len(begin)).reshape(-1, *[1] * len(array.shape)), (len(begin), *array.shape))
        if array.views:
            rows = rows * 10 + np.arange(len(array.views))[:, None]
        keys[name] = {"a" * 64: FeatureKey(name, f"{len(name):064x}", "a" * 64)}
        block = {"time": time, "source": np.full((len(begin), 4), -1), "feature": rows.astype(array.dtype)}
        store.write(keys[name]["a" * 64], {"feature": array}, [block], {})
    return read_clips(problem, keys, asked, store, sampling)


def rows(batch, name, place=0):
    return batch.features[name][place, :, 0][batch.masks[name][place]].tolist()


def test_each_row_is_a_look_and_others_give_what_of_the_clip_lies_in_its_seconds(tmp_path):
    features = {"clip": (1.0, 2.0, Array((1,))), "frame": (2.0, 0.5, Array((1,)))}
    clips = world(tmp_path, features, [((0.5, 3.5),), ((8.5, 9.5),)], Sampling(pick="each"))
    looked = clips.looked()
    assert looked.place.tolist() == [0, 0, 0, 1]  # centres at 1, 2 and 3 s, and at 9
    found = looked.clips.batch(np.arange(4))
    assert [rows(found, "clip", i) for i in range(4)] == [[0], [1], [2], [8]]
    assert [rows(found, "frame", i) for i in range(4)] == [[1, 2, 3], [2, 3, 4, 5], [4, 5, 6], [17, 18]]
    # of seconds 0 to 4 the first is seen by one row, the second by two, the third by two, the fourth by one
    assert looked.weight.tolist() == pytest.approx([1.5 / 4, 1 / 4, 1.5 / 4, 1])
    assert {rows(clips.batch(np.array([0]), np.random.default_rng(seed)), "clip")[0] for seed in range(20)} == {0, 1, 2}


def test_looks_and_drawn_neighbours(tmp_path):
    features = {"rgb": (2.0, 0.5, Array((1,))), "flow": (8.0, 0.125, Array((1,)))}
    sampling = Sampling(rows=4, pick="consecutive", looks=3, draw="window")
    clips = world(tmp_path, features, [((0.0, 6.0),)], sampling, ("rgb", "flow"))
    looked = clips.looked()
    found = looked.clips.batch(np.arange(3))
    assert [rows(found, "rgb", i) for i in range(3)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    assert [rows(found, "flow", i)[0] for i in range(3)] == [0, 22, 44]
    for seed in range(30):
        batch = clips.batch(np.array([0]), np.random.default_rng(seed))
        rgb, flow = rows(batch, "rgb"), rows(batch, "flow")
        assert np.diff(rgb).tolist() == np.diff(flow).tolist() == [1, 1, 1]
        assert abs(rgb[0] / 8 - flow[0] / 44) < 1 / 8  # the same share of all starts


def test_views_are_drawn_in_training_and_averaged_in_tests(tmp_path):
    features = {"rgb": (2.0, 0.5, Array((2, 1), kind="vector", views=VIEWS))}
    clips = world(tmp_path, features, [((0.0, 2.0),), ((2.0, 4.0),)], Sampling(rows=2, views="draw"))
    assert clips.shapes["rgb"].shape == (1,)
    looked = clips.looked()
    assert (looked.place.tolist(), looked.weight.tolist()) == ([0, 0, 1, 1], [0.5] * 4)
    found = looked.clips.batch(np.arange(4))
    assert [rows(found, "rgb", i) for i in range(4)] == [[0, 20], [1, 21], [40, 60], [41, 61]]
    drawn = {tuple(rows(clips.batch(np.array([0]), np.random.default_rng(seed)), "rgb")) for seed in range(20)}
    assert drawn == {(0, 20), (1, 21)}


def test_a_leak_of_the_future_is_never_seen(tmp_path):
    """Rows know how late they are; every row that a head is shown ends before the clip's cut."""
    features = {"rgb": (10.0, 0.5, Array((1,), "float32"))}
    parts = [((start, start + 2.0),) for start in (0.5, 3.0, 4.05, 7.99)]
    for sampling, cuts in (
        (Sampling(anticipate=1.0, before=2.0), [part[0][0] - 1.0 for part in parts]),
        (Sampling(observe=0.25), [part[0][0] + 0.5 for part in parts]),
        (Sampling(rows=3, anticipate=0.5, draw="jitter"), [part[0][0] - 0.5 for part in parts]),
    ):
        clips = world(tmp_path / str(sampling.digest), features, parts, sampling)
        for i, cut in enumerate(cuts):
            shown = [clips.looked().clips.batch(np.array([i]))]
            shown += [clips.batch(np.array([i]), np.random.default_rng(seed)) for seed in range(20)]
            seen = [row / 10 + 0.5 for batch in shown for row in rows(batch, "rgb")]
            assert all(stop <= cut + 1e-6 for stop in seen)
            assert bool(seen) == (cut >= 0.5)


def test_what_looks_ahead_cannot_anticipate():
    check_causal("rgb", MeanRgb(), Sampling(anticipate=1.0))
    check_causal("hands", Hands(), Sampling())
    with pytest.raises(BadRequest, match="'hands' may know it: hands looks ahead; leave it out"):
        check_causal("hands", Hands(), Sampling(observe=0.5))


def test_probabilities_are_averaged_or_scores():
    scores = np.log(np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], np.float32)) + 3
    looked = Looked(None, np.array([0, 0, 1]), np.array([0.75, 0.25, 1.0]))
    one = Predicted(scores, np.array([1, 1, 0]), np.array([True, True, False]))
    found = averaged(one, looked, TASK, "probabilities")
    assert np.exp(found.predictions[0]).tolist() == pytest.approx([0.75 * 0.9 + 0.25 * 0.2, 0.75 * 0.1 + 0.25 * 0.8])
    assert (found.labels.tolist(), found.mask.tolist()) == ([1, 0], [True, False])
    plain = averaged(one, looked, TASK, "scores")
    assert plain.predictions[0].tolist() == pytest.approx((0.75 * scores[0] + 0.25 * scores[1]).tolist())
