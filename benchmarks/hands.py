"""Hands of each detector on frames marked by hand and on drawn cooks, and what a frame costs.

    python benchmarks/hands.py [--detectors skin,palms,...] [--videos 10] [--seconds 10] [--gtea] [--kitchen] [--faces]

A hand counts as found where a box's centre lies within 0.1 of the frame's width of its own; `sides` is how
many of those found are in the right slot; `precision` how many boxes lie so near a hand. Marked: the 100
frames of `tests/extractors/gtea_hands.csv`. Drawn: test videos of the kitchen (skin, sleeves, lights and
rooms seen in no other), hands with at least 4 of 8 points in sight. Milliseconds are wall time of one
thread, decoding left out. Faces: every ninth frame of drawn videos with people, faces that the frame's top
does not cut, found where a box overlaps by 0.4.
"""

import argparse
import csv
import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ego.datasets.kitchen.crew import draw_all
from ego.datasets.kitchen.world import World, begin
from ego.extractors._base import Beside, Block
from ego.extractors._boxes import overlaps
from ego.extractors._face_detectors import UltraFace, YuNet
from ego.extractors._palms import Palms
from ego.extractors._skin import SkinAndMotion
from ego.extractors.hands import Hands
from ego.fields import Weights
from ego.media.decode import Decoder, Look
from ego.pipeline.scan import find_videos, scan
from ego.video import Picture, Video

ROOT = Path(__file__).parents[1]
FILES: dict[Weights, Path] = {}
TEST_TURN = 2
"""Of five drawn videos in turn the third is a test video."""


def weights(path: Path) -> Weights:
    """The identity of a file, which is remembered."""
    name = Weights(f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")
    FILES[name] = path
    return name


def detectors(folder: Path) -> dict[str, Hands]:
    """Each detector by its name here."""
    palm = weights(folder / "palm_detection_builtin_256_integer_quant.tflite")
    points = weights(folder / "hand_landmark_3d_256_integer_quant.tflite")
    return {
        "skin": Hands(detector=SkinAndMotion()),
        "palms": Hands(detector=Palms(weights=palm, tiles=0)),
        "palms+tiles": Hands(detector=Palms(weights=palm)),
        "palms+tiles+points": Hands(detector=Palms(weights=palm, points=points)),
    }


class Clock:
    """Seconds spent outside the decoder."""

    def __init__(self) -> None:
        self.total, self.frames = 0.0, 0


def blocks(decoder: Decoder, video: Video, picture: Picture, clock: Clock) -> Iterator[Block]:
    """A video's frames in blocks of 32; the clock stops while they are decoded."""
    frames = decoder.frames(video, [Look(picture, Hands().window)])
    done = False
    while not done:
        paused = time.perf_counter()
        pictures, times, sources = [], [], []
        for frame in frames:
            pictures.append(frame.pictures[picture].copy())
            times.append((frame.start, (frame.start + frame.stop) / 2, frame.stop))
            sources.append((frame.index, frame.index, frame.pts, frame.pts))
            if len(pictures) == 32:
                break
        done = len(pictures) < 32
        clock.frames += len(pictures)
        clock.total -= time.perf_counter() - paused
        if pictures:
            yield Block({"frames": np.stack(pictures)}, np.array(times), np.array(sources, np.int64))


def followed(hands: Hands, decoder: Decoder, video: Video, clock: Clock) -> dict[str, NDArray[np.generic]]:
    """The arrays of a video."""
    picture = hands.needs()["frames"]
    assert isinstance(picture, Picture)
    assert video.header is not None
    beside = Beside({}, video.header.width, video.header.height, True)
    began = time.perf_counter()
    (rows,) = hands.follow(blocks(decoder, video, picture, clock), beside, FILES, "cpu")
    clock.total += time.perf_counter() - began
    return dict(rows.arrays)


Truth = dict[str, tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]]
"""By video: frames, boxes (n, 2, 4) and which are there (n, 2)."""


def marked() -> Truth:
    """The frames marked by hand."""
    found: dict[str, dict[int, NDArray[np.float64]]] = {}
    with (ROOT / "tests" / "extractors" / "gtea_hands.csv").open() as file:
        for row in csv.DictReader(file):
            boxes = found.setdefault(row["video"], {}).setdefault(int(row["frame"]), np.full((2, 4), np.nan))
            boxes[("left", "right").index(row["side"])] = [float(row[k]) for k in ("left", "top", "right", "bottom")]
    whole = {}
    for video, frames in found.items():
        boxes = np.stack(list(frames.values()))
        whole[video] = np.array(list(frames)), np.nan_to_num(boxes), np.isfinite(boxes).all(axis=2)
    return whole


def drawn(folder: Path, videos: int, seconds: float) -> Truth:
    """Test videos of a kitchen drawn now."""
    world = World(11, "folder", seconds, None, (456, 256), False)
    begin(world, folder)
    draw_all(world, [5 * turn + TEST_TURN for turn in range(videos)], folder, 1, lambda news: None)
    whole = {}
    for path in sorted((folder / "truth").glob("v*.npz")):
        with np.load(path) as truth:
            boxes = truth["hand_boxes"] / np.tile(truth["size"], 2)
            there = (truth["hand_visible"].sum(axis=2) >= 4) & np.isfinite(boxes).all(axis=2)
        whole[path.stem] = np.arange(len(boxes)), np.nan_to_num(boxes), there
    return whole


