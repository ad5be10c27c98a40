"""`ego check-data` and `--skip-missing` as they are typed, on a drawn data set and on one of picture folders."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FRAMES_RECIPE = """[dataset]
name = "gtea61"

[extractors.colour]
name = "mean_rgb"
window = { fps = 5.0 }

[tasks.verb]
name = "classify"
label = "verb"
top = []

[head]
name = "linear"

[training]
epochs = 30
lr = 0.1
"""


@pytest.fixture
def data(colours, tmp_path):
    shutil.copytree(colours.data, tmp_path / "data")
    return tmp_path / "data"


def test_a_sound_data_set(run, colours):
    done = run("check-data", colours.recipe, "--data", colours.data)
    assert done.exit_code == 0
    assert "nothing is missing or wrong" in done.stdout
    assert "verb classes" in done.stdout
    facts = json.loads(run("check-data", colours.recipe, "--data", colours.data, "--json").stdout)
    assert facts["sound"]
    assert facts["videos"] == {"annotated": 3, "present": 3}
    assert sum(one["clips"] for one in facts["classes"]["verb"].values()) == 18


def test_a_missing_video_is_told_and_exits_1(run, colours, data):
    (data / "videos/two.mp4").unlink()
    done = run("check-data", colours.recipe, "--data", data)
    assert done.exit_code == 1
    assert "missing table.csv, line " in done.stdout
    assert "no video 'two' at" in done.stdout
    assert run("check-data", colours.recipe, "--data", data, "--skip-missing").exit_code == 0


def test_what_cannot_be_read_exits_2(run, colours, data, tmp_path):
    (data / "table.csv").write_text("video;start;stop;verb\n")
    done = run("check-data", colours.recipe, "--data", data)
    assert done.exit_code == 2
    assert "its cells look divided by ';'" in done.stderr
    (tmp_path / "bare.toml").write_text("[head]\nname = 'linear'\n")
    done = run("check-data", tmp_path / "bare.toml", "--data", data)
    assert done.exit_code == 2
    assert "has no [dataset], expected one to check" in done.stderr


def test_weights_need_not_be_there(run, colours, tmp_path):
    text = colours.recipe.read_text().replace('name = "mean_rgb"', 'name = "resnet"\nweights = "nowhere.pth"')
    (tmp_path / "heavy.toml").write_text(text)
    assert run("check-data", tmp_path / "heavy.toml", "--data", colours.data).exit_code == 0


def test_skipping_missing_videos_goes_on_and_says_how_many(run, colours, data, tmp_path):
    (data / "videos/two.mp4").unlink()
    for command in ("extract", "fit-heads"):
        more = () if command == "extract" else ("--out", tmp_path / "runs", "--quiet")
        plain = run(command, colours.recipe, "--data", data, "--store", colours.store, *more)
        assert plain.exit_code == 2
        assert "1 of the 3 annotated videos are not there" in plain.stderr
        assert "--skip-missing" in plain.stderr
        done = run(command, colours.recipe, "--data", data, "--store", colours.store, "--skip-missing", *more)
        assert done.exit_code == 0, done.stderr
        assert "going on without 1 of 3 videos, which are not there" in done.stderr
    store = ("--store", tmp_path / "empty", "--out", tmp_path / "runs")
    run("extract", "--with", "mean_rgb", "--store", tmp_path / "empty", data / "videos/one.mp4", "--quiet")
    lacking = run("fit-heads", colours.recipe, "--data", data, *store, "--skip-missing", "--quiet")
    assert lacking.stderr.rstrip().endswith("--skip-missing")  # the command that it says to run


@pytest.fixture
def kitchen(tmp_path: Path) -> Path:
    """Two subjects' clip folders: red while opening, blue while closing."""
    for subject in ("S1", "S2"):
        for action, level in (("open_jam", 200), ("close_jam", 40)):
            for instance in (1, 2):
                folder = tmp_path / "gtea/frames" / subject / action / str(instance)
                folder.mkdir(parents=True)
                for number in range(1, 11):
                    red = level + instance + number + 20 * (subject == "S2")
                    colour = np.array([red, 120, 255 - red], np.uint8)
                    picture = Image.fromarray(np.broadcast_to(colour, (48, 64, 3)).copy())
                    picture.save(folder / f"image_{number:05d}.png")
    (tmp_path / "gtea.toml").write_text(FRAMES_RECIPE)
    return tmp_path


