"""The `folder` data set: tables and class folders, splits by video, one clear sentence for each error."""

from pathlib import Path

import pytest

from ego.datasets._base import present
from ego.datasets.folder import Folder
from ego.errors import BadRequest
from ego.spec import make

TABLE = """video,start,stop,verb,noun
a,0,1.5,take,cup
b.mp4,2,2.5,put,cup
kitchen/c,0.5,3,take,pan
a,3,4,background,none
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a.mp4", "b.mp4", "kitchen/c.MP4", "kitchen/.hidden.mp4", "notes.txt"):
        path = tmp_path / "videos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")
    (tmp_path / "table.csv").write_text(TABLE)
    return tmp_path


def read(root, **fields):
    return make("datasets", "folder", {"csv": "table.csv", "folder": "videos", **fields}).read(root)


def test_a_table_gives_clips_in_order_with_their_classes_and_files(root):
    found = read(root, ignore=["background"])
    assert [(clip.video, clip.parts, dict(clip.labels)) for clip in found.clips] == [
        ("a", ((0.0, 1.5),), {"verb": "take", "noun": "cup"}),
        ("b", ((2.0, 2.5),), {"verb": "put", "noun": "cup"}),
        ("kitchen/c", ((0.5, 3.0),), {"verb": "take", "noun": "pan"}),
    ]
    assert found.classes == {"verb": ("put", "take"), "noun": ("cup", "pan")}
    assert found.videos == {
        "a": root / "videos/a.mp4", "b": root / "videos/b.mp4", "kitchen/c": root / "videos/kitchen/c.MP4"
    }  # fmt: skip
    assert found.clips[2].source == "table.csv, line 4"


def test_the_shared_column_names_are_fields(root):
    (root / "other.csv").write_text("start_s,clip,stop_s,verb,ignored\n1,a,2,take,x\n1,b,2,put,x\n")
    found = read(root, csv="other.csv", video="clip", start="start_s", stop="stop_s", labels=["verb"])
    assert [clip.labels for clip in found.clips] == [{"verb": "take"}, {"verb": "put"}]


def test_without_times_a_row_is_its_whole_video(root):
    (root / "whole.csv").write_text("video,verb\na,take\nb,put\n")
    assert [clip.parts for clip in read(root, csv="whole.csv", start="", stop="").clips] == [(), ()]


def test_any_line_ends_blank_lines_and_a_byte_order_mark_are_read(root):
    plain = read(root)
    for ends in ("\r\n", "\r"):
        (root / "table.csv").write_bytes(b"\xef\xbb\xbf" + (TABLE + "\n").replace("\n", ends).encode())
        assert read(root) == plain


def test_each_video_is_left_out_once_and_never_leaks(root):
    found = read(root)
    assert list(found.folds) == ["a", "b", "kitchen/c"]
    for name, fold in found.folds.items():
        assert {found.clips[i].video for i in fold["validation"]} == {name}
        assert name not in {found.clips[i].video for i in fold["train"]}
        assert sorted(fold["train"] + fold["validation"]) == [0, 1, 2, 3]


def test_groups_deal_the_videos(root):
    found = read(root, groups=2)
    held = [{found.clips[i].video for i in fold["validation"]} for fold in found.folds.values()]
    assert held == [{"a", "kitchen/c"}, {"b"}]


def test_a_column_splits(root):
    (root / "table.csv").write_text("video,start,stop,verb,split\na,0,1,x,train\nb,0,1,y,validation\nb,1,2,x,test\n")
    assert read(root, split="column").folds == {"": {"train": (0,), "validation": (1,), "test": (2,)}}
    assert read(root, split="column").classes == {"verb": ("x", "y")}
    dataset = make("datasets", "folder", {"csv": "table.csv", "folder": "videos", "split": "column"})
    assert [clip.video for clip in dataset.clips(root, "test")] == ["b"]
    assert dataset.splits(root) == ("train", "validation", "test")
    with pytest.raises(BadRequest, match="got split 'dev', expected one of: 'train', 'validation', 'test'"):
        dataset.clips(root, "dev")


def test_a_clip_may_lack_a_label(root):
    rows = "a,0,1,x,,train\na,1,2,?,cup,train\nb,0,1,y,pan,validation\n"
    (root / "table.csv").write_text("video,start,stop,verb,noun,split\n" + rows)
    found = read(root, split="column", unlabelled=["", "?"])
    assert [clip.labels for clip in found.clips] == [{"verb": "x"}, {"noun": "cup"}, {"verb": "y", "noun": "pan"}]
    assert found.classes == {"verb": ("x", "y"), "noun": ("cup", "pan")}


def test_listed_videos_are_held_out(root):
    found = read(root, split="listed", validation=["b.mp4"], test=["c"])
    assert found.folds == {"": {"train": (0, 3), "validation": (1,), "test": (2,)}}


def test_class_folders(tmp_path):
    for name in ("open/1.mp4", "open/2.mp4", "close/1.mp4", "close/deep/2.mkv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")
    found = make("datasets", "folder", {"labels": ["verb"], "groups": 2}).read(tmp_path)
    assert [(clip.video, clip.labels["verb"]) for clip in found.clips] == [
        ("close/1", "close"), ("close/deep/2", "close"), ("open/1", "open"), ("open/2", "open")
    ]  # fmt: skip
    assert found.classes == {"verb": ("close", "open")}
    assert all(clip.parts == () for clip in found.clips)


@pytest.mark.parametrize(
    ("text", "fields", "message"),
    [
        ("", {}, "table.csv is empty, expected a header line with: video, start, stop"),
        ("video,start,verb\n", {}, "table.csv, line 1: no column 'stop' among 'video', 'start', 'verb'"),
        ("video;start;stop;verb\n", {}, "look divided by .;., expected"),
        ("video,start,stop,verb,verb\n", {}, "line 1: the column 'verb' stands there twice"),
        ("video,start,stop\na,1,2\n", {}, "line 1: no label column"),
        ("video,start,stop,verb\na,1,2\n", {}, "table.csv, line 2: got 3 cells, expected 4"),
        ("video,start,stop,verb\n\na,x,2,take\n", {}, "table.csv, line 3: got 'x' as 'start', expected a number"),
        ("video,start,stop,verb\na,nan,2,take\n", {}, "line 2: got 'nan' as 'start', expected a number of seconds"),
        ("video,start,stop,verb\na,-1,2,take\n", {}, "line 2: got '-1' as 'start', expected seconds at or after 0"),
        ("video,start,stop,verb\na,3,2,take\n", {}, "line 2: got a segment from 3 to 2 s, expected 0 <= start <= stop"),
        ("video,start,stop,verb\na,1,2,\n", {}, "table.csv, line 2: 'verb' is empty"),
        ('video,start,stop,verb\n"a,1,2,take\n', {}, "table.csv, line "),
        ("video,start,stop,verb\na,1,2,take\n", {}, "leaves no clip for train"),
        (
            "video,start,stop,verb\na,1,2,take\n",
            {"ignore": ["take"]},
            "no annotated clip in .*; folder.ignore leaves out 1",
        ),
        ("video,start,stop,verb\na,1,2,\n", {"unlabelled": [""]}, "no clip has a 'verb', expected some"),
        (TABLE, {"split": "column"}, "table.csv, line 1: no column 'split'"),
        ("video,start,stop,verb,split\na,1,2,x,dev\n", {"split": "column"}, "line 2.* 'dev', expected one of: 'train'"),
        (TABLE, {"split": "listed", "validation": ["z"]}, "folder.validation: no video 'z'"),
        (TABLE, {"folder": "nowhere"}, "nowhere is no folder"),
        (TABLE, {"csv": "absent.csv"}, "absent.csv cannot be read: No such file"),
    ],
)
def test_each_error_is_one_sentence_with_file_and_line(root, text, fields, message):
    (root / "table.csv").write_text(text)
    with pytest.raises(BadRequest, match=message) as caught:
        read(root, **fields)
    assert "\n" not in str(caught.value)


def test_an_ambiguous_name_must_be_written_out(root):
    (root / "videos/other").mkdir()
    (root / "videos/other/c.mp4").write_bytes(b"video")
    (root / "table.csv").write_text("video,start,stop,verb\na,0,1,x\nc,1,2,take\n")
    with pytest.raises(BadRequest, match=r"line 3: 'c' may be 'kitchen/c' or 'other/c'; write it out"):
        read(root)


def test_windows_paths_are_understood(root):
    (root / "table.csv").write_text("video,start,stop,verb\na,0,1,x\nkitchen\\c.MP4,1,2,take\n")
    assert [clip.video for clip in read(root).clips] == ["a", "kitchen/c"]


def test_bytes_that_are_no_text_are_refused(root):
    (root / "table.csv").write_bytes(b"video,start,stop,verb\na,1,2,\xff\n")
    with pytest.raises(BadRequest, match="not UTF-8 text"):
        read(root)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"start": ""}, "expected both columns or neither"),
        ({"csv": "", "split": "column"}, "without a table"),
        ({"split": "listed"}, "without videos"),
        ({"groups": 1}, "groups = 1, expected 2 or more"),
    ],
)
def test_fields_that_cannot_mean_anything(fields, message):
    with pytest.raises(BadRequest, match=message):
        make("datasets", "folder", {"csv": "t.csv", **fields})


def test_the_real_clips(shared_data):
    fields = {"csv": "segments_shared.csv", "folder": "videos", "start": "start_s", "stop": "stop_s",
              "labels": ["verb"], "ignore": ["background"]}  # fmt: skip
    found = make("datasets", "folder", fields).read(shared_data / "labelled_gtea_s2")
    assert (len(found.clips), len(found.classes["verb"]), len(found.folds)) == (72, 9, 4)


def test_with_a_rate_videos_are_folders_of_pictures(tmp_path):
    for clip in ("open/1", "open/2", "close/1"):
        (tmp_path / clip).mkdir(parents=True)
        (tmp_path / clip / "frame_00001.jpg").write_bytes(b"picture")
    dataset = make("datasets", "folder", {"labels": ["verb"], "groups": 2, "fps": 25.0})
    found = dataset.read(tmp_path)
    assert [(clip.video, clip.labels["verb"]) for clip in found.clips] == [
        ("close/1", "close"), ("open/1", "open"), ("open/2", "open")
    ]  # fmt: skip
    assert set(found.rates.values()) == {25.0}
    with pytest.raises(BadRequest, match=r"got folder.fps = -1, expected pictures a second"):
        make("datasets", "folder", {"fps": -1})


def test_an_absent_video_keeps_its_place(root):
    (root / "table.csv").write_text("video,start,stop,verb\na,0,1,x\nz,1,2,take\n")
    found = read(root)
    assert found.absent() == ["z"]
    with pytest.raises(BadRequest, match=r"table.csv, line 3: no video 'z' at .* \(1 of the 2 annotated videos"):
        present(found)


def test_gaze_beside_the_videos_is_handed_over(tmp_path):
    for name in ("open", "gaze"):
        (tmp_path / name).mkdir()
    (tmp_path / "open" / "a.mp4").write_bytes(b"1")
    (tmp_path / "open" / "b.mp4").write_bytes(b"2")
    header = "canonical_timestamp_s,confidence,norm_pos_x,norm_pos_y\n"
    (tmp_path / "gaze" / "a.csv").write_text(header + "0.5,1,0.5,0.25\n")
    data = Folder(gaze="gaze")
    assert data.signals() == ("gaze",)
    assert data.readings(tmp_path, "open/a")["gaze"].arrays["point"].tolist() == [[0.5, 0.75]]
    assert data.readings(tmp_path, "open/b") == {}
    assert Folder().signals() == ()
    assert Folder().digest == Folder(gaze="").digest
    with pytest.raises(BadRequest, match="is no folder"):
        Folder(gaze="eyes").readings(tmp_path, "open/a")
    with pytest.raises(BadRequest, match="gaze_fps"):
        Folder(gaze="gaze", gaze_fps=0.0)


def test_boxes_beside_the_videos_are_handed_over(tmp_path):
    for name in ("open", "hands", "faces"):
        (tmp_path / name).mkdir()
    (tmp_path / "open" / "a.mp4").write_bytes(b"1")
    (tmp_path / "hands" / "a.txt").write_text("1,7,100,50,100,50,0.9\n3,7,110,50,100,50,0.8\n")
    (tmp_path / "faces" / "a.csv").write_text("2,4,0,0,200,100,1\n")
    data = Folder(hands="hands", faces="faces", box_fps=10.0, box_size=(400, 200))
    assert data.signals() == ("hand_boxes", "face_tracks")
    found = data.readings(tmp_path, "open/a")
    assert found["hand_boxes"].seconds[:, 0].tolist() == pytest.approx([0.05, 0.25])
    assert found["hand_boxes"].arrays["box"][0].tolist() == [0.25, 0.25, 0.5, 0.5]
    assert found["face_tracks"].arrays["track"].tolist() == [4]
    assert data.readings(tmp_path, "open/b") == {}
    with pytest.raises(BadRequest, match="box_fps"):
        Folder(hands="hands")
    (tmp_path / "hands" / "a.json").write_text("{}")
    with pytest.raises(BadRequest, match="are both boxes"):
        data.readings(tmp_path, "open/a")


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (TABLE + "a,0,1.5,take,cup\n", "table.csv, line 6: the same clip and labels stand in table.csv, line 2"),
        (TABLE + "a,5,5,take,cup\n", "table.csv, line 6: got a segment of no length at 5 s, expected start < stop"),
        (TABLE.splitlines()[0], "there is no annotated clip in .*table.csv$"),
    ],
)
def test_clips_that_count_twice_or_not_at_all_are_refused(root, lines, words):
    (root / "table.csv").write_text(lines)
    with pytest.raises(BadRequest, match=words):
        read(root, ignore=["background"])


def test_the_same_seconds_may_be_two_things_and_what_is_ignored_may_be_anything(root):
    (root / "table.csv").write_text(TABLE + "a,0,1.5,put,cup\na,7,7,background,none\n")
    assert len(read(root, ignore=["background"]).clips) == 4
