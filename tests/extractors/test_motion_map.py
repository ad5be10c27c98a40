"""Motion maps show what moves by itself: one a frame, in time, and as the truth has it."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors._base import Beside, Rows
from ego.extractors.dis import DIS
from ego.extractors.idt import IDT
from ego.extractors.motion_map import MotionMap
from ego.extractors.warp_flow import WarpFlow
from ego.media.decode import Decoder, Look
from ego.media.encode import encode
from ego.pipeline.extract import extract
from ego.pipeline.jobs import entry_key, work
from ego.pipeline.scan import scan
from ego.sampling import Window
from ego.video import Picture

SMALL = IDT(height=270, scales=2)
PLAIN = MotionMap(idt=SMALL, moving_gain=0.0, support=0.0)


def lone(points: Any, first: int, worlds: ModuleType) -> Rows:
    """One track that begins with this frame."""
    last = first + len(points) - 1
    time = np.array([[first, (first + last + 1) / 2, last + 1]]) / worlds.FPS
    arrays = {
        "points": np.array(points, np.float32)[None],
        "own_pixels": np.full((1, 10, 2), 3.0, np.float16),
        "gain": np.ones((1, 10), np.float16),
        "scale": np.zeros(1, np.int8),
    }
    return Rows(arrays, time, np.array([[first, last, first, last]]))


def painted(spec: MotionMap, tracks: Rows | None, frames: int, worlds: ModuleType, size: int = 16) -> Any:
    blank = np.zeros((frames, 1, 1, 3), np.uint8)
    return worlds.follow(spec, worlds.blocks(blank, size, tracks), 480, 270)


def test_what_it_needs_and_gives() -> None:
    assert MotionMap().needs() == {"tracks": IDT()}
    (array,) = MotionMap().rows({}).values()
    assert (array.shape, array.dtype, array.kind, array.compress) == ((0, 0), "bool", "mask", True)
    assert MotionMap(idt=IDT(length=15)).digest != MotionMap().digest


@pytest.mark.parametrize(
    "fields",
    [
        {"window": Window(fps=5.0)},
        {"window": Window(fps=0.5), "idt": IDT(window=Window(fps=0.5))},
        {"moving_gain": -1.0},
        {"support": -1.0},
        {"radius_pixels": -1.0},
    ],
)
def test_settings_that_mean_nothing(fields: Any) -> None:
    with pytest.raises(BadRequest, match="motion_map"):
        MotionMap(**fields)


def test_a_track_is_one_disc_on_each_of_its_frames(worlds: ModuleType) -> None:
    points = [((100.5 + 3 * t) / 480, (80.5 + t) / 270) for t in range(11)]
    rows = painted(PLAIN, lone(points, 2, worlds), 20, worlds)
    maps = rows.arrays["feature"]
    assert maps.shape == (20, 270, 480)
    assert maps.dtype == bool
    assert maps.any(axis=(1, 2)).tolist() == [2 <= t < 13 for t in range(20)]
    y, x = np.mgrid[:270, :480]
    for t in range(11):  # a radius of 14 at 540 is 7 at 270
        assert np.array_equal(maps[2 + t], (x - 100 - 3 * t) ** 2 + (y - 80 - t) ** 2 <= 49)
    start = painted(
        MotionMap(idt=SMALL, moving_gain=0.0, support=0.0, paint="start"),
        lone(points, 2, worlds),
        20,
        worlds,
    )
    assert start.arrays["feature"].any(axis=(1, 2)).nonzero()[0].tolist() == [2]


def test_a_track_of_a_short_clip_paints_only_the_frames_there_are(worlds: ModuleType) -> None:
    points = [(0.5, 0.5)] * 6 + [(0.9, 0.9)] * 5  # what follows the last frame is padding
    track = lone(points, 0, worlds)
    short = Rows(track.arrays, np.array([[0, 3, 6]]) / worlds.FPS, np.array([[0, 5, 0, 5]]))
    maps = painted(PLAIN, short, 6, worlds).arrays["feature"]
    assert maps.any(axis=(1, 2)).all()
    assert not maps[:, 200:, 400:].any()


def test_a_track_is_painted_only_on_the_frames_on_which_it_moves(worlds: ModuleType) -> None:
    track = lone([(0.5, 0.5)] * 11, 0, worlds)
    track.arrays["gain"][0] = [0, 0, 0, 0, 1.1, 1.1, 1.1, 0, 0, 0]
    spec = MotionMap(idt=SMALL, support=0.0)
    maps = painted(spec, track, 11, worlds).arrays["feature"]
    assert maps.any(axis=(1, 2)).tolist() == [2 <= t <= 9 for t in range(11)]
    start = painted(replace(spec, paint="start"), track, 11, worlds).arrays["feature"]
    assert start.any(axis=(1, 2)).nonzero()[0].tolist() == [0]
    track.arrays["gain"][0, 4] = 0.7
    for nothing in (spec, replace(spec, paint="start")):
        assert not painted(nothing, track, 11, worlds).arrays["feature"].any()


@pytest.mark.parametrize("support", [0.01, 0.15, 0.2])
def test_a_track_that_stands_alone_is_not_painted(worlds: ModuleType, support: float) -> None:
    track = lone([(0.5, 0.5)] * 11, 0, worlds)
    spec = MotionMap(idt=SMALL, support=support)
    assert not painted(spec, track, 11, worlds).arrays["feature"].any()
    two = {name: np.concatenate([array, array]) for name, array in track.arrays.items()}
    both = Rows(two, np.repeat(track.time, 2, axis=0), np.repeat(track.source, 2, axis=0))
    assert painted(spec, both, 11, worlds).arrays["feature"].any(axis=(1, 2)).all()


def test_every_frame_has_its_row_in_order_and_in_time(worlds: ModuleType) -> None:
    pictures, _ = worlds.patched(24)
    tracks = worlds.track(SMALL, pictures)
    spec, given = MotionMap(idt=SMALL), worlds.blocks(pictures, 4, tracks)
    taken: list[int] = []

    def hand_on() -> Any:
        for block in given:
            taken.append(int(block.source[-1, 0]))
            yield block

    frames: list[int] = []
    for rows in spec.follow(hand_on(), Beside({}, 480, 270), {}, "cpu"):
        assert rows.source[-1, 0] <= taken[-1] - 10 or taken[-1] == 23
        frames += rows.source[:, 0].tolist()
    assert frames == list(range(24))


def test_a_video_without_tracks_has_empty_maps(worlds: ModuleType) -> None:
    for frames in (3, 17):
        maps = painted(MotionMap(idt=SMALL), None, frames, worlds).arrays["feature"]
        assert maps.shape == (frames, 270, 480)
        assert not maps.any()


def test_the_moving_patch_is_covered_and_little_else(worlds: ModuleType) -> None:
    pictures, where = worlds.patched()
    for spec in (
        MotionMap(idt=IDT(height=270, scales=1), moving_gain=0.0, support=0.0),
        MotionMap(idt=SMALL),
    ):
        maps = worlds.maps(spec, pictures).arrays["feature"]
        assert worlds.recall(maps[5:21], where[5:21]) > 0.9
        assert worlds.precision(maps[5:21], where[5:21], 15) > 0.6


def test_blocks_change_nothing(worlds: ModuleType) -> None:
    pictures, _ = worlds.patched(20)
    spec = MotionMap(idt=SMALL)
    whole, parts = (worlds.maps(spec, pictures, size).arrays["feature"] for size in (20, 3))
    assert whole.any()
    assert np.array_equal(whole, parts)


def test_mirrored_tracks_paint_the_mirrored_map(worlds: ModuleType) -> None:
    draw = np.random.default_rng(0)
    paths = [lone(draw.uniform(0.1, 0.9, (11, 2)), 0, worlds) for _ in range(12)]
    for track in paths:
        mirror = lone(track.arrays["points"][0] * (-1, 1) + (1, 0), 0, worlds)
        maps, flipped = (painted(PLAIN, one, 11, worlds).arrays["feature"] for one in (track, mirror))
        back = flipped[:, :, ::-1]
        near = back | np.roll(back, 1, axis=2) | np.roll(back, -1, axis=2)
        assert not (maps & ~near).any()


def test_a_mirrored_video_gives_the_mirrored_map(worlds: ModuleType) -> None:
    pictures, _ = worlds.patched()
    spec = MotionMap(idt=SMALL)
    maps = worlds.maps(spec, pictures).arrays["feature"][5:21]
    back = worlds.maps(spec, np.ascontiguousarray(pictures[:, :, ::-1])).arrays["feature"][5:21, :, ::-1]
    assert (maps & back).sum() / (maps | back).sum() > 0.8


def test_both_engines_agree(worlds: ModuleType) -> None:
    pictures, _ = worlds.patched(30)
    maps = {
        engine: worlds.maps(MotionMap(idt=IDT(height=270, scales=1, engine=engine)), pictures).arrays["feature"]
        for engine in ("dis", "farneback")
    }
    one, other = (maps[engine][5:-5] for engine in ("dis", "farneback"))
    assert (one & other).sum() / (one | other).sum() > 0.7


def test_a_pass_over_a_file_stores_the_same_maps(worlds: ModuleType, tmp_path: Path) -> None:
    pictures, _ = worlds.patched(30)
    path = encode(tmp_path / "patch.mp4", iter(pictures), worlds.FPS)
    store = FeatureStore(tmp_path / "store", create=True)
    flow = WarpFlow(flow=DIS(picture=Picture("height", 270)))
    with Decoder() as decoder:
        (video,) = scan([path], decoder)
        native = Picture("native", 0)
        shown = np.stack([one.pictures[native].copy() for one in decoder.frames(video, [Look(native, Window())])])
    spec = MotionMap(idt=SMALL)
    for _ in extract(work([video], [spec, SMALL, flow], store), store, {}):
        pass
    assert np.array_equal(store.read(entry_key(video, spec, {}))["feature"], worlds.maps(spec, shown).arrays["feature"])
    tracks, stored = worlds.track(SMALL, shown), store.read(entry_key(video, SMALL, {}))
    for name, array in tracks.arrays.items():
        assert np.array_equal(stored[name], array)
    moved = store.read(entry_key(video, flow, {}))["homography"]
    assert np.median(moved[:, :2, 2], axis=0) == pytest.approx([2, 1], abs=0.2)


@pytest.mark.slow
def test_the_kitchen_at_its_full_height(worlds: ModuleType) -> None:
    """Hands at rest do not move, so recall is over the parts that do; they still count for precision."""
    found = []
    for seed, index in ((0, 0), (0, 3), (0, 4)):
        cook = worlds.kitchen(seed, index, 6.0, (960, 540))
        maps = worlds.maps(MotionMap(idt=IDT(scales=4)), cook.pictures).arrays["feature"]
        inner = slice(10, -10)
        found.append((
            worlds.recall(maps[inner], cook.moving[inner]), worlds.precision(maps[inner], cook.mask[inner], 14)
        ))  # fmt: skip
    recall, precision = np.mean(found, axis=0)
    assert recall > 0.85
    assert precision > 0.6


@pytest.mark.slow
def test_both_engines_agree_in_the_kitchen(worlds: ModuleType) -> None:
    """Where much moves, in the noisy pictures of one kitchen; the mean over many is in docs/performance.md."""
    pictures = worlds.kitchen(0, 0, 4.5, (960, 540), False).pictures[88:128]
    one, other = (
        worlds.maps(MotionMap(idt=IDT(scales=4, engine=engine)), pictures).arrays["feature"][10:-10]
        for engine in ("dis", "farneback")
    )
    assert (one & other).sum() / (one | other).sum() > 0.7
