"""EGTEA Gaze+: the official splits as real files have them, every layout, every bad line."""

from pathlib import Path

import pytest

from ego.datasets.egtea import clip_name
from ego.errors import BadRequest
from ego.samplers import frame_by_frame
from ego.spec import make

FIRST = "OP01-R01-PastaSalad-1000-2000-F000024-F000047"
SECOND = "OP01-R01-PastaSalad-2000-3000-F000048-F000071"
THIRD = "P02-R01-PastaSalad-0-1000-F000000-F000023"
GAZE = "Time\tType\tTrial\tL POR X [px]\tL POR Y [px]\tFrame\tAux1\tL Event Info\n" + "".join(
    f"{frame}\tSMP\t1\t{frame * 10}\t480\t{frame}\t\tFixation\n" for frame in range(100)
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "action_annotation"
    place.mkdir()
    for label, names in (("action", "Take bread 1\nPut bread_container 2\n"), ("verb", "Take 1\nPut 2\n"),
                         ("noun", "bread 1\nbread_container 2\n")):  # fmt: skip
        (place / f"{label}_idx.txt").write_text(names)
    (place / "train_split1.txt").write_text(f"{FIRST} 1 1 1\n{THIRD} 2 2 2 1\n")
    (place / "test_split1.txt").write_text(f"{SECOND} 1 1 1\n")
    for name in (FIRST, SECOND, THIRD):
        path = tmp_path / "cropped_clips" / clip_name(name, "").session / f"{name}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"video")
    (tmp_path / "gaze_data").mkdir()
    (tmp_path / "gaze_data/OP01-R01-PastaSalad.txt").write_text(GAZE)
    return tmp_path


def egtea(**fields):
    return make("datasets", "egtea", {"splits_read": [1], **fields})


def test_clips_are_videos_of_their_own(root):
    found = egtea().read(root)
    assert [(clip.video, clip.parts) for clip in found.clips] == [(FIRST, ()), (THIRD, ()), (SECOND, ())]
    assert found.clips[1].labels == {
        "action": "Put bread_container", "verb": "Put", "noun": "bread_container", "nouns": "bread_container, bread"
    }  # fmt: skip
    assert found.classes["action"] == ("Take bread", "Put bread_container")
    assert found.folds == {"split1": {"train": (0, 1), "test": (2,)}}
    assert found.absent() == []
    assert found.stated[FIRST].seconds == 1.0
    assert found.clips[2].source == "test_split1.txt, line 1"


def test_gaze_is_shifted_to_the_clip(root):
    reading = egtea().readings(root, SECOND)["gaze"]
    assert len(reading.seconds) == 24
    assert reading.seconds[0, 0] == pytest.approx(0.5 / 24)
    assert reading.arrays["point"][0, 0] == pytest.approx(480 / 1280)  # the sample of session frame 48
    assert egtea().readings(root, THIRD) == {}
    (root / "gaze_data/P02-R01-PastaSalad-GazeData.txt").write_text(GAZE)
    assert len(egtea().readings(root, THIRD)["gaze"].seconds) == 24
    whole = egtea(layout="sessions").readings(root, "OP01-R01-PastaSalad")["gaze"]
    assert len(whole.seconds) == 100


def test_sessions_have_spans(root):
    found = egtea(layout="sessions", folder="cropped_clips").read(root)
    assert [(clip.video, clip.parts) for clip in found.clips][:2] == [
        ("OP01-R01-PastaSalad", ((1.0, 2.0),)), ("P02-R01-PastaSalad", ((0.0, 1.0),))
    ]  # fmt: skip
    assert found.within_videos
    assert set(found.absent()) == {"OP01-R01-PastaSalad", "P02-R01-PastaSalad"}


def test_frame_folders_state_their_rate(root):
    found = egtea(layout="frames").read(root)
    assert found.rates[FIRST] == 24.0
    assert found.videos[FIRST] == root / "clips_frames/OP01-R01-PastaSalad" / FIRST


def test_windows_paths_quotes_and_any_line_ends_are_understood(root):
    path = root / "action_annotation/train_split1.txt"
    for ends in ("\n", "\r", "\r\n"):
        path.write_bytes(f'data\\EGTEA\\clips_frames\\{FIRST} 1 1 1{ends}"{THIRD} 2 2 2 1"{ends}'.encode())
        assert [clip.video for clip in egtea().read(root).clips] == [FIRST, THIRD, SECOND]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("train_split1.txt", f"{FIRST} 1 1\n", "train_split1.txt, line 1: got .* expected CLIP ACTION VERB NOUN"),
        ("train_split1.txt", f"{FIRST},1,1,1\n", "look divided by commas"),
        ("train_split1.txt", f"{FIRST} 3 1 1\n", r"line 1: got action id 3, expected 1 to 2 \(action_idx.txt\)"),
        ("train_split1.txt", f"{FIRST} 0 1 1\n", "line 1: got action id 0, expected 1 to 2"),
        ("train_split1.txt", f"\n{FIRST} nan 1 1\n", "train_split1.txt, line 2: got 'nan' as the action, expected a"),
        ("train_split1.txt", f"{FIRST} 1 1 1\n{FIRST} 1 1 1\n", "line 2: the clip .* stands in train_split1.txt, line"),
        ("train_split1.txt", f"{SECOND} 1 1 1\n", "test_split1.txt, line 1: the clip .* stands in train_split1.txt"),
        ("train_split1.txt", "OP01-R01-2000-1000-F000001-F000002 1 1 1\n", "line 1: got the clip .*start <= stop"),
        ("train_split1.txt", "OP01-R01.mp4 1 1 1\n", "line 1: got the clip 'OP01-R01', expected SESSION-start"),
        ("action_idx.txt", "Take bread 1\nPut 1\n", "action_idx.txt, line 2: got 'Put 1'"),
        ("action_idx.txt", "Take bread 1\nPut bread 3\n", "action_idx.txt holds 2 ids, expected every id from 1"),
        ("action_idx.txt", "", "action_idx.txt holds 0 ids"),
        ("verb_idx.txt", "Take x\n", "verb_idx.txt, line 1: got 'x' as a class id, expected a whole number"),
    ],
)
def test_each_error_is_one_sentence_with_file_and_line(root, file, text, message):
    (root / "action_annotation" / file).write_text(text)
    with pytest.raises(BadRequest, match=message) as caught:
        egtea().read(root)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(root):
    (root / "action_annotation/noun_idx.txt").unlink()
    with pytest.raises(BadRequest, match=r"noun_idx.txt cannot be read: No such file"):
        egtea().read(root)


