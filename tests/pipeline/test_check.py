"""A data set held against its files: absent videos, other rates and lengths, segments past the end, bad signals."""

from pathlib import Path

import pytest

from ego.datasets.egtea import Egtea
from ego.datasets.epic_kitchens import EpicKitchens
from ego.media.decode import Decoder
from ego.pipeline.check import check

HEAD = "narration_id,participant_id,video_id,start_timestamp,stop_timestamp,narration,verb_class,noun_class,all_nouns\n"


@pytest.fixture
def root(tmp_path: Path, readable_video) -> Path:
    for what, names in (("verb", "take put"), ("noun", "pan cup")):
        lines = "".join(f"{index},{name}\n" for index, name in enumerate(names.split()))
        (tmp_path / f"EPIC_100_{what}_classes.csv").write_text("id,key\n" + lines)
    rows = ("a,P01,P01_101,0:0:0,0:0:01,x,0,0,['pan']\n", "b,P01,P01_101,0:0:03,0:0:09,x,1,1,['cup']\n",
            "c,P02,P02_101,0:0:0,0:0:01,x,0,0,['pan']\n")  # fmt: skip
    (tmp_path / "EPIC_100_train.csv").write_text(HEAD + "".join(rows))
    (tmp_path / "EPIC_100_video_info.csv").write_text("video_id,duration,fps\nP01_101,99,50\nP02_101,4,50\n")
    (tmp_path / "P01/videos").mkdir(parents=True)
    readable_video(tmp_path / "P01/videos/P01_101.mp4", frames=60, fps=15)
    return tmp_path


def texts(report, level):
    return [one.text for one in report.findings if one.level == level]


def test_what_is_missing_and_what_does_not_match(root):
    seen = []
    with Decoder() as decoder:
        data = EpicKitchens(splits_read=("train",))
        report = check(data, root, decoder, lambda done, total: seen.append((done, total)))
    assert not report.sound
    assert report.present == 1
    assert texts(report, "missing") == [
        f"EPIC_100_train.csv, line 4: no video 'P02_101' at {root}/P02/videos/P02_101.MP4"
    ]
    assert texts(report, "wrong") == [
        "3 train clips here, 67217 are published",
        "2 verb classes here, 97 are published", "2 noun classes here, 300 are published",
        "the video 'P01_101' has 15.000 frames a second, 50.000 are stated",
        "the video 'P01_101' lasts 4.00 s, 99.00 s are stated",
        "EPIC_100_train.csv, line 3: got a segment from 3 to 9 s of 'P01_101', which ends at 4.000 s",
    ]  # fmt: skip
    assert seen == [(1, 2), (2, 2)]
    with Decoder() as decoder:
        skipped = check(data, root, decoder, skip_missing=True, any_counts=True)
    assert texts(skipped, "missing") == []
    assert not any("published" in text for text in texts(skipped, "wrong"))


def test_damaged_videos_are_told(root):
    (root / "P01/videos/P01_101.mp4").write_bytes(b"no video")
    with Decoder() as decoder:
        report = check(EpicKitchens(splits_read=("train",)), root, decoder)
    assert any(text.startswith("the video 'P01_101': 'P01_101.mp4' is not a video") for text in texts(report, "wrong"))


def test_signals_are_read_once_and_counted(tmp_path):
    place = tmp_path / "action_annotation"
    place.mkdir()
    for label in ("action", "verb", "noun"):
        (place / f"{label}_idx.txt").write_text("it 1\n")
    names = [f"P0{n}-R01-Pizza-0-1000-F000000-F000023" for n in (1, 2, 3)]
    (place / "train_split1.txt").write_text("".join(f"{name} 1 1 1\n" for name in names[:2]))
    (place / "test_split1.txt").write_text(f"{names[2]} 1 1 1\n")
    (tmp_path / "gaze_data").mkdir()
    head = "Time\tB POR X [px]\tB POR Y [px]\tFrame\tAux1\tB Event Info\n"
    rows = "0\t1\t1\t0\t\tFixation\n0\t-7\t1\t1\t\tFixation\n"
    (tmp_path / "gaze_data/P01-R01-Pizza.txt").write_text(head + rows)
    (tmp_path / "gaze_data/P02-R01-Pizza.txt").write_text(head + "0\t1\n")
    with Decoder() as decoder:
        report = check(Egtea(splits_read=(1,)), tmp_path, decoder)
    assert report.signals == {"gaze": 1}
    assert "P02-R01-Pizza.txt, line 2: got 2 cells, expected 6 divided by TAB" in texts(report, "wrong")
    outside = [text for text in texts(report, "note") if "gaze samples" in text]
    assert outside == [
        "1 of 2 gaze samples lie outside the frame and are held at its edge, first at 0.06 s of "
        f"{names[0]!r} (P01-R01-Pizza.txt, line 3)"
    ]  # fmt: skip
