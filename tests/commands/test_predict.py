"""`ego predict` as it is typed: features extracted by the way, lines, files and a film."""

import csv
import json
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from ego.cache.store import FeatureStore
from ego.extractors.gaze import Gaze
from ego.media.decode import Decoder
from ego.media.encode import encode
from ego.pipeline.around import frames
from ego.pipeline.jobs import entry_key
from ego.pipeline.scan import scan
from ego.video import Picture


@pytest.fixture
def new(tmp_path):
    """A video that no data set knows: two seconds of green, then two of red."""
    encode(tmp_path / "new.mp4", sys.modules["colours"].pictures("ggrr", 9), 10)
    return tmp_path / "new.mp4"


def test_what_is_missing_is_extracted_and_every_clip_has_a_line(run, fitted, colours, new, tmp_path):
    store = tmp_path / "features"
    store.mkdir()
    (store / "spare").mkdir()
    run("extract", "--with", "mean_rgb", "--store", tmp_path / "other", new, "--quiet")
    done = run("predict", fitted, "--store", tmp_path / "other", "--stride", "1", "--json", new)
    assert done.exit_code == 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["start_seconds"], line["said"]) for line in lines] == [(0, "g"), (1, "g"), (2, "r"), (3, "r")]
    assert lines[0]["task"] == "verb"
    assert lines[0]["top"][0] == ["g", lines[0]["score"]]
    assert not lines[0]["trained"]
    assert lines[0]["folds"] == ["one", "three", "two"]


def test_the_default_clip_is_as_long_as_the_runs(run, fitted, new, tmp_path):
    shutil.copytree(json.loads((fitted / "run.json").read_text())["recipe"]["store"][0], tmp_path / "features")
    done = run("predict", fitted, "--store", tmp_path / "features", "--out", tmp_path / "said.csv", new)
    assert done.exit_code == 0
    rows = list(csv.DictReader((tmp_path / "said.csv").open()))
    assert [float(row["start_seconds"]) for row in rows] == [0, 0.5, 1, 1.5, 2, 2.5, 3]
    assert (rows[0]["said"], rows[-1]["said"]) == ("g", "r")
    assert json.loads(rows[0]["top"])[0][0] == "g"
    assert "written:" in done.stderr
    done = run("predict", fitted, "--store", tmp_path / "features", "--window", "4", new)
    assert done.stdout.split()[:6] == ["video", "start", "stop", "task", "said", "score"]
    assert len(done.stdout.splitlines()) == 2


def test_a_film_has_every_frame_and_a_line_below(run, fitted, new, tmp_path):
    store, drawn = tmp_path / "features", tmp_path / "drawn.mp4"
    run("extract", "--with", "mean_rgb", "--store", store, new, "--quiet")
    done = run("predict", fitted, "--store", store, "--draw", drawn, new)
    assert done.exit_code == 0
    with Decoder() as decoder:
        (video,) = scan([drawn], decoder)
        shown = list(frames(video, decoder, Picture("native", 0)))
    assert len(shown) == 40
    assert shown[0].picture.shape == (360 + 24, 480, 3)
    below = shown[5].picture[362:382]
    assert below.min() < 100  # the words
    assert shown[5].picture[100, 100, 1] > 150  # the frame itself is green


def test_a_folder_of_pictures_is_a_video_at_its_rate(run, fitted, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for number, picture in enumerate(sys.modules["colours"].pictures("ggrr", 9)):
        Image.fromarray(picture).save(folder / f"frame_{number:04d}.png")
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "ego-store.json").write_text('{"format": 1}\n')
    words = ("predict", fitted, "--store", tmp_path / "features", "--stride", "1", "--json")
    done = run(*words, "--fps", "10", folder)
    assert done.exit_code == 0
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["start_seconds"], line["said"]) for line in lines] == [(0, "g"), (1, "g"), (2, "r"), (3, "r")]
    slower = [json.loads(line) for line in run(*words, "--fps", "5", folder).stdout.splitlines()]
    assert [line["said"] for line in slower] == list("ggggrrrr")
    done = run(*words, folder)
    assert done.exit_code == 2
    assert "got no video in" in done.stderr
    assert "where --fps or a data set says how many a second" in done.stderr


def test_a_video_without_the_signals_that_a_head_reads_is_predicted_from_the_rest(run, colours, new, tmp_path):
    """The head saw colour and gaze; of the new video nobody recorded gaze: its entry is empty and masked."""
    recipe = tmp_path / "gaze.toml"
    recipe.write_text(colours.recipe.read_text().replace("[tasks.verb]", "[extractors.gaze]\n[tasks.verb]"))
    store = FeatureStore(tmp_path / "features", colours.store, create=True)
    with Decoder() as decoder:
        for video in scan(sorted((colours.data / "videos").iterdir()), decoder):
            start = np.arange(60)[:, None] / 10
            rows = {
                "time": start + np.array([0, 0.05, 0.1]),
                "source": np.full((60, 4), -1),
                "point": np.full((60, 2), 0.5, np.float32),
                "type": np.ones(60, np.int8),
                "blink": np.zeros(60, bool),
            }
            store.write(entry_key(video, Gaze(), {}), Gaze().rows({}), [rows], {})
    places = ("--store", tmp_path / "features", "--store", colours.store)
    learnt = ("fit-heads", recipe, "--data", colours.data, "--out", tmp_path / "runs", "--json", "--fold", "one")
    done = run(*learnt, *places, "--set", 'head.features=["colour", "gaze.point"]')
    assert done.exit_code == 0, done.stderr
    folder = tmp_path / "runs" / json.loads(done.stdout.splitlines()[0])["run"]
    done = run("predict", folder, *places, "--stride", "1", "--json", new)
    assert done.exit_code == 0, done.stderr
    assert [json.loads(line)["said"] for line in done.stdout.splitlines()] == list("ggrr")
    status = run("status", "--store", tmp_path / "features").stdout
    assert next(line.split()[3] for line in status.splitlines() if line.startswith("gaze")) == "1"  # absent


def test_a_video_that_cannot_be_read_costs_exit_code_1(run, fitted, new, tmp_path):
    (tmp_path / "bad.mp4").write_bytes(b"no video at all")
    store = tmp_path / "features"
    run("extract", "--with", "mean_rgb", "--store", store, new, "--quiet")
    done = run("predict", fitted, "--store", store, "--json", tmp_path / "bad.mp4", new)
    assert done.exit_code == 1
    assert "failed  bad" in done.stderr
    assert len(done.stdout.splitlines()) == 7


def test_a_video_that_was_trained_on_is_told(run, fitted, colours):
    done = run("predict", fitted, "--fold", "two", "--json", colours.data / "videos" / "one.mp4")
    assert "one: the weights were trained on this video" in done.stderr
    assert all(json.loads(line)["trained"] for line in done.stdout.splitlines())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--window", "0"), "got clips of 0 s every 0 s, expected both above 0"),
        (("--out", "said.txt"), "got --out 'said.txt', expected a file that ends in .json or .csv"),
        (("--draw", "said.gif"), "got --draw 'said.gif', expected a file that ends in .mp4"),
        (("--fold", "four"), "got fold 'four'"),
    ],
)
def test_what_cannot_be_is_one_sentence(run, fitted, colours, options, words):
    done = run("predict", fitted, *options, colours.data / "videos" / "one.mp4")
    assert done.exit_code == 2
    assert words in done.stderr
