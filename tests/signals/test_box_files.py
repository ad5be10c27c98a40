"""Which file of boxes belongs to a video, and what wrote it."""

import json
import pickle
from pathlib import Path

import pytest

from ego.errors import BadRequest
from ego.signals.box_files import find_boxes, read_faces, read_hands

SIZE = (456, 256)


def test_a_file_is_found_by_its_videos_name(tmp_path: Path) -> None:
    (tmp_path / "P01").mkdir()
    (tmp_path / "P01" / "P01_01.pkl").write_bytes(b"")
    assert find_boxes(tmp_path, "P01/P01_01") == tmp_path / "P01" / "P01_01.pkl"
    assert find_boxes(tmp_path, "P01_01") is None
    (tmp_path / "P01_01.txt").write_text("")
    assert find_boxes(tmp_path, "elsewhere/P01_01") == tmp_path / "P01_01.txt"


def test_each_kind_is_told_by_its_ending_and_content(tmp_path: Path) -> None:
    mot, doh, points = tmp_path / "a.txt", tmp_path / "a.json", tmp_path / "a.pkl"
    mot.write_text("1,3,114,64,114,64,0.5\n")
    doh.write_text(json.dumps({"frame_0001.jpg": [{"x1": 0.25, "y1": 0.25, "x2": 0.5, "y2": 0.5, "hand_side": "l"}]}))
    points.write_bytes(pickle.dumps({"left": [[228.0, 64.0]], "right": [[0.0, 0.0]]}))
    for path in (mot, doh, points):
        reading = read_hands(path, 10.0, SIZE)
        assert reading.kind == "hand_boxes"
        assert reading.seconds.tolist() == [[0.05, 0.05]]
    assert read_hands(mot, 10.0, SIZE).arrays["box"].tolist() == read_hands(doh, 10.0, SIZE).arrays["box"].tolist()
    assert read_faces(mot, 10.0, SIZE).arrays["track"].tolist() == [3]


def test_faces_are_read_from_mot_alone(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="expected a MOT file"):
        read_faces(tmp_path / "a.pkl", 10.0, SIZE)
