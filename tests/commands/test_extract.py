"""`ego extract` end to end on drawn videos: what is stored, what is told, what the exit code says."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import ego

Run = Callable[..., Result]
FRAMES = 24


def lines(done: Result) -> "list[dict[str, object]]":
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_it_stores_once_and_says_so(run: Run, clips: Path, tmp_path: Path) -> None:
    request = ("extract", "--with", "mean_rgb", "--store", tmp_path / "features", clips)
    first, second = run(*request), run(*request)
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert first.stderr.startswith("2 stored in ")
    assert "x real time" in first.stderr
    assert second.stderr.startswith("0 stored, 2 already there in ")
    store = ego.open(str(tmp_path / "features"))
    assert store.videos() == ["B", "a"]
    assert len(store.read(store.key("a", "mean_rgb"))) == FRAMES


@pytest.mark.slow
def test_compiled_networks_give_the_same_rows_under_the_same_key(run: Run, clips: Path, tmp_path: Path) -> None:
    stores = []
    for flag in ("--compile", "--quiet"):
        done = run("extract", "--with", "mean_rgb", "--store", tmp_path / flag, "--batch", 7, flag, clips)
        assert done.exit_code == 0, done.stderr
        stores.append(ego.open(str(tmp_path / flag)))
    keys = [store.key("a", "mean_rgb") for store in stores]
    assert keys[0] == keys[1]
    compiled, plain = (store.read(key)["feature"] for store, key in zip(stores, keys, strict=True))
    assert compiled.shape == plain.shape == (FRAMES, 3)
    assert abs(compiled - plain).max() < 1e-5
    assert [store.marker(keys[0]).about.get("compiled") for store in stores] == [True, None]


def test_json_is_one_object_a_video(run: Run, clips: Path, tmp_path: Path) -> None:
    done = run("extract", "--with", "mean_rgb", "--store", tmp_path / "features", "--json", clips)
    told = {str(one["video"]): one for one in lines(done)}
    assert set(told) == {"a", "B"}
    assert all(one["state"] == "stored" and one["rows"] == {"mean_rgb": FRAMES} for one in told.values())
    assert all(len(str(one["digest"])) == 64 and one["error"] is None for one in told.values())


def test_quiet_says_nothing_but_failures(run: Run, clips: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    request = ("extract", "--with", "mean_rgb", "--store", tmp_path / "features", "--quiet")
    assert run(*request, clips).output == ""
    assert run(*request, bad).stderr.splitlines()[0].startswith("failed  bad: ")


def test_a_damaged_video_is_one_line_exit_code_1_and_the_others_are_done(run: Run, clips: Path, tmp_path: Path) -> None:
    videos = tmp_path / "videos"
    shutil.copytree(clips, videos)
    whole = (videos / "a.mp4").read_bytes()
    (videos / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (videos / "empty.mp4").write_bytes(b"")
    (videos / "noise.mp4").write_bytes(bytes(range(256)) * 40)
    done = run("extract", "--with", "mean_rgb", "--store", tmp_path / "features", "--json", videos)
    assert done.exit_code == 1
    failed = [line for line in done.stderr.splitlines() if line.startswith("failed  ")]
    assert sorted(line.split()[1] for line in failed) == ["cut:", "empty:", "noise:"]
    assert sorted(str(one["video"]) for one in lines(done) if one["state"] == "stored") == ["B", "a"]
    assert ego.open(str(tmp_path / "features")).videos() == ["B", "a"]


def test_what_failed_is_tried_again_and_success_removes_the_failure(run: Run, clips: Path, tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    video.write_bytes(b"no video yet")
    request = ("extract", "--with", "mean_rgb", "--store", tmp_path / "features", video)
    assert [run(*request).exit_code for _ in range(2)] == [1, 1]
    shutil.copy(clips / "a.mp4", video)
    done = run(*request)
    assert done.exit_code == 0
    assert done.stderr.startswith("1 stored")


def test_two_extractors_ride_one_decode_under_names_of_their_own(run: Run, clips: Path, tmp_path: Path) -> None:
    every = ("--with", "each=mean_rgb", "--with", "third=mean_rgb", "--set", "third.window.stride=3")
    done = run("extract", *every, "--store", tmp_path / "features", "--json", clips / "a.mp4")
    assert done.exit_code == 0
    assert len(lines(done)) == 1
    store = ego.open(str(tmp_path / "features"))
    rows = sorted(len(store.read(key)) for key in store)
    assert rows == [FRAMES // 3, FRAMES]


@pytest.mark.parametrize("form", ["list", "glob", "option", "upper case"])
def test_videos_may_be_named_in_many_ways(run: Run, clips: Path, tmp_path: Path, form: str) -> None:
    listed = tmp_path / "LIST.txt"
    listed.write_text(f"{clips / 'a.mp4'}\n\n")
    named = {
        "list": [listed],
        "glob": [f"{clips}/*.mp4"],
        "option": ["--videos", listed],
        "upper case": [clips / "deeper"],
    }
    done = run("extract", "--with", "mean_rgb", "--store", tmp_path / "features", "--json", *named[form])
    assert [one["video"] for one in lines(done)] == ["B" if form == "upper case" else "a"]


def test_limit_and_seconds_narrow_what_is_done(run: Run, clips: Path, tmp_path: Path) -> None:
    narrow = ("--limit", 1, "--seconds", "0.5:1.5")
    done = run("extract", "--with", "mean_rgb", "--store", tmp_path / "features", "--json", *narrow, clips)
    assert [one["rows"] for one in lines(done)] == [{"mean_rgb": FRAMES // 2}]
    store = ego.open(str(tmp_path / "features"))
    (key,) = store
    time_ = store.read(key).time
    assert time_[0, 0] == pytest.approx(0.5)
    assert time_[-1, 2] == pytest.approx(1.5)


RECIPE = """
[dataset]
name = "folder"
csv = "clips.csv"
split = "column"

