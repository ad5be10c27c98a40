"""`ego show`: words, JSON and a picture of what is stored for one video."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from click.testing import Result
from PIL import Image

import ego

Run = Callable[..., Result]


def test_it_says_what_is_stored_and_how_it_looks(run: Run, store: Path) -> None:
    done = run("show", "--store", store, "a")
    key = ego.open(str(store)).key("a", "mean_rgb")
    assert done.exit_code == 0
    for words in (key.video, key.extractor, key.path, "24 rows, 0.000 to 2.000 s", "(24, 3) float32"):
        assert words in done.stdout
    curve = next(line for line in done.stdout.splitlines() if "root mean square" in line).strip()
    assert curve[0] == "▁"
    assert "".join(dict.fromkeys(curve.split()[0])) == "▁▂▃▄▅▆▇█"  # the video brightens from start to end


def test_a_video_may_be_named_by_its_digest(run: Run, store: Path) -> None:
    digest = ego.open(str(store)).key("a", "mean_rgb").video
    assert run("show", "--store", store, digest[:16]).stdout == run("show", "--store", store, "a").stdout


def test_json_says_all_of_it(run: Run, store: Path, clips: Path) -> None:
    run("extract", "--with", "mean_rgb", "--set", "mean_rgb.window.stride=2", "--store", store, clips / "a.mp4")
    (whole, half) = sorted(
        (json.loads(line) for line in run("show", "--store", store, "a", "--json").stdout.splitlines()),
        key=lambda one: -one["rows"],
    )
    assert (whole["rows"], half["rows"]) == (24, 12)
    assert whole["arrays"] == {"feature": {"shape": [24, 3], "dtype": "float32", "kind": "vector", "scale": 1.0}}
    assert whole["about"]["decoded"]["decoder"] in ("decord", "pyav")
    assert half["fields"]["window"]["spec"]["fields"]["stride"] == 2
    assert whole["seconds"] == [0.0, 2.0]


def test_the_picture_shows_each_row_in_its_own_seconds(run: Run, store: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    assert run("show", "--store", store, "a", "--picture", file).exit_code == 0
    pixels = np.asarray(Image.open(file).convert("RGB")).astype(int)
    strip = pixels[44 + 30 + 5, 20:-20]
    changes = np.flatnonzero(np.abs(np.diff(strip, axis=0)).sum(axis=1))
    assert 20 <= len(changes) <= 23  # 24 rows of their own colour; the extremes share one


def test_a_picture_that_cannot_be_written_is_a_bad_request(run: Run, store: Path, tmp_path: Path) -> None:
    done = run("show", "--store", store, "a", "--picture", tmp_path / "nowhere" / "a.png")
    assert done.exit_code == 2
    assert f"the picture cannot be written to {tmp_path}/nowhere/a.png: No such file" in done.stderr


def test_an_unknown_video_is_a_bad_request_that_names_those_there_are(run: Run, store: Path) -> None:
    done = run("show", "--store", store, "nothing-like-it")
    assert done.exit_code == 2
    assert "'a'" in done.stderr


def test_a_broken_entry_is_told_and_the_others_are_shown(run: Run, store: Path, clips: Path) -> None:
    run("extract", "--with", "mean_rgb", "--set", "mean_rgb.window.stride=2", "--store", store, clips / "a.mp4")
    for path in store.glob("mean_rgb-*/*/marker.json"):
        if json.loads(path.read_text())["rows"] == 12:
            path.write_bytes(path.read_bytes()[:-20])
    done = run("show", "--store", store, "a")
    assert done.exit_code == 1
    assert "24 rows" in done.stdout
    assert "is broken" in done.stderr
    assert "ego verify" in done.stderr
