"""Whatever bytes an annotation file holds, a reader reads it or says in one sentence what is wrong."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ego.errors import BadRequest
from ego.signals.aria import read_aria_gaze
from ego.signals.begaze import official_frames, read_begaze
from ego.signals.gaze import read_ego4d_gaze, read_egoexo_gaze
from ego.signals.pupil import read_cloud_gaze, read_player_gaze
from ego.signals.segments import read_gtea_labels
from ego.spec import make

TEXTS = ["nan", "-1", "1e999", "9" * 400, "inf", "\x00", '"', ",", ";", "\t", "\r", "\n", "null", "[]", "{}", "true",
         "1.5", "é", "\ufeff", "(", ")", "<", ":", "[" * 3000]  # fmt: skip
BEGAZE = ("## Calibration Area:\t1280\t960\nTime\tB POR X [px]\tB POR Y [px]\tFrame\tAux1\tB Event Info\n"
          "0\t1.5\t2\t00:00:00:02\t\tFixation\n0\tNaN\tNaN\t7\t\tBlink\n")  # fmt: skip
EPIC = ("narration_id,participant_id,video_id,start_timestamp,stop_timestamp,narration,verb_class,noun_class,"
        "all_nouns\n"
        "a,P01,P01_01,00:00:01.5,00:00:02,x,0,0,['pan']\n")  # fmt: skip
PNR = json.dumps({"clips": [{"video_uid": "v", "clip_uid": "c", "parent_start_sec": 1.0, "parent_end_sec": 9.0,
                             "parent_start_frame": 30, "parent_end_frame": 270, "parent_pnr_frame": 99,
                             "state_change": True}]})  # fmt: skip
AV = json.dumps({"videos": [{"video_uid": "v", "clips": [{"clip_uid": "c", "persons": [
    {"person_id": "1", "tracking_paths": [{"track_id": "t", "track": [
        {"x": 1, "y": 1, "width": 9, "height": 9, "frame": 5, "video_frame": 5}]}]}]}]}]})  # fmt: skip


def aria(path: Path) -> None:
    read_aria_gaze(path, 0)


def epic(path: Path) -> None:
    make("datasets", "epic_kitchens", {"splits_read": ["train"]}).read(path.parent)


def egtea(path: Path) -> None:
    make("datasets", "egtea", {"splits_read": [1], "annotations": ""}).read(path.parent)


def ego4d(path: Path) -> None:
    fields = {"benchmark": "asd" if "av" in path.name else "pnr", "annotations": "", "splits_read": ["train"]}
    make("datasets", "ego4d", fields).read(path.parent)


PLAYER = "gaze_timestamp,confidence,norm_pos_x,norm_pos_y\n1.5,1,0.5,0.5\n2.5,0,nan,0.5\n"
CLOUD = "timestamp [ns],gaze x [px],gaze y [px],worn,fixation id,blink id\n1000000005,2.5,3,1,4,\n1000000009,,,0,,2\n"

READERS = {
    "gaze_positions.csv": (PLAYER, lambda path: read_player_gaze(path.parent)),
    "gaze.csv": (CLOUD, lambda path: read_cloud_gaze(path.parent)),
    "gaze.txt": (BEGAZE, lambda path: official_frames(read_begaze(path))),
    "ego4d.csv": ("canonical_timestamp_s,confidence,norm_pos_x,norm_pos_y\n0.5,1,0.5,0.5\n", read_ego4d_gaze),
    "egoexo.csv": ("frame_num,x,y\n1,2.5,3\n", read_egoexo_gaze),
    "aria.csv": (
        "tracking_timestamp_us,yaw_rads_cpf,pitch_rads_cpf\n1,0.1,0.1\n",
        aria,
    ),
    "S1_Tea.txt": ("<take><cup> (120-165) [1]\n", read_gtea_labels),
    "EPIC_100_train.csv": (EPIC, epic),
    "train_split1.txt": ("S-0-9-F000000-F000009 1 1 1\n", egtea),
    "fho_oscc-pnr_train.json": (PNR, ego4d),
    "av_train.json": (AV, ego4d),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    for what in ("verb", "noun", "action"):
        (folder / f"EPIC_100_{what}_classes.csv").write_text("id,key\n0,it\n")
        (folder / f"{what}_idx.txt").write_text("it 1\n")
    (folder / "world_timestamps.csv").write_text("timestamps [seconds],timestamp [ns]\n1.0,1000000000\n")
    (folder / "test_split1.txt").write_text("T-0-9-F000000-F000009 1 1 1\n")
    return folder


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_mangled_file_is_read_or_refused(place, name, data):
    text, read = READERS[name]
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        stop = data.draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + data.draw(st.sampled_from(TEXTS) | st.text(max_size=4)) + text[stop:]
    path = place / name
    path.unlink(missing_ok=True)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    with contextlib.suppress(BadRequest):
        read(path)