def test_folders_of_pictures_are_extracted_and_learnt_from(run, kitchen):
    base = (kitchen / "gtea.toml", "--data", kitchen / "gtea")
    store = ("--store", kitchen / "features")
    checked = run("check-data", *base)
    assert "wrong   2 action classes here, 61 are published" in checked.stdout
    assert run("check-data", *base, "--any-counts").exit_code == 0
    done = run("extract", *base, *store)
    assert "8 stored" in done.stderr, done.stderr
    assert "8 already there" in run("extract", *base, *store).stderr
    fitted = run("fit-heads", *base, *store, "--out", kitchen / "runs", "--json")
    assert fitted.exit_code == 0, fitted.stderr
    lines = [json.loads(line) for line in fitted.stdout.splitlines()]
    assert [(line["split"], line["clips"]) for line in lines] == [("train", 4), ("test", 4)]
    assert lines[1]["figures"]["accuracy"] == 1.0
    missed = run("extract", *base, *store, "--set", "dataset.fps=30")
    assert "8 stored" in missed.stderr  # another rate is another video


def test_an_exchanged_picture_is_another_video(run, kitchen):
    base = (kitchen / "gtea.toml", "--data", kitchen / "gtea", "--store", kitchen / "features")
    run("extract", *base)
    picture = kitchen / "gtea/frames/S1/open_jam/1/image_00004.png"
    Image.fromarray(np.full((48, 64, 3), 7, np.uint8)).save(picture)
    assert "1 stored, 7 already there" in run("extract", *base).stderr


def test_clips_without_labels_are_not_scored(run, tmp_path):
    from ego.media.encode import encode

    head = "narration_id,participant_id,video_id,start_timestamp,stop_timestamp"
    for name, level in (("P01_01", 60), ("P02_01", 70), ("P03_01", 80)):
        (tmp_path / name[:3]).mkdir()
        colours = np.array([[level, 0, 200]] * 12 + [[level + 120, 200, 0]] * 12, np.uint8)
        pictures = (np.broadcast_to(colour, (48, 64, 3)).copy() for colour in colours)
        encode(tmp_path / name[:3] / f"{name}.MP4", pictures, 12)
    for what in ("verb", "noun"):
        (tmp_path / f"EPIC_100_{what}_classes.csv").write_text("id,key\n0,cut\n1,put\n")
    for split, name in (("train", "P01_01"), ("validation", "P02_01"), ("test_timestamps", "P03_01")):
        labels = ["", ""] if split.startswith("test") else [",x,0,0,['a']", ",x,1,1,['a']"]
        columns = "" if split.startswith("test") else ",narration,verb_class,noun_class,all_nouns"
        rows = [f"{name}_{n},{name[:3]},{name},0:0:{n},0:0:{n + 1}{label}" for n, label in enumerate(labels)]
        (tmp_path / f"EPIC_100_{split}.csv").write_text("\n".join([head + columns, *rows]) + "\n")
    recipe = FRAMES_RECIPE.replace('"gtea61"', '"epic_kitchens"')
    (tmp_path / "epic.toml").write_text(recipe)
    base = (tmp_path / "epic.toml", "--data", tmp_path, "--store", tmp_path / "features")
    assert "3 stored" in run("extract", *base).stderr
    done = run("fit-heads", *base, "--out", tmp_path / "runs", "--json")
    assert done.exit_code == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["split"], line["clips"]) for line in lines] == [("train", 2), ("validation", 2), ("test", 0)]
    assert lines[1]["figures"]["accuracy"] == 1.0
    assert lines[2]["figures"] == {}


def test_segments_of_a_data_set_reach_extractors_that_ask_for_them(run, tmp_path):
    from ego.media.encode import encode

    for folder in ("videos", "labels"):
        (tmp_path / folder).mkdir()
    for subject, level in (("S1", 60), ("S2", 90)):
        pictures = (np.full((48, 64, 3), level + number, np.uint8) for number in range(45))
        encode(tmp_path / f"videos/{subject}_Tea_C1.mp4", pictures, 15)
        (tmp_path / f"labels/{subject}_Tea_C1.txt").write_text("<open><jam> (0-14)\n<take><cup> (15-44)\n")
    recipe = FRAMES_RECIPE.replace('"gtea61"', '"gtea61"\nlayout = "videos"').replace(
        "window = { fps = 5.0 }", 'window = { at = "segments" }'
    )
    (tmp_path / "gtea.toml").write_text(recipe)
    base = (tmp_path / "gtea.toml", "--data", tmp_path, "--store", tmp_path / "features")
    done = run("extract", *base, "--json", "--quiet")
    rows = [json.loads(line)["rows"] for line in done.stdout.splitlines()]
    assert [list(one.values()) for one in rows] == [[2], [2]]
    (tmp_path / "labels/S2_Tea_C1.txt").write_text("<open><jam> (0-20)\n<take><cup> (21-44)\n")
    assert "1 stored, 1 already there" in run("extract", *base).stderr  # other segments are other signals
