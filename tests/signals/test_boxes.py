"""Boxes of hands and faces from the files of others."""

import json
import struct
from pathlib import Path

import pytest

from ego.errors import BadRequest
from ego.signals.boxes import read_100doh, read_epic_hands, read_georkap, read_mot_faces, read_mot_hands
from ego.signals.pickles import read_pickle


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_mot(tmp_path: Path):
    path = write(tmp_path / "det.txt", "2,7,32,24,64,48,0.5,-1,-1\n1,3,0,0,16,12,1\n\n")
    hands = read_mot_hands(path, 10.0, (160, 120))
    assert hands.kind == "hand_boxes"
    assert hands.seconds[:, 0].tolist() == pytest.approx([0.05, 0.15])
    assert hands.arrays["box"].tolist() == [[0, 0, 0.1, 0.1], [0.2, 0.2, pytest.approx(0.6), pytest.approx(0.6)]]
    assert hands.arrays["score"].tolist() == [1, 0.5]
    assert hands.arrays["side"].tolist() == [-1, -1]
    assert read_mot_faces(path, 10.0, (160, 120)).arrays["track"].tolist() == [3, 7]


@pytest.mark.parametrize(
    ("text", "says"),
    [("1,2,3\n", "got 3 cells"), ("1,1,0,0,1,1\nx,1,0,0,1,1\n", "line 2"), ("0,1,0,0,1,1\n", "whole number from 1")],
)
def test_mot_files_with_mistakes(text: str, says: str, tmp_path: Path):
    with pytest.raises(BadRequest, match=says):
        read_mot_hands(write(tmp_path / "det.txt", text), 10.0, (160, 120))


def test_100doh(tmp_path: Path):
    table = {
        "P01_frame_0000000011.jpg": [{"x1": 0.1, "y1": 0.2, "x2": 0.3, "y2": 0.4, "hand_side": "r", "score": 0.7}],
        "P01_frame_0000000012.jpg": [
            {"x1": 64, "y1": 24, "x2": 96, "y2": 48, "width": 320, "height": 240, "hand_side": 0}
        ],
    }
    hands = read_100doh(write(tmp_path / "hands.json", json.dumps(table)), 20.0)
    assert hands.seconds[:, 0].tolist() == pytest.approx([10.5 / 20, 11.5 / 20])
    assert hands.arrays["box"][1].tolist() == pytest.approx([0.2, 0.1, 0.3, 0.2])
    assert hands.arrays["side"].tolist() == [1, 0]
    with pytest.raises(BadRequest, match="expected x1, y1"):
        read_100doh(write(tmp_path / "bad.json", '{"a1.jpg": [{"x1": 3}]}'), 20.0)


def length(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2, len(data)]) + data


def detections(frame: int, box: tuple[float, ...], score: float, side: int) -> bytes:
    """One frame as EPIC's files hold it: a video, a frame, and a hand of box, score, state 3 and side."""
    corners = b"".join(bytes([place << 3 | 5]) + struct.pack("<f", value) for place, value in enumerate(box, 1))
    hand = length(1, corners) + bytes([2 << 3 | 5]) + struct.pack("<f", score) + bytes([3 << 3, 3])
    hand += bytes([5 << 3, side]) if side else b""  # proto3 leaves zeros out
    return length(1, b"P01_01") + bytes([2 << 3, frame]) + length(3, hand)


def pickled(value: object) -> bytes:
    import pickle

    return pickle.dumps(value)


def test_epic_hand_objects(tmp_path: Path):
    rows = [detections(1, (0.1, 0.2, 0.3, 0.4), 0.9, 1), b"", detections(3, (0.5, 0.5, 0.75, 1.0), 0.25, 0)]
    path = tmp_path / "P01_01.pkl"
    path.write_bytes(pickled(rows))
    hands = read_epic_hands(path, 50.0)
    assert hands.seconds[:, 0].tolist() == pytest.approx([0.01, 0.05])
    assert hands.arrays["box"].tolist() == [pytest.approx([0.1, 0.2, 0.3, 0.4]), pytest.approx([0.5, 0.5, 0.75, 1.0])]
    assert hands.arrays["side"].tolist() == [1, 0]
    assert hands.arrays["frames"].tolist() == [3, 3]
    assert read_epic_hands(path, 50.0, least_score=0.5).arrays["score"].tolist() == [pytest.approx(0.9)]
    path.write_bytes(pickled([rows[0][:-3]]))
    with pytest.raises(BadRequest, match="damaged message"):
        read_epic_hands(path, 50.0)


