"""Gaze csv files of Ego4D and EgoExo4D, and gaze on the clock of a clip."""

import numpy as np
import pytest

from ego.errors import BadRequest
from ego.gaze import TRUNCATED, UNKNOWN, UNTRACKED
from ego.signals.gaze import gaze_reading, read_ego4d_gaze, read_egoexo_gaze
from ego.signals.gaze import shifted as shift

EGO4D = (
    "component_idx,component_timestamp_s,canonical_timestamp_s,world_index,confidence,norm_pos_x,norm_pos_y,base_data,"
    + "gaze_point_3d_x,gaze_point_3d_y,gaze_point_3d_z,eye_center0_3d_x,eye_center0_3d_y,eye_center0_3d_z,"
    + "gaze_normal0_x,gaze_normal0_y,gaze_normal0_z,eye_center1_3d_x,eye_center1_3d_y,eye_center1_3d_z,"
    + "gaze_normal1_x,gaze_normal1_y,gaze_normal1_z\n"
)
ROW = "0,0.004056999999988875,0.004056999999988875,10583.0,1.0,0.4444741922266343,0.4417514942310474" + "," * 16 + "\n"


def test_ego4d_turns_the_origin(tmp_path):
    rest = "0,0,0.5,1,1.0,0.5,1.25" + "," * 16 + "\n0,0,0.6,1,0.1,0.5,0.5" + "," * 16 + "\n"
    (tmp_path / "a.csv").write_text(EGO4D + ROW + rest)
    reading = read_ego4d_gaze(tmp_path / "a.csv")
    assert reading.arrays["point"][0] == pytest.approx((0.44447, 0.55825), abs=1e-5)
    assert reading.arrays["type"].tolist() == [UNKNOWN, TRUNCATED, UNKNOWN]
    assert reading.arrays["confidence"].tolist() == pytest.approx([1.0, 1.0, 0.1])
    assert reading.arrays["point"][1].tolist() == [0.5, 0.0]
    assert reading.seconds[:, 0].tolist() == [0.004056999999988875, 0.5, 0.6]


def test_egoexo_pixels_become_fractions(tmp_path):
    (tmp_path / "a.csv").write_text("frame_num,x,y\n0,704,352\n3,1500,10\n4,,\n")
    reading = read_egoexo_gaze(tmp_path / "a.csv")
    assert reading.seconds[:, 0].tolist() == [0.0, 0.3, 0.4]
    assert reading.arrays["point"][0].tolist() == [0.5, 0.25]
    assert reading.arrays["type"].tolist() == [UNKNOWN, TRUNCATED, UNTRACKED]


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (read_ego4d_gaze, "a,b\n", "a.csv, line 1: no column 'canonical_timestamp_s'"),
        (read_ego4d_gaze, EGO4D + ROW.replace("1.0,", "sure,"), "a.csv, line 2: got 'sure' as 'confidence'"),
        (
            read_ego4d_gaze,
            EGO4D + ROW.replace("0.004056999999988875,", "nan,"),
            "line 2: got gaze without a time",
        ),
        (read_egoexo_gaze, "frame_num,x,y\nnan,1,1\n", "a.csv, line 2: got 'nan' as 'frame_num', expected a whole"),
        (read_egoexo_gaze, "frame_num;x;y\n1;1;1\n", "its cells look divided by ';'"),
    ],
)
def test_each_error_is_one_sentence_with_file_and_line(tmp_path, read, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(BadRequest, match=message):
        read(tmp_path / "a.csv")


def test_a_clip_has_the_gaze_of_its_own_seconds():
    point = np.array([[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]])
    whole = gaze_reading(np.array([3.0, 1.0, 2.0]), point, np.array([1, 1, 1], np.int8))
    clip = shift(whole, 1.5, 3.0)
    assert clip.seconds[:, 0].tolist() == [0.5]
    assert clip.arrays["point"].tolist() == [[0.3, 0.3]]


def test_times_that_run_backwards_are_refused(tmp_path):
    rows = [f"0,{when},{when},1,1.0,0.5,0.5" + "," * 16 for when in (0.0, 0.1, 700.0, 0.2)]
    (tmp_path / "a.csv").write_text(EGO4D + "\n".join(rows) + "\n")
    with pytest.raises(BadRequest, match=r"a.csv, line 5: got gaze at 0.2 s after gaze at 700 s"):
        read_ego4d_gaze(tmp_path / "a.csv")
    falling = gaze_falling(np.arange(20, 0, -1) / 10)
    with pytest.raises(BadRequest, match="19 of 20 times run backwards"):
        falling()


def gaze_falling(seconds):
    return lambda: gaze_reading(seconds, np.full((len(seconds), 2), 0.5), np.ones(len(seconds), np.int8))
