"""Each layout has the files, columns and numbers of the data set it is named after, and they agree with the truth."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ego.datasets.kitchen import truth
from ego.datasets.kitchen.layouts._base import actions
from ego.datasets.kitchen.world import World, begin, draw, finish
from ego.media.decode import Decoder

VIDEOS = 3
Made = tuple[Path, list[dict[str, Any]]]


def made(root: Path, layout: str, fps: float, videos: int = VIDEOS) -> Made:
    world = World(2, layout, seconds=8.0, fps=fps, size=(128, 96))
    begin(world, root)
    for index in range(videos):
        draw(world, index, root)
    return root, finish(world, videos, root)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def frames_in(path: Path) -> int:
    with Decoder() as decoder:
        return decoder.probe(str(path)).frames_from_header


def test_epic55_counts_frames_at_60_and_holds_test_labels_back(tmp_path: Path) -> None:
    root, records = made(tmp_path / "w", "epic55", 30.0)
    labels = rows(root / "annotations" / "EPIC_train_action_labels.csv")
    assert len(labels) == sum(len(one["actions"]) for one in records if one["split"] != "test")
    for row in labels:
        assert (root / "videos" / "train" / row["participant_id"] / f"{row['video_id']}.MP4").is_file()
        hours, minutes, seconds = row["start_timestamp"].split(":")
        assert abs(60 * (3600 * int(hours) + 60 * int(minutes) + float(seconds)) - int(row["start_frame"])) <= 1.5
        assert row["all_nouns"] == f"['{row['noun']}']"
    nouns = {row["noun_id"]: row["class_key"] for row in rows(root / "annotations" / "EPIC_noun_classes.csv")}
    assert nouns["0"] == "Nothing"
    assert all(nouns[row["noun_class"]] == row["noun"] for row in labels)
    assert "verb" not in rows(root / "annotations" / "EPIC_test_s2_timestamps.csv")[0]


def test_epic100_has_the_fifteen_columns_at_50_frames_a_second(tmp_path: Path) -> None:
    root, records = made(tmp_path / "w", "epic100", 25.0)
    for split in ("train", "validation"):
        (one,) = (one for one in records if one["split"] == split)
        found = rows(root / "annotations" / f"EPIC_100_{split}.csv")
        assert len(found) == len(one["actions"])
        assert list(found[0])[3] == "narration_timestamp"
        assert len(found[0]) == 15
        for row, action in zip(found, actions(one), strict=True):
            assert int(row["start_frame"]) == max(1, int(action.start * 50))
            assert (row["verb"], row["noun"]) == (action.verb, action.noun)
        video = root / "EPIC-KITCHENS" / one["subject"] / "videos" / f"{one['name']}.MP4"
        assert re.fullmatch(r"P\d\d_1\d\d", one["name"])
        assert frames_in(video) == one["frames"]


def test_egtea_clips_are_widened_and_gaze_has_both_versions(tmp_path: Path) -> None:
    root, records = made(tmp_path / "w", "egtea", 24.0, 2)
    lines = (root / "action_annotation" / "train_split1.txt").read_text().splitlines()
    assert len(lines) == sum(len(one["actions"]) for one in records)
    for line in lines:
        clip, action, verb, noun = line.split()
        session, start, stop, first, last = clip.rsplit("-", 4)
        seconds = (int(stop) - int(start)) / 1000
        assert abs(int(first[1:]) / 24 - int(start) / 1000) < 0.11 * seconds + 0.1
        assert frames_in(root / "cropped_clips" / session / f"{clip}.mp4") == int(last[1:]) - int(first[1:]) + 1
        assert min(int(action), int(verb), int(noun)) >= 1
    for one, columns, unit in zip(records, (8, 27), ("L POR X [px]", "B POR X [px]"), strict=True):
        text = (root / "gaze_data" / f"{one['name']}.txt").read_bytes().decode()
        table = text.split("\r\n")
        assert table[33].startswith("Time\tType")
        head = table[33].split("\t")
        assert len(head) == columns
        known = truth.load(root / "truth" / f"{one['name']}.npz")
        for line in table[34:-1]:
            cells = dict(zip(head, line.split("\t"), strict=True))
            frame = cells["Frame"]
            number = int(frame) if ":" not in frame else int(frame[6:8]) * 24 + int(frame[9:])
            if known["gaze_type"][number] in (1, 2):
                assert abs(float(cells[unit]) / 1280 - known["gaze"][number, 0]) < 1e-4


def test_gtea61_clip_folders_hold_frames_flow_and_maps(tmp_path: Path) -> None:
    root, records = made(tmp_path / "w", "gtea61", 15.0, 2)
    assert [one["subject"] for one in records] == ["S1", "S2"]
    for one in records:
        lines = (root / "labels" / f"{one['name']}.txt").read_text().splitlines()
        assert len(lines) == len(one["actions"])
        for number, line in enumerate(lines, 1):
            verb, noun, first, last = re.fullmatch(r"<(.+)><(.+)> \((\d+)-(\d+)\) \[1\]", line).groups()  # type: ignore[union-attr]
            place = Path(one["subject"]) / f"{verb}_{noun}" / str(one["index"] * 100 + number)
            count = int(last) - int(first) + 1
            maps = sorted((root / "processed_frames2" / place / "mmaps").glob("map????.png"))
            assert len(maps) == count
            for tree, pattern in (("frames", "image_?????.jpg"), ("flow_x", "flow_x_?????.jpg")):
                assert len(list((root / tree / place).glob(pattern))) == count
            mask = np.asarray(Image.open(maps[0]))
            known = np.unpackbits(truth.load(root / "truth" / f"{one['name']}.npz")["mask"], axis=2)[int(first) - 1]
            np.testing.assert_array_equal(mask > 0, known[:, :128] > 0)
            flow = np.asarray(Image.open(root / "flow_x_processed" / place / "flow_x_00001.png"))
            assert (np.abs(flow[mask == 0].astype(int) - 128) <= 1).all()


def test_ego4d_windows_hold_one_change_or_none_and_faces_have_tracks(tmp_path: Path) -> None:
    root, records = made(tmp_path / "w", "ego4d", 30.0)
    folder = root / "v2" / "annotations"
    by_name = {one["name"]: one for one in records}
    clips = json.loads((folder / "fho_oscc-pnr_train.json").read_text())["clips"]
    clips += json.loads((folder / "fho_oscc-pnr_val.json").read_text())["clips"]
    assert any(clip["state_change"] for clip in clips)
    for clip in clips:
        points = [one.pnr for one in actions(by_name[clip["video_uid"]]) if one.pnr is not None]
        inside = [one for one in points if clip["parent_start_sec"] <= one <= clip["parent_end_sec"]]
        assert len(inside) == (1 if clip["state_change"] else 0)
        if clip["state_change"]:
            assert clip["parent_pnr_frame"] == round(inside[0] * 30)
    (test,) = json.loads((folder / "fho_lta_test_unannotated.json").read_text())["clips"][:1]
    assert "verb" not in test
    videos = json.loads((folder / "av_train.json").read_text())["videos"]
    for video in videos:
        known = truth.load(root / "truth" / f"{video['video_uid']}.npz")
        for number, person in enumerate(video["clips"][0]["persons"]):
            boxes = [box for track in person["tracking_paths"] for box in track["track"]]
            assert len(boxes) == np.isfinite(known["face_boxes"][:, number]).all(1).sum()
    gaze = rows(root / "v2" / "gaze" / f"{records[0]['name']}.csv")
    known = truth.load(root / "truth" / f"{records[0]['name']}.npz")
    assert len(gaze[0]) == 23
    fixed = int(np.flatnonzero(known["gaze_type"] == 1)[0])
    assert float(gaze[fixed]["norm_pos_y"]) == pytest.approx(1 - known["gaze"][fixed, 1], abs=1e-5)
