"""Tracks and left and right, from boxes to rows."""

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ego.datasets.kitchen.crew import draw_all
from ego.datasets.kitchen.world import World, begin
from ego.errors import BadRequest, BadVideo
from ego.extractors._base import Beside, Block
from ego.extractors._given import GivenBoxes
from ego.extractors._palms import Palms
from ego.extractors._sides import corners
from ego.extractors._skin import SkinAndMotion
from ego.extractors.hands import Hands
from ego.fields import Weights
from ego.media.decode import Decoder, Look
from ego.pipeline.scan import find_videos, scan
from ego.pipeline.weights import WeightFinder
from ego.signals.boxes import Boxed, hand_boxes
from ego.spec import make, rebuild
from ego.video import Picture, Reading, Video

FPS = 10.0


def blank(frames: int, fps: float = FPS, each: int = 7) -> Iterator[Block]:
    """Blocks of frames that show nothing."""
    start = np.arange(frames) / fps
    time = np.stack([start, start + 0.5 / fps, start + 1 / fps], axis=1)
    index = np.arange(frames)
    source = np.stack([index, index, index, index], axis=1).astype(np.int64)
    for first in range(0, frames, each):
        here = slice(first, min(first + each, frames))
        yield Block({"frames": np.zeros((here.stop - first, 8, 8, 3), np.uint8)}, time[here], source[here])


def follow(hands: Hands, reading: Reading, frames: int) -> dict[str, Any]:
    """The arrays of a video of blank frames with these boxes beside it."""
    beside = Beside({"hand_boxes": reading}, 320, 240, True)
    (rows,) = hands.follow(blank(frames), beside, {}, "cpu")
    assert len(rows.time) == frames
    return dict(rows.arrays)


def at(frame: int, x: float, y: float = 0.6, score: float = 0.9, side: int = -1, half: float = 0.1) -> Boxed:
    return Boxed(frame, (x - half, y - half, x + half, y + half), score, side)


def given(**fields: Any) -> Hands:
    return Hands(detector=GivenBoxes(), **fields)


def test_two_hands_get_their_slots_and_points():
    boxes = [at(frame, x + 0.01 * frame) for frame in range(10) for x in (0.6, 0.2)]
    found = follow(given(), hand_boxes(boxes, FPS), 10)
    assert found["visible"].all()
    assert len(set(found["track"][:, 0])) == len(set(found["track"][:, 1])) == 1
    assert found["boxes"][9, 0] == pytest.approx([0.19, 0.5, 0.39, 0.7], abs=0.01)
    assert found["points"][9, 0] == pytest.approx([0.39, 0.5], abs=0.01)  # top right of the left hand
    assert found["points"][9, 1] == pytest.approx([0.59, 0.5], abs=0.01)  # top left of the right hand


def test_a_gap_is_predicted_and_no_more_is_predicted_after_the_last_detection():
    seen = [*range(8), *range(10, 15)]
    found = follow(given(), hand_boxes([at(frame, 0.2 + 0.01 * frame) for frame in seen], FPS), 20)
    assert found["visible"][:, 0].tolist() == [True] * 15 + [False] * 5
    centre = found["boxes"][:, 0, [0, 2]].mean(axis=1)
    assert centre[8:10] == pytest.approx([0.28, 0.29], abs=0.01)
    assert (found["score"][8:10, 0] == 0).all()
    assert (found["score"][10:15, 0] == np.float32(0.9)).all()
    assert (found["boxes"][15:] == 0).all()
    assert (found["track"][15:] == -1).all()


def test_the_side_of_a_track_is_that_of_all_of_it():
    alone = [at(frame, 0.2 + 0.03 * frame) for frame in range(16)]  # goes from 0.2 to 0.65: on the whole left
    found = follow(given(), hand_boxes(alone, FPS), 16)
    assert found["visible"][:, 0].all()
    assert not found["visible"][:, 1].any()
    beside = [at(frame, 0.95 - 0.02 * frame) for frame in range(8)]
    left_of_it = follow(given(), hand_boxes([*(at(f, 0.6 + 0.002 * f) for f in range(8)), *beside], FPS), 8)
    assert left_of_it["boxes"][0, 0, 0] == pytest.approx(0.5, abs=0.01)  # the one at 0.6 is the left of the two


def test_a_detector_that_knows_the_side_is_believed():
    boxes = [at(frame, x, side=side) for frame in range(8) for x, side in ((0.2, 1), (0.7, 0))]
    found = follow(given(), hand_boxes(boxes, FPS), 8)
    assert found["boxes"][4, 0, 0] == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize(
    ("box", "fields"),
    [
        ((0.1, 0.1, 0.9, 0.9), {"most_area": 0.5}),
        ((0.4, 0.1, 0.6, 0.3), {"reach": 1 / 3}),
    ],
)
def test_what_cannot_be_a_hand_is_dropped(box: tuple[float, float, float, float], fields: dict[str, float]):
    reading = hand_boxes([Boxed(frame, box) for frame in range(9)], FPS)
    assert not follow(given(**fields), reading, 9)["visible"].any()
    assert follow(given(**{name: 1.0 - (name == "reach") for name in fields}), reading, 9)["visible"].any()


