"""`ego predict` as it is typed: features extracted by the way, lines, files and a film."""

import csv
import json
import shutil

import pytest

from ego.media.decode import Decoder
from ego.media.encode import encode
from ego.pipeline.around import frames
from ego.pipeline.scan import scan
from ego.video import Picture


@pytest.fixture
def new(tmp_path):
    """A video that no data set knows: two seconds of green, then two of red."""
    import sys

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
