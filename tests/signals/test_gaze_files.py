"""Which gaze file lies beside a video, and that each is read by what its header says."""

from pathlib import Path

import pytest

from ego.errors import BadRequest
from ego.signals.begaze import read_begaze
from ego.signals.gaze_files import find_gaze, read_gaze

EGO4D = "canonical_timestamp_s,confidence,norm_pos_x,norm_pos_y\n0.5,1,0.5,0.25\n"


def test_a_file_or_an_export_by_the_videos_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(EGO4D)
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "b" / "c" / "gaze.csv").write_text("")
    assert find_gaze(tmp_path, "open/a") == tmp_path / "a.csv"
    assert find_gaze(tmp_path, "b/c") == tmp_path / "b" / "c"
    assert find_gaze(tmp_path, "d") is None
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(BadRequest, match=r"a.csv and .*a.txt are both gaze of 'a'"):
        find_gaze(tmp_path, "a")


def test_what_wrote_a_file_is_told_by_its_header(tmp_path: Path, shared_data: Path) -> None:
    (tmp_path / "a.csv").write_text(EGO4D)
    assert read_gaze(tmp_path / "a.csv").arrays["point"].tolist() == [[0.5, 0.75]]
    (tmp_path / "b.csv").write_text("frame_num,x,y\n5,320,240\n")
    reading = read_gaze(tmp_path / "b.csv", 10.0, (640, 480))
    assert (reading.seconds[0, 0], reading.arrays["point"].tolist()) == (0.5, [[0.5, 0.5]])
    session = shared_data / "annotations" / "egtea_gaze" / "OP01-R06-GreekSalad.txt"
    assert read_gaze(session).digest == read_begaze(session).reading().digest
    (tmp_path / "c.csv").write_text("when,where\n1,2\n")
    with pytest.raises(BadRequest, match=r"c.csv, line 1: got 'when,where', expected the header of a gaze file"):
        read_gaze(tmp_path / "c.csv")
