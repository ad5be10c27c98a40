"""Improved dense trajectories keep what moves by itself, and nothing that the camera explains."""

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ego.errors import BadRequest
from ego.extractors._base import Rows
from ego.extractors._idt_follow import Follower
from ego.extractors.idt import IDT
from ego.extractors.mean_rgb import MeanRgb
from ego.media.decode import Decoder, Look
from ego.media.encode import encode
from ego.sampling import Window
from ego.video import Picture, Video

SMALL = IDT(height=270, scales=2)


def test_what_it_needs_and_gives() -> None:
    assert IDT().needs() == {"frames": Picture("height", 540)}
    assert IDT(hands=MeanRgb()).needs()["hands"] == MeanRgb()
    rows = IDT(length=15, descriptors=("trajectory", "hog", "hof", "mbhx", "mbhy")).rows({})
    shapes = {"points": (16, 2), "own_pixels": (15, 2), "gain": (15,), "scale": (), "trajectory": (30,)}
    widths = {"hog": (96,), "hof": (108,), "mbhx": (96,), "mbhy": (96,)}
    assert {name: array.shape for name, array in rows.items()} == shapes | widths
    assert rows["points"].kind == "points"


@pytest.mark.parametrize(
    "fields",
    [{"length": 1}, {"scales": 9}, {"height": 20}, {"descriptors": ("hog", "hog")}, {"window": Window(frames=2)}],
)
def test_settings_that_mean_nothing(fields: Any) -> None:
    with pytest.raises(BadRequest, match="expected"):
        IDT(**fields)


@pytest.mark.parametrize("engine", ["farneback", "dis"])
def test_a_still_video_and_a_pure_shift_have_no_tracks(worlds: ModuleType, engine: Any) -> None:
    spec = IDT(height=270, scales=3, engine=engine)
    for step in ((0, 0), (7, 3)):
        assert len(worlds.track(spec, worlds.shifted(13, step)).time) == 0


def test_a_patch_that_moves_over_a_moving_background(worlds: ModuleType) -> None:
    pictures, where = worlds.patched()
    rows = worlds.track(IDT(height=270, scales=1), pictures)
    middles = np.array([[120 + 5 * t + 30, 90 + t + 30] for t in range(30)])
    points = rows.arrays["points"] * (480, 270) - 0.5
    last = rows.source[:, 1]
    away = np.abs(points[:, -1] - middles[last]).max(axis=1) - 30
    assert len(points) > 300
    assert (away < 10).mean() > 0.8
    on = np.abs(points[:, 0] - middles[rows.source[:, 0]]).max(axis=1) < 12
    moved = (points[on, -1] - points[on, 0]) / 10
    assert np.median(moved, axis=0) == pytest.approx([5, 1], abs=0.4)
    assert np.median(np.linalg.norm(rows.arrays["own_pixels"][on], axis=-1)) == pytest.approx(3, abs=0.7)
    assert np.median(rows.arrays["gain"][on]) > 5
    inside = where[rows.source[on, 0], *(np.floor(rows.arrays["points"][on, 0] * (480, 270)).astype(int).T[::-1])]
    assert inside.all()


def test_rows_say_when_and_come_in_order(worlds: ModuleType) -> None:
    pictures, _ = worlds.patched(24)
    rows = worlds.track(SMALL, pictures)
    assert (np.diff(rows.time[:, 0]) >= 0).all()
    first, last = rows.source[:, 0], rows.source[:, 1]
    assert (last - first == 10).all()
    assert np.array_equal(rows.source[:, 2:], rows.source[:, :2] * 512)
    assert rows.time[:, 0] == pytest.approx(first / worlds.FPS)
    assert rows.time[:, 2] == pytest.approx((last + 1) / worlds.FPS)
    assert {0, 1} == set(rows.arrays["scale"].tolist())


def test_blocks_change_nothing_and_a_second_run_is_identical(worlds: ModuleType) -> None:
    pictures, _ = worlds.patched(18)
    spec = IDT(height=270, scales=2, descriptors=("trajectory", "hog", "hof", "mbhx", "mbhy"))
    whole, parts, again = (worlds.track(spec, pictures, size) for size in (18, 5, 18))
    assert len(whole.time) > 50
    for other in (parts, again):
        assert np.array_equal(whole.source, other.source)
        for name, array in whole.arrays.items():
            assert np.array_equal(array, other.arrays[name]), name
            assert np.isfinite(array).all()
    assert np.abs(whole.arrays["trajectory"].astype(float)).sum(axis=1) == pytest.approx(1.2, abs=0.3)


