"""Samplers: the published code's indices, the papers' counts, and every row where it should be."""

import json

import numpy as np
import pytest

from ego import samplers
from ego.errors import BadRequest
from ego.samplers import Sampling


@pytest.fixture(scope="module")
def pins(shared_data):
    with np.load(shared_data / "parity" / "samplers.npz") as found:
        return {name.removeprefix("indices/"): found[name] for name in found.files}


def test_the_published_loaders_pick_the_same(pins):
    checked = 0
    for row, n in enumerate(pins["n"].tolist()):
        for name, indices in pins.items():
            if (found := published(name, n)) is not None:
                want = indices[row - (len(pins["n"]) - len(indices))] if indices.ndim > 1 else indices[row : row + 1]
                assert np.asarray(found).tolist() == want.tolist(), (name, n)
                checked += 1
    assert checked > 16 * 15


def published(name, n):
    """The pin's indices by our samplers, counted as that loader counts."""
    kind, *rest = name.split("_")
    if kind == "middle":
        start = int(rest[2].removeprefix("start")) if len(rest) > 2 else 0
        return start + samplers.middle(n, 16, int(rest[1].removeprefix("w")))
    if kind == "egornn":
        return 1 + samplers.start(n, int(rest[0]))
    if kind == "lsta":
        return 1 + samplers.ends(n, int(rest[0]))
    if kind == "flow5" and rest == ["eval"]:
        return [1 + samplers.centred(n, 5)]
    if kind == "flow5":  # rows of five flow images begin at each image but the last four
        rows = (n - 5, 5) if rest[-1] == "twostream" else (n - 4, 5)
        pick = samplers.ends if rest[-1] == "twostream" else samplers.start
        return 1 + pick(max(rows[0], 1), rows[1])
    if kind == "fpar16":
        return 1 + Sampling(rows=16, pick="consecutive").tested(n)[0]
    if kind == "tsn" and not (rest[0] == "test" and n < int(rest[2])):
        pick = samplers.segments_checked if rest[0] == "val" else samplers.segments
        return 1 + pick(n, int(rest[1]), int(rest[2]))
    return None


def test_spans_of_clips_are_those_of_the_video_libraries(shared_data):
    pins = json.loads((shared_data / "parity" / "sampler_clips.json").read_text())
    for pin in pins["uniform"]:
        found = samplers.every(pin["duration"], pin["clip"], pin["stride"], pin["backpad_last"])
        assert np.allclose(found, pin["windows"])
    for pin in pins["constant_clips_per_video"]:
        assert np.allclose(samplers.spread(pin["duration"], pin["clip"], pin["clips"]), pin["windows"])
    for pin in pins["pyslowfast"]:
        first, last = samplers.temporal_view(
            pin["video"], pin["clip"], pin["clip_idx"], pin["num_clips"], pin["use_offset"]
        )
        assert (first, last) == pytest.approx((pin["start"], pin["end"]))
        frames = np.linspace(first, last, 32).clip(0, pin["video"] - 1).astype(int)
        assert frames.tolist() == pin["frames32"]
    for pin in pins["tsn_mmaction2"]:
        assert mmaction2(pin) == pin["frame_inds"], pin


def mmaction2(pin):
    count, views, length = pin["total_frames"], pin["num_clips"], pin["clip_len"]
    if length > 1:
        beyond = "hold" if pin.get("out_of_bound_opt") == "repeat_last" else "loop"
        return np.concatenate(samplers.runs(count, length, pin["frame_interval"], views, beyond)).tolist()
    first = samplers.segments(count, views).tolist()
    return first + np.floor(np.arange(views) * count / views).astype(int).tolist() if pin.get("twice_sample") else first


def test_numbers_of_the_papers():
    assert samplers.middle(200, 16, 32).tolist() == [*range(84, 100, 2), *range(101, 115, 2), 116]
    assert samplers.middle(20, 16, 32).tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 15, 16, 17, 19]
    assert (1 + samplers.start(40, 7)).tolist() == [1, 6, 12, 17, 23, 28, 34]
    assert (1 + samplers.start(5, 7)).tolist() == [1, 1, 2, 2, 3, 3, 4]
    assert (1 + samplers.ends(40, 25))[[0, -1]].tolist() == [1, 40]
    assert (1 + samplers.start(40, 25))[-1] == 38


