"""Project Aria: recordings, and their signals on the clock of the first picture."""

import shutil
from pathlib import Path

import pytest

from ego.errors import BadRequest
from ego.spec import make


@pytest.fixture
def root(tmp_path: Path, shared_data: Path) -> Path:
    source = shared_data / "aria/mps/gen1/aria_everyday_activities_test_data"
    shutil.copytree(source, tmp_path / "loc1_script1")
    (tmp_path / "loc1_script1/recording.vrs").symlink_to(
        shared_data / "aria/aria_everyday_activities_test_data__recording.vrs"
    )
    return tmp_path


def test_a_recording_is_a_clip(root):
    found = make("datasets", "aria", {}).read(root)
    assert found.videos == {"loc1_script1": root / "loc1_script1/recording.vrs"}
    assert found.clips[0].labels == {"recording": "loc1_script1", "script": "1", "location": "1"}
    assert found.absent() == []


def test_signals_start_with_the_first_picture(root):
    pytest.importorskip("projectaria_tools", reason="Meta's reader is not installed")
    readings = make("datasets", "aria", {}).readings(root, "loc1_script1")
    # gaze from 86.435306 s of the device, the first picture at 86.385246 s
    assert readings["gaze_ray"].seconds[:, 0] == pytest.approx([0.05006, 0.15006, 0.25006, 0.35006], abs=1e-5)
    assert readings["speech"].seconds[0] == pytest.approx([101.217 - 86.385246, 102.217 - 86.385246], abs=1e-5)


def test_the_start_may_be_given(root):
    (root / "loc1_script1/recording.vrs").unlink()
    readings = make("datasets", "aria", {"start_us": 86535306}).readings(root, "loc1_script1")
    assert readings["gaze_ray"].seconds[:, 0].tolist() == pytest.approx([0.0, 0.1, 0.2])
    with pytest.raises(BadRequest, match=r"holds no .vrs, which alone tells when the video begins"):
        make("datasets", "aria", {}).readings(root, "loc1_script1")
    assert make("datasets", "aria", {}).read(root).absent() == ["loc1_script1"]


def test_each_error_is_one_sentence(root):
    (root / "loc1_script1/second.vrs").write_bytes(b"x")
    with pytest.raises(BadRequest, match=r"holds recording.vrs and second.vrs, expected one recording a folder"):
        make("datasets", "aria", {}).read(root)
    with pytest.raises(BadRequest, match=r"nowhere is no folder"):
        make("datasets", "aria", {"folder": "nowhere"}).read(root)
    speech = root / "loc1_script1/speech.csv"
    speech.write_text("startTime_ns,endTime_ns,written,confidence\n9,5,a,1\n")
    with pytest.raises(BadRequest, match=r"speech.csv, line 2: got a word from 9 to 5 ns"):
        make("datasets", "aria", {"start_us": 1}).readings(root, "loc1_script1")
