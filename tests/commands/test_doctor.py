"""`ego doctor`: what it finds good works, and what is missing is an exit code."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]


def checks(done: Result) -> "dict[str, dict[str, str]]":
    return {one["what"]: one for one in map(json.loads, done.stdout.splitlines())}


def test_it_tries_decoders_codecs_and_folders(run: Run, store: Path) -> None:
    done = run("doctor", "--json", "--store", store)
    found = checks(done)
    assert done.exit_code == 0, done.stdout
    for what in ("ego", "torch", "cpu", "decoder pyav", "codec h264", "user's cache", "temporary files", "store"):
        assert found[what]["state"] == "good", found[what]
    assert "libavcodec" in found["decoder pyav"]["found"]


def test_a_missing_store_or_a_folder_that_cannot_be_written_is_exit_code_1(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    done = run("doctor", "--json", "--store", tmp_path / "unmounted")
    found = checks(done)
    assert done.exit_code == 1
    assert found["store"]["state"] == "missing"
    assert found["user's cache"]["state"] == "missing"


def test_words_are_aligned_lines(run: Run) -> None:
    lines = run("doctor").stdout.splitlines()
    assert all(line.startswith(("ok       ", "without  ", "MISSING  ")) for line in lines)