def test_strided_clips_cover_every_frame_and_average_them():
    # clips of 16 frames every 8, one more that ends with the video: n = 30 has three
    starts = np.array([0, 8, 14.0])
    time = np.stack([starts, starts + 8, starts + 16], axis=1)
    weights = samplers.covered(time)
    scores = np.array([1.0, 2.0, 4.0])
    frames = [scores[(starts <= frame) & (frame < starts + 16)].mean() for frame in range(30)]
    assert scores @ weights == pytest.approx(np.mean(frames))
    assert weights.sum() == pytest.approx(1)
    assert samplers.covered(time[:1]).tolist() == [1.0]


@pytest.mark.parametrize("n", [1, 5, 7, 8, 9, 16, 23, 361])
def test_every_frame_is_counted_once_by_the_gaze_protocol(n):
    blocks = samplers.frame_by_frame(n)
    assert np.concatenate([counted for _, counted in blocks]).tolist() == list(range(n))
    for shown, counted in blocks:
        assert len(shown) == 16
        assert set(counted) <= set(shown)
        assert shown[::2].tolist() == shown[1::2].tolist()
        if n >= 8:  # output k is of frame shown[2 k]
            assert np.diff(shown[::2]).tolist() == [1] * 7


def test_drawn_rows_stay_inside_and_meet_all_rows():
    generator = np.random.default_rng(0)
    for sampling in (
        Sampling(rows=5, draw="jitter"),
        Sampling(rows=5, pick="consecutive", draw="window"),
        Sampling(rows=5, pick="middle", window=9, draw="window"),
        Sampling(rows=5, draw="speed"),
    ):
        for count in (1, 4, 5, 9, 40):
            found = [sampling.drawn(count, generator.random(6)) for _ in range(400)]
            assert all(len(one) == 5 and one.min() >= 0 and one.max() < count for one in found)
            assert all((np.diff(one) >= 0).all() for one in found)
            if count not in (5, 9) or sampling.pick != "middle":  # a window as long as the clip does not move
                never = {count - 1} if sampling.draw == "speed" and count > 4 else set()  # it truncates
                assert set(np.concatenate(found).tolist()) >= set(range(count)) - never, (sampling, count)


def test_equal_dice_are_equal_moments_at_other_rates():
    dice = np.random.default_rng(1).random(9)
    slow, fast = (Sampling(rows=8, draw="jitter").drawn(count, dice) for count in (40, 400))
    assert (abs(fast / 400 - slow / 40) <= 1 / 40).all()


def test_looks_are_spread_from_first_to_last():
    looks = Sampling(rows=16, pick="consecutive", looks=3).tested(50)
    assert [(int(one[0]), int(one[-1])) for one in looks] == [(0, 15), (17, 32), (34, 49)]
    assert [one.tolist() for one in Sampling(pick="each").tested(3)] == [[0], [1], [2]]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"rows": -1}, "sampling.rows = -1"),
        ({"observe": 0.0}, "expected a share above 0"),
        ({"pick": "middle"}, "set sampling.rows"),
        ({"rows": 4, "looks": 2}, "expected pick = 'consecutive'"),
        ({"draw": "jitter"}, "needs to know how many rows"),
        ({"rows": 16, "pick": "middle", "window": 8}, "expected at least as many"),
    ],
)
def test_what_cannot_be_is_one_sentence(fields, words):
    with pytest.raises(BadRequest, match=words):
        Sampling(**fields)


def test_cuts_in_time():
    assert Sampling().spans(2, 6) == (2, 6)
    assert Sampling(observe=0.25).spans(2, 6) == (2, 3)
    assert Sampling(anticipate=1.0, before=2.0).spans(5, 6) == (2, 4)
    assert [Sampling().causal, Sampling(observe=0.5).causal, Sampling(anticipate=0.0).causal] == [False, True, True]
