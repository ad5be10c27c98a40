"""Project Aria's eye gaze and hands, on real files of both generations of the model."""

import numpy as np
import pytest

from ego.errors import BadRequest
from ego.signals.aria import read_aria_gaze, read_aria_hands, vergence


def test_directions(tmp_path):
    (tmp_path / "a.csv").write_text(
        "tracking_timestamp_us,yaw_rads_cpf,pitch_rads_cpf,depth_m\n1000000,0,0,\n1500000,0.1,0,1\n"
    )
    reading = read_aria_gaze(tmp_path / "a.csv", 1_000_000)
    assert reading.kind == "gaze_ray"
    assert reading.seconds[:, 0].tolist() == [0.0, 0.5]
    assert reading.arrays["direction"][0].tolist() == [0, 0, 1]
    assert reading.arrays["direction"][1] == pytest.approx((0.09983, 0, 0.99500), abs=1e-5)
    assert reading.arrays["depth"].tolist() == [0, 1]


def test_both_eyes_meet():
    yaw, depth = vergence(np.array([-0.062917]), np.array([0.062917]), np.array([0.0]))
    assert yaw[0] == pytest.approx(0)
    assert depth[0] == pytest.approx(0.5, abs=1e-4)
    assert vergence(np.array([0.1]), np.array([0.1]), np.array([0.0]))[1].tolist() == [0.0]


def test_every_real_gaze_file_is_read(shared_data):
    files = sorted((shared_data / "aria/mps").rglob("*gaze*.csv"))
    rows = {file.name: len(read_aria_gaze(file, 0).seconds) for file in files}
    assert rows == {
        "general_eye_gaze.csv": 4, "eyegaze.csv": 123, "generalized_eye_gaze.csv": 123, "generalized_gaze.csv": 123
    }  # fmt: skip
    old, new = (
        read_aria_gaze(file, 148502622) for file in files if file.name in ("eyegaze.csv", "generalized_gaze.csv")
    )
    assert np.allclose(np.linalg.norm(new.arrays["direction"], axis=1), 1)
    assert np.allclose(np.diff(new.seconds[:, 0]), 0.1, atol=2e-3)
    assert (new.arrays["depth"] > 0.3).all()
    angle = np.degrees(np.arccos((old.arrays["direction"] * new.arrays["direction"]).sum(axis=1).clip(-1, 1)))
    assert np.median(angle) < 10  # two models of the same eyes


def test_every_real_hand_file_is_read(shared_data):
    shapes = {}
    for file in sorted((shared_data / "aria/mps").rglob("hand_tracking/*.csv")):
        reading = read_aria_hands(file, 0)
        shapes[file.name] = reading.arrays["points"].shape
        seen = reading.arrays["confidence"] > 0
        assert (reading.arrays["points"][~seen] == 0).all()
        reach = np.linalg.norm(reading.arrays["points"][seen], axis=-1)
        assert ((reach > 0.05) & (reach < 1.5)).all()  # arm's length from the glasses
    assert shapes == {
        "hand_tracking_results_v1.csv": (8, 2, 21, 3), "hand_tracking_results_v2.csv": (8, 2, 21, 3),
        "wrist_and_palm_poses.csv": (122, 2, 2, 3), "wrist_and_palm_poses_v2.csv": (122, 2, 2, 3),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (read_aria_gaze, "tracking_timestamp_us,x\n", "no column 'yaw_rads_cpf'"),
        (read_aria_gaze, "tracking_timestamp_us,yaw_rads_cpf,pitch_rads_cpf\nnan,1,1\n", "line 2: got 'nan' as"),
        (read_aria_gaze, "tracking_timestamp_us,yaw_rads_cpf,pitch_rads_cpf\n1,a,1\n", "a.csv, line 2: got 'a' as"),
        (read_aria_hands, "tracking_timestamp_us,left_tracking_confidence,right_tracking_confidence\n", "no column"),
    ],
)
def test_each_error_is_one_sentence_with_file_and_line(tmp_path, read, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(BadRequest, match=message):
        read(tmp_path / "a.csv", 0)