def test_all_that_ends_with_a_block_comes_before_the_next(worlds: ModuleType) -> None:
    pictures, _ = worlds.patched(20)
    taken = []

    def given() -> Any:
        for block in worlds.blocks(pictures, 4):
            taken.append(int(block.source[-1, 0]))
            yield block

    for rows in SMALL.follow(given(), None, {}, "cpu"):  # type: ignore[arg-type]
        assert (rows.source[:, 1] > taken[-1] - 4).all()
        assert (rows.source[:, 1] <= taken[-1]).all()


@pytest.mark.parametrize(("frames", "steps"), [(4, None), (5, 4), (8, 7), (10, 9), (11, 10)])
def test_clips_shorter_than_a_track(worlds: ModuleType, frames: int, steps: int | None) -> None:
    pictures, _ = worlds.patched(frames)
    rows = worlds.track(IDT(height=270, scales=2, static_pixels=0.5), pictures)
    if steps is None:
        assert len(rows.time) == 0
        return
    assert len(rows.time) > 5
    assert (rows.source[:, :2] == (0, steps)).all()
    points = rows.arrays["points"]
    assert points.shape[1:] == (11, 2)
    assert (points[:, steps:] == points[:, steps : steps + 1]).all()
    assert (rows.arrays["own_pixels"][:, steps:] == 0).all()
    assert (rows.arrays["gain"][:, steps:] == 0).all()
    assert np.median(rows.arrays["gain"][:, :steps]) > 1


def test_hands_are_left_out_of_the_camera_only(worlds: ModuleType) -> None:
    still = np.repeat(worlds.shifted(1, (0, 0)), 16, axis=0)
    hand = worlds.shifted(16, (4, 0), seed=8)
    pictures = still.copy()
    pictures[:, 30:, 40:440] = hand[:, 30:, 40:440]
    boxes = np.tile(np.array([[[0, 0, 0, 0], [30 / 480, 20 / 270, 450 / 480, 1]]], np.float32), (16, 1, 1))
    times = np.stack([np.arange(16), np.arange(16) + 0.5, np.arange(16) + 1], 1) / worlds.FPS
    source = np.stack([np.arange(16)] * 4, 1)
    seen = np.tile([False, True], (16, 1))
    spec = IDT(height=270, scales=1, hands=MeanRgb())
    inside = {}
    for name, visible in (("masked", seen), ("not", np.zeros_like(seen))):
        held = Rows({"boxes": boxes, "visible": visible}, times, source)
        rows = worlds.follow(spec, worlds.blocks(pictures, 6, held, "hands"), 480, 270)
        x, y = rows.arrays["points"][:, 0].T * np.array([[480], [270]])
        inside[name] = int(((x > 60) & (x < 380) & (y > 50)).sum())
    assert inside["masked"] > 1000  # the hand moves
    assert inside["not"] < 100  # where it fills the view it would be taken for the world


@pytest.mark.parametrize(("engine", "frames", "height"), [("dis", 18, 540), ("farneback", 13, 270)])
def test_a_camera_that_turns_leaves_no_track(worlds: ModuleType, engine: Any, frames: int, height: int) -> None:
    pictures, _ = worlds.turning(frames, height, height * 16 // 9)
    assert len(worlds.track(IDT(engine=engine, height=height, scales=4), pictures).time) == 0


def test_a_compressed_turn_leaves_nearly_none(worlds: ModuleType, tmp_path: Path) -> None:
    pictures, _ = worlds.turning(24)
    path = encode(tmp_path / "turn.mp4", iter(pictures), 25, crf=23)
    native = Picture("native", 0)
    with Decoder() as decoder:
        video = Video("0" * 64, "turn", str(path), decoder.probe(str(path)))
        shown = [one.pictures[native].copy() for one in decoder.frames(video, [Look(native, Window())])]
    follower = Follower(IDT(scales=4), 960, 540)
    found = sum(len(follower.push(picture)["points"]) for picture in shown)
    assert follower.sampled > 10_000
    assert found < 0.005 * follower.sampled
