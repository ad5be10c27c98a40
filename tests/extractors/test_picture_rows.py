"""Flow and motion maps from pictures: decoded numbers, times, order, and what does not fit."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ego.errors import BadRequest, BadVideo
from ego.extractors import _picture_rows
from ego.extractors._base import Beside, Block, Rows
from ego.extractors.flow_images import FlowImages
from ego.extractors.map_images import MapImages
from ego.layers.flow_codec import to_bytes
from ego.video import Reading, Signal

FPS = 10.0


def encoded(picture: NDArray[Any], suffix: str = ".png") -> bytes:
    return bytes(cv2.imencode(suffix, picture)[1])


def reading(kind: str, planes: dict[str, list[bytes]], frames: list[list[int]]) -> Reading:
    pairs = np.array(frames, np.int64).reshape(-1, 2)
    seconds = np.stack([pairs[:, 0] / FPS, (pairs[:, 1] + 1) / FPS], 1)
    sources = tuple(f"x_{first + 1:05d}.png" for first, _ in frames)
    return Reading(kind, seconds, {"frame": pairs}, sources, planes)


def flow_reading(flow: NDArray[Any], frames: list[list[int]], bound: float = 20.0) -> Reading:
    stored = to_bytes(flow, bound)
    return reading("flow_images", {p: [encoded(one[i]) for one in stored] for i, p in enumerate("xy")}, frames)


def blocks(frames: int, size: int = 3) -> Iterator[Block]:
    """A video of so many frames, some at a time; it shows no pictures."""
    for start in range(0, frames, size):
        index = np.arange(start, min(start + size, frames))
        time = np.stack([index, index + 0.5, index + 1], 1) / FPS
        yield Block({}, time, np.stack([index] * 4, 1).astype(np.int64))


def follow(spec: Any, beside: Reading, frames: int = 6, whole: bool = True) -> list[Rows]:
    return list(spec.follow(blocks(frames), Beside({"images": beside}, 64, 48, whole), {}, "cpu"))


def joined(rows: list[Rows]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    return (
        np.concatenate([one.arrays["feature"] for one in rows]),
        np.concatenate([one.time for one in rows]),
        np.concatenate([one.source for one in rows]),
    )


@pytest.mark.parametrize("bound", [20.0, 25.0])
def test_flow_comes_back_within_half_a_step(bound: float) -> None:
    flow = np.random.default_rng(0).uniform(-bound, bound, (5, 2, 6, 8))
    found, time, source = joined(
        follow(FlowImages(bound=bound), flow_reading(flow, [[i, i + 1] for i in range(5)], bound))
    )
    assert np.abs(found - flow).max() <= bound / 255 + 1e-5
    assert time[2] == pytest.approx([0.2, 0.3, 0.4])
    assert source[:, :2].tolist() == [[i, i + 1] for i in range(5)]


def test_it_is_stored_like_any_other_flow() -> None:
    from ego.extractors.tvl1 import TVL1

    assert FlowImages().rows({})["feature"] == replace(TVL1().rows({})["feature"], compress=True)
    assert FlowImages(stored="int8").rows({}) == TVL1(stored="int8").rows({})
    assert FlowImages().needs() == {"images": Signal("flow_images")}
    rows = follow(FlowImages(stored="int8"), flow_reading(np.full((1, 2, 4, 4), 20.0), [[0, 1]]))
    assert (FlowImages(stored="int8").rows({})["feature"].cast(rows[0].arrays["feature"]) == 127).all()


def test_a_row_comes_when_its_frames_have_been() -> None:
    """Blocks of three frames: rows 0 and 1 end with the first block, row 2 only with the second."""
    seen: list[int] = []

    def counted() -> Iterator[Block]:
        for number, block in enumerate(blocks(6)):
            seen.append(number)
            yield block

    spec = FlowImages()
    beside = Beside({"images": flow_reading(np.zeros((5, 2, 4, 4)), [[i, i + 1] for i in range(5)])}, 8, 8)
    given = [(seen[-1], len(rows.time)) for rows in spec.follow(counted(), beside, {}, "cpu")]
    assert given == [(0, 2), (1, 3)]


def test_missing_pictures_are_no_rows() -> None:
    _, time, source = joined(follow(FlowImages(), flow_reading(np.zeros((2, 2, 4, 4)), [[0, 1], [3, 4]])))
    assert source[:, 0].tolist() == [0, 3]
    assert time[:, 0] == pytest.approx([0, 0.3])


def test_maps_are_what_is_brighter_than_the_threshold() -> None:
    picture = np.array([[0, 1, 127, 128, 255]], np.uint8)
    beside = reading("map_images", {"map": [encoded(picture)]}, [[1, 1]])
    found, time, _ = joined(follow(MapImages(), beside))
    assert found.dtype == bool
    assert found.tolist() == [[[False, True, True, True, True]]]
    assert time[0] == pytest.approx([0.1, 0.15, 0.2])
    assert joined(follow(MapImages(threshold=127), beside))[0].tolist() == [[[False, False, False, True, True]]]
    declared = MapImages().rows({})["feature"]
    assert (declared.shape, declared.dtype, declared.kind) == ((0, 0), "bool", "mask")


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_picture_rows, "BATCH_BYTES", 4 * 2 * 16 * 2)
    rows = follow(FlowImages(), flow_reading(np.zeros((5, 2, 4, 4)), [[i, i + 1] for i in range(5)]))
    assert [len(one.time) for one in rows] == [2, 2, 1]


def spoiled(kind: str) -> tuple[Any, Reading, int]:
    good = encoded(np.zeros((4, 6), np.uint8))
    other = encoded(np.zeros((4, 8), np.uint8))
    frames = [[0, 1], [1, 2]]
    planes = {
        "sizes": {"x": [good, other], "y": [good, other]},
        "planes": {"x": [good, good], "y": [other, good]},
        "no picture": {"x": [good, b"nothing"], "y": [good, good]},
        "empty": {"x": [b"", good], "y": [good, good]},
        "one plane": {"x": [good, good]},
        "too long": {"x": [good, good], "y": [good, good]},
    }[kind]
    return FlowImages(), reading("flow_images", planes, frames), 1 if kind == "too long" else 6


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("sizes", r"x_00002.png \(plane x\) is 8x4 pixels, those before it are 6x4; expected one size"),
        ("planes", r"x_00001.png \(plane y\) is 8x4 pixels, those before it are 6x4"),
        ("no picture", r"x_00002.png \(plane x\) cannot be read as a picture; replace it"),
        ("empty", r"x_00001.png \(plane x\) cannot be read as a picture"),
        ("one plane", "with the encoded pictures x, expected x, y"),
        ("too long", r"x_00002.png begins at 0.100 s, the video ends at 0.100 s; look whether it belongs"),
    ],
)
def test_what_does_not_fit_is_one_sentence(kind: str, message: str) -> None:
    with pytest.raises((BadVideo, BadRequest), match=message):
        follow(*spoiled(kind))


def test_of_a_part_of_a_video_there_are_its_rows() -> None:
    beside = flow_reading(np.zeros((5, 2, 4, 4)), [[i, i + 1] for i in range(5)])
    assert joined(follow(FlowImages(), beside, frames=3, whole=False))[2][:, 0].tolist() == [0, 1, 2]


@pytest.mark.parametrize(("make", "field"), [(FlowImages, {"bound": 0.0}), (MapImages, {"threshold": 255})])
def test_fields_are_checked(make: Any, field: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match=r"got (bound|threshold) = "):
        make(**field)
