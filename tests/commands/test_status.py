"""`ego status`: sums, single entries, what is missing, and a store that is not there."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import ego

Run = Callable[..., Result]
FIELDS = {"video", "extractor", "digest", "rows", "seconds", "state", "error"}


def lines(done: Result) -> "list[dict[str, object]]":
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_sum_is_a_line_for_each_extractor(run: Run, store: Path, clips: Path) -> None:
    run("extract", "--with", "mean_rgb", "--set", "mean_rgb.window.stride=2", "--store", store, clips / "a.mp4")
    head, *rows = run("status", "--store", store).stdout.splitlines()
    assert head.split() == ["extractor", "digest", "stored", "absent", "failed", "broken"]
    assert sorted(row.split()[2:] for row in rows) == [["1", "0", "0", "0"], ["2", "0", "0", "0"]]
    assert all(row.startswith("mean_rgb  ") for row in rows)


def test_json_is_one_object_an_entry(run: Run, store: Path) -> None:
    told = lines(run("status", "--store", store, "--json"))
    assert [set(one) for one in told] == [FIELDS, FIELDS]
    assert {str(one["video"]) for one in told} == {"a", "B"}
    assert all((one["state"], one["rows"], one["seconds"]) == ("stored", 24, 2.0) for one in told)


def test_videos_that_are_named_may_be_missing(run: Run, store: Path, clips: Path) -> None:
    ego.open(str(store)).remove(ego.open(str(store)).key("a", "mean_rgb"))
    request = ("status", "--store", store, "--with", "mean_rgb", clips)
    assert {str(one["video"]): one["state"] for one in lines(run(*request, "--json"))} == {
        "a": "missing",
        "B": "stored",
    }
    told = run(*request).stdout
    assert "missing  mean_rgb  a" in told


def test_failed_and_broken_entries_are_told(run: Run, store: Path, clips: Path, tmp_path: Path) -> None:
    whole = (clips / "a.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    assert run("extract", "--with", "mean_rgb", "--store", store, tmp_path / "cut.mp4").exit_code == 1
    marker = store / ego.open(str(store)).key("B", "mean_rgb").path / "marker.json"
    marker.unlink()
    states = {str(one["state"]): one for one in lines(run("status", "--store", store, "--json"))}
    assert set(states) == {"stored", "failed", "broken"}
    assert states["failed"]["video"] == "cut"
    assert states["failed"]["error"]
    row = run("status", "--store", store).stdout.splitlines()[1]
    assert row.split()[2:] == ["1", "0", "1", "1"]


def test_a_store_that_is_not_there_is_not_an_empty_one(run: Run, store: Path, tmp_path: Path) -> None:
    for command in ("status", "verify"):
        done = run(command, "--store", tmp_path / "unmounted")
        assert done.exit_code == 2
        assert "no store at" in done.stderr
        assert len(done.stderr.splitlines()) == 1
    (tmp_path / "mounted-over").mkdir()
    assert run("status", "--store", tmp_path / "mounted-over").exit_code == 2
    shutil.rmtree(store)
    assert run("show", "--store", store, "a").exit_code == 2
    assert not store.exists()


def test_the_store_may_be_named_by_the_environment(run: Run, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("status").exit_code == 2
    monkeypatch.setenv("EGO_STORE", str(store))
    assert run("status").exit_code == 0
