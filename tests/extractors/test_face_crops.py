"""Crops of faces by the rules of LAM / TTM and of TalkNet."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from ego.extractors._base import Beside, Block, Rows
from ego.extractors._face_cuts import Piece, span, windowed
from ego.extractors.face_crops import FaceCrops

TALL, WIDE = 120, 160


def blocks(pictures: np.ndarray, faces: list[tuple[int, int, list[float]]], each: int) -> Iterator[Block]:
    """Frames in blocks of `each`, with faces (frame, track, box) held beside."""
    index = np.arange(len(pictures))
    time, source = np.stack([index, index + 0.5, index + 1], axis=1) / 30, np.stack([index] * 4, axis=1)
    for first in range(0, len(index), each):
        here = slice(first, min(first + each, len(index)))
        mine = [one for one in faces if here.start <= one[0] < here.stop]
        frame = np.array([one[0] for one in mine], int)
        arrays = {"box": np.array([one[2] for one in mine]).reshape(-1, 4), "track": np.array([one[1] for one in mine])}
        held = {"faces": Rows(arrays, time[frame], source[frame])}
        yield Block({"frames": pictures[here]}, time[here], source[here], held)


def crops(rule: str, pictures: np.ndarray, faces: list[tuple[int, int, list[float]]], each: int) -> Rows:
    spec = FaceCrops(rule=rule)  # type: ignore[arg-type]
    found = list(spec.follow(blocks(pictures, faces, each), Beside({}, WIDE, TALL), {}, "cpu"))
    declared = spec.rows({})
    whole = Rows(
        {name: np.concatenate([one.arrays[name] for one in found]) for name in declared},
        np.concatenate([one.time for one in found]),
        np.concatenate([one.source for one in found]),
    )
    assert whole.arrays["feature"].shape[1:] == declared["feature"].shape
    assert whole.arrays["feature"].dtype == np.uint8
    return whole


def noise(frames: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (frames, TALL, WIDE, 3), np.uint8)


def test_lam_shows_the_box_as_a_square():
    pictures = noise(3)
    found = crops("lam", pictures, [(0, 5, [0.25, 0.25, 0.75, 0.5]), (2, 5, [-0.5, 0.5, 0.25, 1.5])], 2)
    assert found.arrays["feature"][0].tolist() == cv2.resize(pictures[0, 30:60, 40:120], (224, 224)).tolist()
    assert found.arrays["feature"][1].tolist() == cv2.resize(pictures[2, 60:, :40], (224, 224)).tolist()
    assert found.arrays["track"].tolist() == [5, 5]
    assert found.source[:, 0].tolist() == [0, 2]


def test_a_box_without_pixels_is_black():
    found = crops("lam", noise(1), [(0, 1, [0.5, 0.5, 0.5, 0.5])], 1)
    assert not found.arrays["feature"].any()


def test_the_published_windows(shared_data: Path):
    with np.load(shared_data / "parity" / "sampler_lam_asd_faces.npz") as pins:
        boxes, smoothed, spans = pins["in_boxes_xywh"], pins["asd_s_x_y"], pins["asd_pad_y0_y1_x0_x1"]
    corners = np.hstack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]])
    piece = Piece(0)
    for frame, box in enumerate(corners):
        piece.add(box, frame)
    piece.ended = True
    found = np.array([piece.window(place) for place in range(len(boxes))])
    np.testing.assert_allclose(found, smoothed, rtol=1e-12)
    assert [list(span(*one)) for one in found] == spans.tolist()


def moving(frames: int, track: int, x: float, missing: tuple[int, ...] = ()) -> list[tuple[int, int, list[float]]]:
    """A face that walks right and swells a little."""
    return [
        (frame, track, [x + 0.005 * frame, 0.3, x + 0.2 + 0.007 * frame, 0.7])
        for frame in range(frames)
        if frame not in missing
    ]


@pytest.mark.parametrize("each", [1, 4, 100])
def test_asd_gives_the_same_whatever_the_blocks(each: int):
    faces = sorted(moving(40, 1, 0.1, (7, 8, 20, 21, 22)) + moving(30, 2, 0.5), key=lambda one: one[0])
    pictures = noise(40)
    found, whole = crops("asd", pictures, faces, each), crops("asd", pictures, faces, 40)
    assert found.arrays["feature"].tolist() == whole.arrays["feature"].tolist()
    assert found.source.tolist() == whole.source.tolist()
    assert found.arrays["track"].tolist() == [track for _, track, _ in faces]
    assert (np.diff(found.time[:, 0]) >= 0).all()


def test_asd_is_the_smoothed_window_of_the_track():
    pictures, faces = noise(20), moving(20, 3, 0.2)
    found = crops("asd", pictures, faces, 6)
    boxes = np.array([box for _, _, box in faces]) * [WIDE, TALL, WIDE, TALL]
    halves = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]) / 2
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    x, y = 0.8 * centre[9] + 0.2 * centre[10]
    expected = windowed(pictures[10], float(np.median(halves[4:17])), x, y)
    assert found.arrays["feature"][10].tolist() == expected.tolist()


def test_frames_wait_for_a_bounded_time():
    waiting = []
    pictures, faces = noise(60), moving(60, 1, 0.1)

    def watched() -> Iterator[Block]:
        for block in blocks(pictures, faces, 1):
            waiting.append(int(block.source[0, 0]))
            yield block

    behind = []
    for rows in FaceCrops(rule="asd").follow(watched(), Beside({}, WIDE, TALL), {}, "cpu"):
        behind.append(waiting[-1] - int(rows.source[0, 0]))
    assert max(behind) <= 12
    assert len(behind) == 60


def test_the_window_around_a_face_at_the_edge_is_grey():
    white = np.full((TALL, WIDE, 3), 255, np.uint8)
    crop = windowed(white, 20, 0, 60)  # its centre is on the left border
    assert (crop[:, 112 // 2 + 2 :] == 255).all()
    assert (crop[:, : 112 // 2 - 2] == 110).all()