def test_the_official_splits(shared_data):
    root = shared_data / "annotations"
    data = make("datasets", "egtea", {"annotations": "egtea", "gaze": "egtea_gaze"})
    found = data.read(root)
    sizes = {name: {split: len(rows) for split, rows in fold.items()} for name, fold in found.folds.items()}
    assert sizes == {
        "split1": {"train": 8299, "test": 2022}, "split2": {"train": 8299, "test": 2022},
        "split3": {"train": 8300, "test": 2021},
    }  # fmt: skip
    assert [len(found.classes[label]) for label in ("action", "verb", "noun")] == [106, 19, 53]
    named = [clip_name(clip.video, "") for clip in found.clips]
    assert (len(found.clips), len({one.session for one in named})) == (10321, 86)
    tested = found.folds["split1"]["test"]
    frames = [named[i].last + 1 - named[i].first for i in tested]
    assert sum(frames) == 206_649
    blocks = [counted for count in frames for _, counted in frame_by_frame(count)]  # MFNet's gaze protocol
    assert sum(map(len, blocks)) == 206_649
    tests = [set(fold["test"]) for fold in found.folds.values()]
    assert len(set.union(*tests)) == 6065 == sum(map(len, tests))
    assert len({(clip.labels["action"], clip.labels["verb"], clip.labels["noun"]) for clip in found.clips}) == 106
    assert len({clip.labels["noun"] for clip in found.clips}) == 51
    for clip, one in zip(found.clips, named, strict=True):
        start, stop = (int(part) / 1000 for part in clip.video.split("-F")[0].rsplit("-", 2)[1:])
        assert abs(one.seconds[0] - start) <= 0.11 * (stop - start) + 0.1


def test_another_copy_of_split_1_has_the_same_clips_in_the_same_order(shared_data, tmp_path):
    for name in ("action_idx.txt", "verb_idx.txt", "noun_idx.txt"):
        (tmp_path / name).symlink_to(shared_data / "annotations/egtea" / name)
    for name in ("train_split1.txt", "test_split1.txt"):
        (tmp_path / name).symlink_to(shared_data / "annotations/ego_md_mtl/EGTEA" / name)
    copy = egtea(annotations="").read(tmp_path)
    assert [clip.video for clip in copy.clips] == [
        clip.video for clip in egtea(annotations="egtea").read(shared_data / "annotations").clips
    ]


def test_real_clips_have_real_gaze(shared_data):
    data = make("datasets", "egtea", {"annotations": "egtea", "gaze": "egtea_gaze"})
    root = shared_data / "annotations"
    clips = [clip.video for clip in data.read(root).clips if clip.video.startswith(("OP01-R04", "P06-R02"))]
    readings = {name: data.readings(root, name)["gaze"] for name in clips}
    seconds = {name: clip_name(name, "").seconds for name in clips}
    assert len(clips) > 100
    assert all(len(one.seconds) > 10 for one in readings.values())
    assert all(one.seconds.max() < seconds[name][1] - seconds[name][0] for name, one in readings.items())
