"""GTEA-61 in the layouts of three releases and as raw videos."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ego.errors import BadRequest
from ego.spec import make


def picture(path: Path, value: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((4, 6), value, np.uint8)).save(path)


def draw(root: Path, layout: str, clips: dict[str, int]) -> None:
    """Writes a tree of clip folders: name -> number of frames."""
    for name, count in clips.items():
        for frame in range(1, count + 1):
            if layout == "fpar":
                picture(root / "processed_frames2" / name / f"rgb/rgb{frame:04d}.png")
                if frame != 2:
                    picture(root / "processed_frames2" / name / f"mmaps/map{frame:04d}.png", frame)
                for plane in "xy":
                    picture(root / f"flow_{plane}_processed" / name / f"flow_{plane}_{frame:05d}.png", frame)
            else:
                picture(root / "frames" / name / f"image_{frame:05d}.jpg")
                for plane in "xy":
                    picture(root / f"flow_{plane}" / name / f"flow_{plane}_{frame:05d}.jpg", 100)


CLIPS = {"S1/open_jam/1": 6, "S1/take_cup/1": 6, "S1/take_cup/10": 5, "S1/take_cup/2": 7, "S2/take_cup/1": 6,
         "S2/close_tea/1": 4}  # fmt: skip


def gtea(**fields):
    return make("datasets", "gtea61", fields)


@pytest.mark.parametrize("layout", ["ego-rnn", "lsta", "fpar"])
def test_clip_folders(tmp_path, layout):
    draw(tmp_path, layout, CLIPS)
    found = gtea(layout=layout).read(tmp_path)
    assert [clip.video for clip in found.clips] == [
        "S1/open_jam/1", "S1/take_cup/1", "S1/take_cup/2", "S1/take_cup/10", "S2/take_cup/1"
    ]  # fmt: skip
    assert found.classes == {"action": ("open_jam", "take_cup"), "verb": ("open", "take"), "noun": ("cup", "jam")}
    assert found.folds == {"": {"train": (0, 1, 2, 3), "test": (4,)}}
    assert set(found.rates.values()) == {15.0}
    assert found.absent() == []
    assert "1 clip folders have fewer than 5 frames and are left out, such as 'S2/close_tea/1'" in found.notes
    assert "subject S2 has no clip of 1 classes, such as 'open_jam'" in found.notes


def test_train_and_test_may_lie_apart(tmp_path):
    draw(tmp_path / "split2/train", "ego-rnn", {"S1/open_jam/1": 6})
    draw(tmp_path / "split2/test", "ego-rnn", {"S2/open_jam/1": 6})
    found = gtea(folder="split2").read(tmp_path)
    assert found.folds == {"": {"train": (0,), "test": (1,)}}


def test_copies_and_hidden_files_are_no_frames(tmp_path):
    draw(tmp_path, "fpar", {"S1/a_b/1": 6, "S2/a_b/1": 6, "S2/a_b/1 (1)": 6})
    picture(tmp_path / "processed_frames2/S1/a_b/1/rgb/rgb0001 (1).png")
    (tmp_path / "processed_frames2/S1/a_b/1/rgb/.rgb0009.png").write_bytes(b"")
    found = gtea(layout="fpar").read(tmp_path)
    assert [clip.video for clip in found.clips] == ["S1/a_b/1", "S2/a_b/1"]
    assert found.notes == ("1 clip folders are copies and are left out, such as 'S2/a_b/1 (1)'",)


def test_each_subject_in_turn(tmp_path):
    draw(tmp_path, "lsta", {f"S{who}/a_b/{n}": 5 for who in (1, 2, 3, 4) for n in (1, 2)})
    folds = gtea(layout="lsta", split="leave-one-subject-out").read(tmp_path).folds
    tests = [fold["test"] for fold in folds.values()]
    assert list(folds) == ["S1", "S2", "S3", "S4"]
    assert sorted(i for test in tests for i in test) == list(range(8))


def test_flow_and_motion_maps_are_signals(tmp_path):
    draw(tmp_path, "fpar", CLIPS)
    picture(tmp_path / "flow_x_processed/S1/open_jam/1/flow_x_00004(1).png")
    assert gtea(layout="fpar").signals() == ("flow_images", "map_images")
    readings = gtea(layout="fpar").readings(tmp_path, "S1/open_jam/1")
    flow, maps = readings["flow_images"], readings["map_images"]
    assert {plane: len(files) for plane, files in flow.encoded.items()} == {"x": 6, "y": 6}
    assert flow.arrays["frame"][[0, -1]].tolist() == [[0, 1], [5, 6]]
    assert flow.seconds[0] == pytest.approx([0, 2 / 15])
    assert maps.arrays["frame"][:, 0].tolist() == [0, 2, 3, 4, 5]  # map 2 is missing
    assert maps.seconds == pytest.approx(np.array([[0, 1], [2, 3], [3, 4], [4, 5], [5, 6]]) / 15)
    draw(tmp_path / "other", "ego-rnn", CLIPS)
    other = gtea().readings(tmp_path / "other", "S1/take_cup/2")
    assert list(other) == ["flow_images"]
    assert len(other["flow_images"].seconds) == 7


def test_flow_is_counted_as_its_frames_are(tmp_path):
    draw(tmp_path, "ego-rnn", {"S1/a_b/1": 6, "S2/a_b/1": 6})
    clip = "S1/a_b/1"
    for plane in "xy":  # the first pair has no flow: the second is of frames 1 and 2
        (tmp_path / f"flow_{plane}" / clip / f"flow_{plane}_00001.jpg").unlink()
    assert gtea().readings(tmp_path, clip)["flow_images"].arrays["frame"][0].tolist() == [1, 2]
    picture(tmp_path / "frames" / clip / "image_00000.jpg")  # counted from 0, as the release's script writes them
    assert gtea().readings(tmp_path, clip)["flow_images"].arrays["frame"][0].tolist() == [2, 3]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "flow_y/S1/a_b/1/flow_y_00003.jpg").unlink(), "picture 3, which has no plane y"),
        (lambda root: (root / "flow_y/S1/a_b/1").rename(root / "gone"), "flow_y_00001|cannot be read"),
        (lambda root: picture(root / "flow_x/S1/a_b/1/other_00001.jpg"), "holds several sequences"),
        (lambda root: picture(root / "flow_x/S1/a_b/1/flow_x_0001.jpg"), "holds frame 1 twice"),
    ],
)
def test_flow_that_does_not_fit_is_a_sentence(tmp_path, spoil, message):
    draw(tmp_path, "ego-rnn", {"S1/a_b/1": 6, "S2/a_b/1": 6})
    spoil(tmp_path)
    with pytest.raises(BadRequest, match=message):
        gtea().readings(tmp_path, "S1/a_b/1")


def test_raw_videos_with_the_corrections_of_the_release(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/S1_Tea_C1.mp4").write_bytes(b"video")
    (tmp_path / "labels/S1_Tea_C1.txt").write_text("<stir><cup> (15-29) [1]\n<put><tea> (30-44)\n<take><a,b> (45-59)\n")
    (tmp_path / "labels/S2_Tea_C1.txt").write_text("<take><a,b> (0-14) [1]\n")
    found = gtea(layout="videos").read(tmp_path)
    assert [(clip.video, clip.parts, clip.labels["action"]) for clip in found.clips] == [
        ("S1_Tea_C1", ((1.0, 2.0),), "stir_spoon,cup"),
        ("S1_Tea_C1", ((3.0, 4.0),), "take_a,b"),
        ("S2_Tea_C1", ((0.0, 1.0),), "take_a,b"),
    ]
    assert found.notes[0] == "1 segments 'put_tea' of S1 and S2 are left out, as in the release"
    assert found.absent() == ["S2_Tea_C1"]
    segments = gtea(layout="videos").readings(tmp_path, "S1_Tea_C1")["segments"]
    assert segments.seconds.tolist() == [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layout": "fpar"}, "S1, S2|SUBJECT/CLASS/INSTANCE"),
        ({"layout": "videos"}, "holds no label file such as S1_Cheese_C1.txt"),
        ({"test_subject": "S9"}, "got test_subject 'S9', the subjects here are: S1, S2"),
        ({"fps": 0}, "expected frames a second above 0"),
        ({"folder": "nowhere"}, "is no folder, expected the one that holds the subjects"),
    ],
)
def test_each_error_is_one_sentence(tmp_path, fields, message):
    draw(tmp_path, "ego-rnn", CLIPS)
    with pytest.raises(BadRequest, match=message):
        gtea(**fields).read(tmp_path)