def test_georkap(tmp_path: Path):
    path = tmp_path / "clip.pkl"
    path.write_bytes(pickled({"left": [[64, 128], [50, 380], [0, 0]], "right": [[228, 64], [228, 64], [9, 9]]}))
    hands = read_georkap(path, 10.0, (456, 256), surplus=1)
    assert hands.arrays["side"].tolist() == [0, 1, 1]  # a left hand below the frame is not there
    left, right = hands.arrays["box"][:2]
    assert left[[2, 1]].tolist() == pytest.approx([64 / 456, 0.5])
    assert right[[0, 1]].tolist() == pytest.approx([0.5, 0.25])
    assert hands.arrays["frames"].tolist() == [2, 2, 2]
    assert read_georkap(path, 10.0, (456, 256), part_of_video=True).arrays["frames"].tolist() == [0] * 4
    path.write_bytes(pickled({"left": [[1, 1]], "right": []}))
    with pytest.raises(BadRequest, match="1 points of the left hand and 0"):
        read_georkap(path, 10.0, (456, 256))


def test_arrays_of_numbers_are_plain_data(tmp_path: Path):
    import numpy as np

    path = tmp_path / "arrays.pkl"
    value = {"left": np.arange(6.0).reshape(3, 2), "scalar": np.float32(1.5), "text": "a", "bytes": b"b"}
    for protocol in range(6):
        import pickle

        path.write_bytes(pickle.dumps(value, protocol))
        found = read_pickle(path)
        assert found["left"].tolist() == value["left"].tolist()
        assert found["scalar"] == 1.5
        assert (found["text"], found["bytes"]) == ("a", b"b")


class Hostile:
    def __init__(self, deed: object, *words: object) -> None:
        self.deed, self.words = deed, words

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.deed, self.words


def test_a_hostile_pickle_runs_nothing(tmp_path: Path):
    import builtins
    import os
    import pickle
    import subprocess

    mark = tmp_path / "ran"
    deeds = [
        Hostile(os.system, f"touch {mark}"),
        Hostile(eval, f"open({str(mark)!r}, 'w')"),
        Hostile(subprocess.Popen, ["touch", str(mark)]),
        Hostile(getattr(builtins, "exec"), f"open({str(mark)!r}, 'w')"),  # noqa: B009
        Hostile(getattr, {}, "keys"),
        Hostile(pickle.loads, pickled(1)),
        Hostile(Path, str(mark)),
    ]
    path = tmp_path / "hostile.pkl"
    for deed in deeds:
        for protocol in (0, 2, 4, 5):
            for value in (deed, {"left": [deed], "right": []}):
                path.write_bytes(pickle.dumps(value, protocol))
                with pytest.raises(BadRequest, match="no pickle of plain data"):
                    read_georkap(path, 10.0, (456, 256))
    # names reached by other opcodes: a dotted path, and the builtins module's own dictionary
    for data in (b"cbuiltins\ngetattr\n.", b"\x80\x04\x8c\x08builtins\x8c\x0cdict.__class__\x93.", b"cos\nsystem\n."):
        path.write_bytes(data)
        with pytest.raises(BadRequest, match="no pickle of plain data"):
            read_pickle(path)
    assert not mark.exists()


def test_damaged_pickles(tmp_path: Path):
    path = tmp_path / "cut.pkl"
    whole = pickled({"left": [[1, 2]] * 9, "right": [[1, 2]] * 9})
    for stop in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:stop])
        with pytest.raises(BadRequest):
            read_georkap(path, 10.0, (456, 256))
    with pytest.raises(BadRequest, match="cannot be read"):
        read_pickle(tmp_path / "none.pkl")
