"""Faces: the detectors' own files on drawn people, tracks, given tracks, and the crops of both papers' rules."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ego.datasets.kitchen.crew import draw_all
from ego.datasets.kitchen.world import World, begin
from ego.errors import BadRequest, BadVideo
from ego.extractors._base import Beside, Block, Rows
from ego.extractors._boxes import overlaps
from ego.extractors._face_detectors import UltraFace, YuNet
from ego.extractors.faces import Faces
from ego.fields import Weights
from ego.media.decode import Decoder, Look
from ego.pipeline.scan import find_videos, scan
from ego.signals.boxes import Boxed, face_tracks
from ego.video import Picture, Video

FPS = 10.0
FILES = {
    "yunet": "yunet/yunet_n_320_320.onnx",
    "yunet_any_size": "yunet/yunet_n_dynamic.onnx",
    "ultraface": "ultraface/version-RFB-320.onnx",
}


def weights(path: Path) -> Weights:
    return Weights(f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")


def blocks(pictures: np.ndarray, each: int, fps: float = FPS) -> Iterator[Block]:
    """Frames in blocks of `each`."""
    index = np.arange(len(pictures))
    time = np.stack([index, index + 0.5, index + 1], axis=1) / fps
    source = np.stack([index] * 4, axis=1)
    for first in range(0, len(index), each):
        here = slice(first, first + each)
        yield Block({"frames": pictures[here]}, time[here], source[here])


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, np.ndarray]:
    """(pictures, true boxes (n, p, 4) in fractions, NaN where out of sight) of a drawn kitchen with people."""
    folder = tmp_path_factory.mktemp("kitchen")
    world = World(0, "folder", 12.0, None, (456, 256), False)
    begin(world, folder)
    draw_all(world, [0], folder, 1, lambda news: None)
    picture = Picture("height", 256)
    with Decoder() as decoder:
        (video,) = scan(find_videos([str(folder / "videos")]), decoder)
        assert isinstance(video, Video)
        shown = [one.pictures[picture].copy() for one in decoder.frames(video, [Look(picture, Faces().window)])]
    with np.load(next((folder / "truth").glob("*.npz"))) as truth:
        true = truth["face_boxes"] / np.tile(truth["size"], 2)
    there = np.flatnonzero(np.isfinite(true).all(axis=2).any(axis=1))[::3][:40]
    return np.stack(shown)[there], true[there]


@pytest.mark.parametrize("name", FILES)
def test_people_across_the_counter(name: str, people: tuple[np.ndarray, np.ndarray], shared_data: Path):
    path = shared_data / "weights" / FILES[name]
    detector = UltraFace(weights=weights(path)) if name == "ultraface" else YuNet(weights=weights(path))
    faces = Faces(detector=detector)
    pictures, true = people
    rows = list(faces.follow(blocks(pictures, 8), Beside({}, 456, 256, True), {weights(path): path}, "cpu"))
    assert len(rows) == -(-len(pictures) // 8)
    found = {one: np.concatenate([row.arrays[one] for row in rows]) for one in faces.rows({})}
    frame = np.concatenate([row.source[:, 0] for row in rows])
    assert ("landmarks" in found) == (name != "ultraface")
    whole = np.isfinite(true).all(axis=2) & (np.nan_to_num(true[..., 1]) > 0.02)
    hit = 0
    for place, one in zip(*np.nonzero(whole), strict=True):
        near = overlaps(true[place, one][None], found["box"][frame == place])
        hit += bool(near.max(initial=0) > 0.4)
    assert whole.sum() > 10
    assert hit / whole.sum() > 0.6
    if name != "ultraface":  # eyes above the mouth, inside the box
        marks, box = found["landmarks"], found["box"]
        assert (marks[:, :2, 1].max(axis=1) < marks[:, 3:, 1].min(axis=1)).mean() > 0.9
        assert ((marks[:, 2] > box[:, :2]) & (marks[:, 2] < box[:, 2:])).all(axis=1).mean() > 0.9


def test_a_file_of_another_network_is_refused(shared_data: Path):
    path = shared_data / "weights" / FILES["ultraface"]
    with pytest.raises(BadRequest, match="is no YuNet"):
        YuNet(weights=weights(path)).start({weights(path): path})(np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(BadRequest, match="expected the published file"):
        YuNet(weights=Weights("random:0"))


def tracks() -> list[Boxed]:
    return [Boxed(frame, (0.1 * one, 0.2, 0.1 * one + 0.2, 0.6), track=one) for frame in range(2, 9) for one in (4, 1)]


@pytest.mark.parametrize("each", [1, 3, 50])
def test_given_tracks_stand_on_their_frames(each: int):
    beside = Beside({"face_tracks": face_tracks(tracks(), FPS)}, 320, 240, True)
    rows = list(Faces().follow(blocks(np.zeros((10, 8, 8, 3), np.uint8), each), beside, {}, "cpu"))
    assert sum(len(row.time) for row in rows) == 14
    frame = np.concatenate([row.source[:, 0] for row in rows])
    assert frame.tolist() == [one for one in range(2, 9) for _ in range(2)]
    assert np.concatenate([row.arrays["track"] for row in rows]).tolist() == [4, 1] * 7
    assert np.concatenate([row.arrays["box"] for row in rows])[0] == pytest.approx([0.4, 0.2, 0.6, 0.6])


def test_tracks_of_a_longer_video_are_refused():
    beside = Beside({"face_tracks": face_tracks(tracks(), FPS)}, 320, 240, True)
    short: Any = Faces().follow(blocks(np.zeros((5, 8, 8, 3), np.uint8), 2), beside, {}, "cpu")
    with pytest.raises(BadVideo, match=r"until 0.850 s and the video ends at 0.500 s"):
        list(short)


def rows_of(boxes: np.ndarray, frames: list[int], track: int = 0) -> Rows:
    index = np.array(frames)
    time = np.stack([index, index + 0.5, index + 1], axis=1) / FPS
    arrays = {"box": boxes.astype(np.float32), "track": np.full(len(boxes), track, np.int32)}
    return Rows(arrays, time, np.stack([index] * 4, axis=1))
