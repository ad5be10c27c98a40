"""`ego ls`: rooms are listed without importing them, videos of a store with their names."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

import ego
from ego.spec import ROOMS, names

Run = Callable[..., Result]


@pytest.mark.parametrize("room", ROOMS)
def test_every_plug_in_has_a_line_that_says_what_it_is(run: Run, room: str) -> None:
    told = [json.loads(line) for line in run("ls", room, "--json").stdout.splitlines() if line.startswith("{")]
    assert [one["name"] for one in told] == names(room)
    assert all(len(one["what it is"]) > 10 for one in told)


def test_listing_extractors_loads_no_torch() -> None:
    code = "import sys; from ego.cli import group; group(['ls', 'extractors'], standalone_mode=False)"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print('torch' in sys.modules)"], capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "False"


def test_fields_are_told_with_what_they_may_be_and_their_defaults(run: Run) -> None:
    out = run("ls", "extractors", "resnet").stdout
    assert "(must be given)" in out  # weights
    assert "version 1" in out


def test_videos_of_a_store(run: Run, store: Path) -> None:
    held = ego.open(str(store))
    told = [json.loads(line) for line in run("ls", "videos", "--store", store, "--json").stdout.splitlines()]
    assert told == [{"video": name, "digest": held.key(name, "mean_rgb").video, "entries": 1} for name in ("B", "a")]


def test_videos_need_a_store(run: Run) -> None:
    assert run("ls", "videos").exit_code == 2