def test_short_tracks_low_scores_and_doubles_are_dropped():
    short = [at(frame, 0.2) for frame in range(4)]
    low = [at(frame, 0.7, score=0.04) for frame in range(9)]
    double = [at(frame, 0.72, score=0.5) for frame in range(9)] + [at(frame, 0.7) for frame in range(9)]
    assert not follow(given(), hand_boxes(short, FPS), 9)["visible"].any()
    assert not follow(given(), hand_boxes(low, FPS), 9)["visible"].any()
    assert follow(given(), hand_boxes(double, FPS), 9)["visible"].sum(axis=1).tolist() == [1] * 9


def test_a_detection_is_kept_over_a_better_track_that_is_only_predicted():
    sure = [at(frame, 0.2, side=0) for frame in range(18) if frame not in (8, 9)]
    weak = [at(frame, 0.6, score=0.5, side=0) for frame in range(18)]
    found = follow(given(), hand_boxes([*sure, *weak], FPS), 18)
    centre = found["boxes"][:, 0, [0, 2]].mean(axis=1)
    assert centre == pytest.approx(np.where(np.isin(np.arange(18), (8, 9)), 0.6, 0.2), abs=0.01)
    assert found["score"][[7, 8, 9, 10], 0] == pytest.approx([0.9, 0.5, 0.5, 0.9])


def test_corners_with_an_inset():
    boxes = np.array([[0.1, 0.2, 0.3, 0.6], [0.5, 0.2, 0.9, 0.6]])
    assert corners(boxes, 0.25) == pytest.approx(np.array([[0.25, 0.3], [0.6, 0.3]]))


def test_a_file_of_another_video_is_refused():
    boxes = [at(frame, 0.2) for frame in range(10)]
    with pytest.raises(BadVideo, match="speaks of 12 frames and the video has 10"):
        follow(given(), hand_boxes(boxes, FPS, 12), 10)
    with pytest.raises(BadVideo, match=r"2 boxes after the video.s end at 0\.800 s"):
        follow(given(), hand_boxes(boxes, FPS), 8)


@pytest.mark.parametrize("fields", [{"nms": 1.5}, {"least_frames": 0}, {"max_age_seconds": -1.0}])
def test_fields_that_mean_nothing(fields: dict[str, Any]):
    with pytest.raises(BadRequest):
        Hands(**fields)


def test_a_video_without_frames_has_no_rows():
    assert list(Hands().follow(iter(()), Beside({}, 320, 240), {}, "cpu")) == []


def decoded(decoder: Decoder, video: Video, picture: Picture) -> Iterator[Block]:
    """A video's frames in blocks."""
    held: list[tuple[Any, Any, Any]] = []
    for frame in decoder.frames(video, [Look(picture, Hands().window)]):
        time = (frame.start, (frame.start + frame.stop) / 2, frame.stop)
        held.append((frame.pictures[picture].copy(), time, (frame.index, frame.index, frame.pts, frame.pts)))
        if len(held) == 32:
            yield block(held)
            held = []
    if held:
        yield block(held)


def block(held: list[tuple[Any, Any, Any]]) -> Block:
    pictures, time, source = zip(*held, strict=True)
    return Block({"frames": np.stack(pictures)}, np.array(time), np.array(source, np.int64))


def run(hands: Hands, decoder: Decoder, video: Video, files: dict[Weights, Path]) -> dict[str, Any]:
    picture = hands.needs()["frames"]
    assert isinstance(picture, Picture)
    assert video.header is not None
    beside = Beside({}, video.header.width, video.header.height, True)
    (rows,) = hands.follow(decoded(decoder, video, picture), beside, files, "cpu")
    return dict(rows.arrays)


def scores(boxes: Any, visible: Any, true: Any, there: Any, aspect: float) -> np.ndarray:
    """(found, there, on the right side, right boxes, boxes): within 0.1 of the frame's width, by centres."""
    scale = np.array([1, aspect])
    centre, truth = ((one[..., :2] + one[..., 2:]) / 2 * scale for one in (boxes, true))
    away = np.linalg.norm(truth[:, :, None] - centre[:, None], axis=-1)
    away = np.where(visible[:, None] & there[:, :, None], away, np.inf)
    found = away.min(axis=2) < 0.1
    right = found & (away.argmin(axis=2) == np.arange(2))
    good = (away.min(axis=1) < 0.1) & visible
    return np.array([found.sum(), there.sum(), right.sum(), good.sum(), visible.sum()], float)


