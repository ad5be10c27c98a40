"""`ego runs` and `ego compare` as they are typed."""

import json
import shutil
import sys

import pytest


@pytest.fixture(scope="module")
def folder(colours, fitted, tmp_path_factory):
    """Two runs of one recipe, the second barely trained."""
    out = tmp_path_factory.mktemp("two") / "runs"
    shutil.copytree(fitted, out / fitted.name)
    sys.modules["colours"].fit(colours, out, "training.epochs=1", "training.seed=3", "head.norm=none")
    return out


def test_every_run_has_a_line_with_its_figure(run, fitted, folder):
    done = run("runs", folder)
    assert done.exit_code == 0
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["run", "recipe", "deed", "head", "seed", "split", "figures", "settings", "date"]
    assert lines[0].split()[0] == fitted.name
    assert "verb accuracy 100.0%" in lines[0]
    assert "training.seed=3" in lines[1]


def test_runs_are_sorted_and_told_as_json(run, fitted, folder):
    for key, first in (("figure", 0), ("seed", 0), ("date", 0)):
        rows = [json.loads(line) for line in run("runs", folder, "--sort", key, "--json").stdout.splitlines()]
        assert rows[first]["digest"][:16] == fitted.name
        assert [row["seed"] for row in rows] == [0, 3]
    assert rows[0]["figures"] == {"verb": {"accuracy": 1.0}}
    rows = [json.loads(line) for line in run("runs", folder, "--split", "train", "--json").stdout.splitlines()]
    assert {row["split"] for row in rows} == {"train"}


def test_what_is_no_run_is_told_and_the_rest_listed(run, folder, tmp_path):
    out = shutil.copytree(folder, tmp_path / "runs")
    (out / "other").mkdir()
    done = run("runs", out)
    assert len(done.stdout.splitlines()) == 3
    assert "other is no sound run" in done.stderr
    assert run("runs", tmp_path / "no-such").exit_code == 2
    (tmp_path / "empty").mkdir()
    assert "ego fit-heads writes them" in run("runs", tmp_path / "empty").stdout


def test_runs_are_compared_in_a_table_and_as_json(run, folder, fitted):
    first, second = fitted.name, next(one.name for one in folder.iterdir() if one.name != fitted.name)
    done = run("compare", folder / second, folder / first, "--draws", "200")
    assert done.exit_code == 0
    head, line = done.stdout.splitlines()
    assert head.split()[:4] == ["run", "task", "figure", "first"]
    assert line.split()[:3] == [first, "verb", "accuracy"]
    asked = ("compare", folder / second, folder / first, "--draws", "200", "--by", "video", "--json")
    found = json.loads(run(*asked).stdout)
    assert found["difference"] == found["figure"] - found["first_figure"]
    assert found["low"] <= found["difference"] <= found["high"]
    assert (found["clips"], found["left_out"]) == (18, 0)


def test_one_run_alone_is_one_sentence(run, fitted):
    done = run("compare", fitted)
    assert done.exit_code == 2
    assert "got 1 run, expected at least two to compare" in done.stderr