[extractors.colour]
name = "mean_rgb"
"""


def test_a_recipe_names_extractors_and_videos(run: Run, clips: Path, tmp_path: Path) -> None:
    (tmp_path / "first.toml").write_text(RECIPE)
    data = tmp_path / "data"
    shutil.copytree(clips, data)
    rows = ["video,start,stop,verb,split", "a,0,1,stir,train", "deeper/B,0,1,cut,validation"]
    (data / "clips.csv").write_text("\n".join(rows))
    request = ("extract", tmp_path / "first.toml", "--data", data, "--store", tmp_path / "features", "--json")
    assert [one["video"] for one in lines(run(*request, "--split", "train"))] == ["a"]
    assert [one["video"] for one in lines(run(*request))] == ["B"]
    assert run(*request, "--split", "nowhere").exit_code == 2
    assert run(*request, "--with", "mean_rgb").exit_code == 2
    done = run("status", *request[1:])
    assert sorted((str(one["video"]), str(one["state"])) for one in lines(done)) == [("B", "stored"), ("a", "stored")]


ODD = ["ünïcode 動画", "two words", "line\nbreak", "..", "-dash", "star*[1]", "tab\t", "x" * 250, "quote'\"$HOME"]


def test_odd_names_stay_names_and_nothing_is_written_outside_the_store(run: Run, clips: Path, tmp_path: Path) -> None:
    videos, features = tmp_path / "videos", tmp_path / "features"
    (videos / "other").mkdir(parents=True)
    whole = (clips / "a.mp4").read_bytes()
    for number, name in enumerate([*ODD, "same", "other/same"]):
        (videos / f"{name}.mp4").write_bytes(whole + bytes([number]) * (number + 1))  # a tail no player minds
    before = sorted(path for path in tmp_path.rglob("*") if features not in path.parents)
    done = run("extract", "--with", "mean_rgb", "--store", features, "--json", videos)
    assert done.exit_code == 0, done.stderr
    assert sorted(str(one["video"]) for one in lines(done)) == sorted([*ODD, "same", "same"])
    after = sorted(path for path in tmp_path.rglob("*") if features not in path.parents)
    assert {path for path in set(after) - set(before) if "user-cache" not in path.parts} == {features}
    names = [
        str(json.loads(line)["video"]) for line in run("status", "--store", features, "--json").stdout.splitlines()
    ]
    assert sorted(names) == sorted([*ODD, "same", "same"])
    assert all(run("show", "--store", features, "--json", "--", name).exit_code == 0 for name in ODD)
    assert "mean several videos" in run("show", "--store", features, "same").stderr.replace("means", "mean")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["a.mp4"], "no extractor"),
        (["--with", "mean_rgb"], "no video"),
        (["--with", "no_such_extractor", "a.mp4"], "mean_rgb"),
        (["--with", "mean_rgb", "--set", "mean_rgb.colour=red", "a.mp4"], "colour"),
        (["--with", "mean_rgb", "--set", "colour", "a.mp4"], "NAME.FIELD=VALUE"),
        (["--with", "mean_rgb", "--seconds", "2", "a.mp4"], "expected A:B"),
        (["--with", "mean_rgb", "--seconds", "5:3", "a.mp4"], "start before its stop"),
        (["--with", "mean_rgb", "--split", "train", "a.mp4"], "--split"),
        (["--with", "mean_rgb", "--data", ".", "a.mp4"], "recipe"),
        (["--with", "mean_rgb", "--device", "abacus", "a.mp4"], "abacus"),
        (["--with", "mean_rgb", "nothing*.mp4"], "nothing*.mp4"),
        (["no-such-recipe.toml", "a.mp4"], "no-such-recipe.toml"),
    ],
)
def test_a_bad_request_is_one_line_and_exit_code_2(
    run: Run, clips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str
) -> None:
    monkeypatch.chdir(clips)
    done = run("extract", *arguments, "--store", tmp_path / "features")
    assert done.exit_code == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_a_folder_that_holds_other_things_is_no_store(run: Run, clips: Path) -> None:
    done = run("extract", "--with", "mean_rgb", "--store", clips, clips)
    assert done.exit_code == 2
    assert len(list(clips.iterdir())) == 2


def test_control_c_leaves_nothing_half_written_and_the_next_run_goes_on(run: Run, clips: Path, tmp_path: Path) -> None:
    import numpy as np

    from ego.media.encode import encode

    long = encode(tmp_path / "long.mp4", (np.full((240, 320, 3), i % 250, np.uint8) for i in range(1500)), 25)
    request = ["extract", "--with", "resnet", "--set", "resnet.weights=random:0", "--store", str(tmp_path / "features")]
    running = subprocess.Popen(
        [sys.executable, "-m", "ego", *request, str(long)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    staged = tmp_path / "features" / "staging"
    waited = time.monotonic() + 60
    while not (staged.is_dir() and any(staged.iterdir())) and running.poll() is None and time.monotonic() < waited:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=60)
    assert running.returncode == 130, told
    assert "Traceback" not in told
    assert ego.open(str(tmp_path / "features")).extractors() == []
    assert not any(staged.iterdir())
    done = run(*request, "--seconds", "0:1", long)
    assert done.exit_code == 0
    assert os.listdir(staged) == []