@pytest.mark.slow
def test_hands_of_held_out_cooks_without_weights(tmp_path: Path):
    """Goal: 0.9 recall and 98 % on the right side; the limits lie below what was seen, and fail if it gets worse."""
    world, total = World(3, "folder", 10.0, None, (320, 180), False), np.zeros(5)
    begin(world, tmp_path)
    draw_all(world, [2, 7, 12], tmp_path, 1, lambda news: None)
    with Decoder() as decoder:
        for video in scan(find_videos([str(tmp_path / "videos")]), decoder):
            assert isinstance(video, Video)
            found = run(Hands(detector=SkinAndMotion()), decoder, video, {})
            with np.load(tmp_path / "truth" / f"{Path(video.name).stem}.npz") as truth:
                boxes, size = truth["hand_boxes"], truth["size"]
                there = (truth["hand_visible"].sum(axis=2) >= 4) & np.isfinite(boxes).all(axis=2)
                true = np.nan_to_num(boxes / np.tile(size, 2))
            total += scores(found["boxes"], found["visible"], true, there, size[1] / size[0])
    assert total[0] / total[1] > KITCHEN_RECALL
    assert total[2] / total[0] > KITCHEN_SIDES


KITCHEN_RECALL, KITCHEN_SIDES = 0.75, 0.8


def marked() -> dict[tuple[str, int], tuple[np.ndarray, np.ndarray]]:
    """(video, frame) -> boxes (2, 4) and which of them are there, of the 100 frames marked by hand."""
    found: dict[tuple[str, int], tuple[np.ndarray, np.ndarray]] = {}
    with Path(__file__).with_name("gtea_hands.csv").open() as file:
        for row in csv.DictReader(file):
            boxes, there = found.setdefault((row["video"], int(row["frame"])), (np.zeros((2, 4)), np.zeros(2, bool)))
            side = ("left", "right").index(row["side"])
            boxes[side] = [float(row[name]) for name in ("left", "top", "right", "bottom")]
            there[side] = True
    return found


def test_the_marks_are_of_a_hundred_frames():
    marks = marked()
    assert len(marks) == 100
    assert sum(there.sum() for _, there in marks.values()) == 187
    assert all((boxes[there][:, :2] < boxes[there][:, 2:]).all() for boxes, there in marks.values())


def weights(path: Path) -> Weights:
    return Weights(f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "recall", "sides"), [("skin", 0.7, 0.8), ("palms", 0.4, 0.85)])
def test_hands_of_real_cooks(name: str, recall: float, sides: float, shared_data: Path):
    """Two of the four marked videos; what was seen over all of them stands in docs/hands.md."""
    folder = shared_data / "hands" / "tflite"
    palm = folder / "palm_detection_builtin_256_integer_quant.tflite"
    files = {weights(palm): palm}
    detector = SkinAndMotion() if name == "skin" else Palms(weights=weights(palm), tiles=0)
    total, marks = np.zeros(5), marked()
    with Decoder() as decoder:
        for video in scan(find_videos([str(shared_data / "labelled_gtea_s2" / "videos")]), decoder):
            assert isinstance(video, Video)
            assert video.header is not None
            if "Cheese" not in video.name and "Hotdog" not in video.name:
                continue
            found = run(Hands(detector=detector), decoder, video, files)
            for (of, frame), (boxes, there) in marks.items():
                if of == Path(video.name).stem:
                    here = found["boxes"][frame : frame + 1], found["visible"][frame : frame + 1]
                    total += scores(*here, boxes[None], there[None], video.header.height / video.header.width)
    assert total[1] > 90
    assert total[0] / total[1] > recall
    assert total[2] / total[0] > sides


def test_a_recipe_names_the_detector(shared_data: Path):
    folder = shared_data / "hands" / "tflite"
    finder = WeightFinder([folder])
    table = {"detector": {"name": "Palms", "weights": "palm_detection_builtin_256_integer_quant.tflite"}}
    made = make("extractors", "hands", finder.fill(Hands, table))
    assert made == Hands(detector=Palms(weights=weights(folder / table["detector"]["weights"])))
    assert rebuild(json.loads(json.dumps(made.describe()))) == made
    assert make("extractors", "hands", {"detector": {"span_seconds": 2.0}}) == Hands(
        detector=SkinAndMotion(span_seconds=2.0)
    )
    with pytest.raises(BadRequest, match="expected one of: SkinAndMotion, Palms, OnnxBoxes, GivenBoxes"):
        make("extractors", "hands", {"detector": {"name": "Eyes"}})
    with pytest.raises(BadRequest, match="has no field 'size'"):
        make("extractors", "hands", {"detector": {"name": "GivenBoxes", "size": 3}})
