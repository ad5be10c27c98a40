"""`ego plan`: what it foretells is what extraction then stores, and nothing is left behind."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import ego

Run = Callable[..., Result]


def test_it_foretells_videos_rows_and_files(run: Run, clips: Path, tmp_path: Path) -> None:
    request = ("--with", "mean_rgb", "--set", "mean_rgb.window.stride=5", clips)
    told = json.loads(run("plan", *request, "--json").stdout)
    features = tmp_path / "features"
    assert run("extract", *request, "--store", features).exit_code == 0
    store = ego.open(str(features))
    assert told["videos"] == 2
    assert told["rows"] == sum(len(store.read(key)) for key in store) == 10
    assert told["inodes"] == sum(1 + len(list((features / key.path).rglob("*"))) for key in store)
    assert told["seconds_estimated"] > 0


def test_two_extractors_of_one_name_are_told_apart(run: Run, clips: Path) -> None:
    told = json.loads(
        run(
            "plan",
            "--no-probe",
            "--with",
            "a=mean_rgb",
            "--with",
            "b=mean_rgb",
            "--set",
            "b.window.stride=5",
            clips,
            "--json",
        ).stdout
    )
    shares = told["per_extractor"]
    assert [(name.split("-")[0], share["videos"]) for name, share in shares.items()] == [("mean_rgb", 2)] * 2
    assert told["rows"] == sum(share["rows"] for share in shares.values())


def test_what_is_stored_need_not_be_done(run: Run, store: Path, clips: Path) -> None:
    done = run("plan", "--with", "mean_rgb", "--store", store, clips)
    assert done.exit_code == 0
    assert done.stdout == "nothing to do: everything asked for is stored\n"


def test_without_a_probe_nothing_runs_and_nothing_is_written(run: Run, clips: Path, tmp_path: Path) -> None:
    done = run("plan", "--with", "mean_rgb", "--no-probe", clips)
    assert done.exit_code == 0
    assert "2 videos of 4.0 s in all; not estimated" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} <= {"user-cache"}


@pytest.mark.parametrize("arguments", [["--with", "mean_rgb"], ["x.mp4"]])
def test_a_bad_request_is_exit_code_2(run: Run, arguments: list[str]) -> None:
    assert run("plan", *arguments).exit_code == 2


def test_an_unreadable_video_is_told(run: Run, tmp_path: Path, clips: Path) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    done = run("plan", "--with", "mean_rgb", "--no-probe", clips, tmp_path / "bad.mp4")
    assert done.exit_code == 1
    assert "failed  bad: " in done.stderr
