"""Exports of Pupil Player and Pupil Cloud, in the columns their programs write."""

from pathlib import Path

import pytest

from ego.errors import BadRequest
from ego.gaze import FIXATION, SACCADE, TRUNCATED, UNKNOWN, UNTRACKED
from ego.signals.pupil import is_export, read_cloud_gaze, read_export, read_player_gaze

PLAYER = "gaze_timestamp,world_index,confidence,norm_pos_x,norm_pos_y,base_data\n"
CLOUD = "section id,recording id,timestamp [ns],gaze x [px],gaze y [px],worn,fixation id,blink id,azimuth [deg],"
CLOUD += "elevation [deg]\n"
EVENTS = "section id,recording id,saccade id,start timestamp [ns],end timestamp [ns],duration [ms]\n"
BASE = 1_700_000_000_000_000_000


@pytest.fixture
def player(tmp_path: Path) -> Path:
    (tmp_path / "world_timestamps.csv").write_text("# timestamps [seconds],pts\n100.500000,0\n100.533333,500\n")
    rows = ["100.4,0,1.0,0.5,0.5,x", "100.6,2,0.9,0.25,0.25,x", "100.8,4,0.2,0.5,0.9,x", "101.0,9,1.0,0.5,1.1,x"]
    (tmp_path / "gaze_positions.csv").write_text(PLAYER + "\n".join(rows) + "\n")
    return tmp_path


def test_player_counts_from_the_first_picture_and_from_the_top(player: Path) -> None:
    reading = read_player_gaze(player)
    assert reading.seconds[:, 0] == pytest.approx([0.1, 0.3, 0.5])  # what came before the video is left out
    assert reading.arrays["point"].ravel() == pytest.approx([0.25, 0.75, 0.5, 0.1, 0.5, 0.0])
    assert reading.arrays["type"].tolist() == [UNKNOWN, UNKNOWN, TRUNCATED]
    assert reading.arrays["confidence"].tolist() == pytest.approx([0.9, 0.2, 1.0])
    assert reading.sources[0] == "gaze_positions.csv, line 3"


def test_players_fixations_and_blinks(player: Path) -> None:
    (player / "fixations.csv").write_text("id,start_timestamp,duration\n1,100.55,100.0\n")  # milliseconds
    (player / "blinks.csv").write_text("id,start_timestamp,duration,end_timestamp\n1,100.75,0.1,100.85\n")  # seconds
    reading = read_player_gaze(player)
    assert reading.arrays["type"].tolist() == [FIXATION, UNKNOWN, TRUNCATED]
    assert reading.arrays["blink"].tolist() == [False, True, False]


@pytest.fixture
def cloud(tmp_path: Path) -> Path:
    world = "section id,recording id,timestamp [ns]\n" + "".join(f"s,r,{BASE + k * 33_000_000}\n" for k in range(3))
    (tmp_path / "world_timestamps.csv").write_text(world)
    rows = [(-5, 1, 1, 1, "", ""), (0, 800, 600, 1, 7, ""), (5, 400, 300, 1, "", ""), (10, 800, 600, 0, "", ""),
            (15, 1700, 600, 1, 8, ""), (20, 800, 600, 1, 8, 3)]  # fmt: skip
    text = "".join(
        f"s,r,{BASE + ms * 1_000_000},{x},{y},{worn},{fix},{blink},0,0\n" for ms, x, y, worn, fix, blink in rows
    )
    (tmp_path / "gaze.csv").write_text(CLOUD + text)
    return tmp_path


def test_cloud_counts_nanoseconds_and_pixels(cloud: Path) -> None:
    (cloud / "saccades.csv").write_text(EVENTS + f"s,r,1,{BASE + 4_000_000},{BASE + 6_000_000},2\n")
    reading = read_cloud_gaze(cloud)
    assert reading.seconds[:, 0] == pytest.approx([0, 0.005, 0.010, 0.015, 0.020])
    assert reading.arrays["point"][:2].tolist() == [[0.5, 0.5], [0.25, 0.25]]
    assert reading.arrays["type"].tolist() == [FIXATION, SACCADE, UNTRACKED, TRUNCATED, UNKNOWN]
    assert reading.arrays["blink"].tolist() == [False] * 4 + [True]
    assert read_cloud_gaze(cloud, (800, 600)).arrays["point"][0].tolist() == [1.0, 1.0]


def test_which_program_wrote_a_folder(player: Path) -> None:
    assert is_export(player)
    assert not is_export(player.parent)
    assert read_export(player).digest == read_player_gaze(player).digest


def test_each_error_is_one_sentence_with_file_and_line(player: Path) -> None:
    (player / "gaze_positions.csv").write_text(PLAYER + "now,0,1,0.5,0.5,\n")
    with pytest.raises(BadRequest, match=r"gaze_positions.csv, line 2: got 'now' as 'gaze_timestamp'"):
        read_player_gaze(player)
    (player / "gaze_positions.csv").write_text(PLAYER + ",0,1,0.5,0.5,\n")
    with pytest.raises(BadRequest, match=r"gaze_positions.csv, line 2: got gaze without a time"):
        read_player_gaze(player)
    (player / "world_timestamps.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadRequest, match=r"no column 'timestamps \[seconds\]'"):
        read_player_gaze(player)