def compare(name: str, hands: Hands, videos: list[Video], truth: Truth, decoder: Decoder) -> None:
    """Prints one line of the table."""
    total, clock = np.zeros(5), Clock()
    for video in videos:
        assert video.header is not None
        frames, true, there = truth[Path(video.name).stem]
        found = followed(hands, decoder, video, clock)
        scale = np.array([1, video.header.height / video.header.width])
        boxes, visible = found["boxes"][frames].astype(float), found["visible"][frames]
        centre, goal = ((one[..., :2] + one[..., 2:]) / 2 * scale for one in (boxes, true))
        away = np.linalg.norm(goal[:, :, None] - centre[:, None], axis=-1)
        away = np.where(visible[:, None] & there[:, :, None], away, np.inf)
        hit = away.min(axis=2) < 0.1
        right = hit & (away.argmin(axis=2) == np.arange(2))
        good = (away.min(axis=1) < 0.1) & visible
        total += [hit.sum(), there.sum(), right.sum(), good.sum(), visible.sum()]
    hit, all_hands, right, good, boxes_given = total
    print(
        f"  {name:20s} recall {hit / all_hands:.3f}  sides {right / max(hit, 1):.3f}  precision "
        f"{good / max(boxes_given, 1):.3f}  ({int(all_hands)} hands)  "
        f"{1000 * clock.total / clock.frames:.1f} ms a frame",
        flush=True,
    )


def faces(data: Path, folder: Path, decoder: Decoder) -> None:
    """Prints how many of the drawn people's faces each detector finds."""
    path = data / "weights" / "yunet" / "yunet_n_dynamic.onnx"
    other = data / "weights" / "ultraface" / "version-RFB-320.onnx"
    for detector in (YuNet(weights=weights(path)), UltraFace(weights=weights(other))):
        find, picture, hits, count, given, good, spent = detector.start(FILES), detector.picture(), 0, 0, 0, 0, 0.0
        for video in scan(find_videos([str(folder / "videos")]), decoder):
            assert isinstance(video, Video)
            with np.load(folder / "truth" / f"{Path(video.name).stem}.npz") as truth:
                true = truth["face_boxes"] / np.tile(truth["size"], 2)
            whole = np.isfinite(true).all(axis=2) & (np.nan_to_num(true[..., 1]) > 0.02)
            for frame in decoder.frames(video, [Look(picture, Hands().window)]):
                if frame.index % 9 or not whole[frame.index].any():
                    continue
                began = time.perf_counter()
                boxes = find(frame.pictures[picture]).boxes
                spent += time.perf_counter() - began
                near = overlaps(true[frame.index][whole[frame.index]], boxes) > 0.4
                hits, count = hits + near.any(axis=1).sum(), count + len(near)
                given, good = given + len(boxes), good + near.any(axis=0).sum()
        frames = max(count, 1)
        print(
            f"  {detector.name:20s} recall {hits / frames:.3f}  precision {good / max(given, 1):.3f}  ({count} faces)  "
            f"{1000 * spent / frames:.1f} ms a face",
            flush=True,
        )


def main() -> None:
    """Measures and prints."""
    data = Path(os.environ.get("EGO_TEST_DATA", ROOT.parent / "shared" / "data"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--detectors", default="skin,palms,palms+tiles")
    parser.add_argument("--videos", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--gtea", action="store_true")
    parser.add_argument("--kitchen", action="store_true")
    parser.add_argument("--faces", action="store_true")
    asked = parser.parse_args()
    everything = not (asked.gtea or asked.kitchen or asked.faces)
    known = detectors(data / "hands" / "tflite")
    with tempfile.TemporaryDirectory() as name, Decoder() as decoder:
        sets = []
        if asked.gtea or everything:
            sets.append(("100 marked frames of GTEA", data / "labelled_gtea_s2" / "videos", marked()))
        if asked.kitchen or everything:
            truth = drawn(Path(name), asked.videos, asked.seconds)
            sets.append((f"{asked.videos} drawn test videos", Path(name) / "videos", truth))
        for title, folder, truth in sets:
            videos = [one for one in scan(find_videos([str(folder)]), decoder) if isinstance(one, Video)]
            print(f"{title}, load {os.getloadavg()[0]:.1f}")
            for one in asked.detectors.split(","):
                compare(one, known[one], videos, truth, decoder)
        if asked.faces or everything:
            people = Path(name) / "people"
            world = World(0, "folder", 12.0, None, (456, 256), False)
            begin(world, people)
            draw_all(world, [0, 5, 9, 10, 13, 19], people, 1, lambda news: None)
            print(f"faces of drawn people, load {os.getloadavg()[0]:.1f}")
            faces(data, people, decoder)


if __name__ == "__main__":
    main()
