"""Sweeps as they are typed: every setting the same run as alone, trained together or apart; what the table says."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file


def typed(colours, out, *more):
    return ("fit-heads", colours.recipe, "--data", colours.data, "--store", colours.store, "--out", out, *more)


def weights_of(folder):
    return {path.name: load_file(path) for path in sorted(folder.glob("weights*"))}


@pytest.fixture
def run_in(run):
    def start(*arguments):
        done = run(*arguments)
        assert done.exit_code == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return start


DROPPING = ("--set", "head.dropout=0.3", "--jobs", "2")


@pytest.mark.parametrize("apart", [(), pytest.param(DROPPING, marks=pytest.mark.slow)])
def test_every_setting_is_the_run_it_would_be_alone(run_in, colours, tmp_path, apart):
    asked = ("--set", "training.epochs=5", *apart, "--json")
    swept = run_in(*typed(colours, tmp_path / "a", *asked, "--seeds", "0..1", "--sweep", "lr=0.01,0.1"))
    folders = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(folders) == 4
    assert {tuple(line["settings"]) for line in swept} == {("training.lr=0.01",), ("training.lr=0.1",)}
    for seed, lr in ((0, "0.1"), (1, "0.01")):
        alone = run_in(*typed(colours, tmp_path / "b", *[one for one in asked if one not in ("--jobs", "2")],
                              "--set", f"training.lr={lr}", "--set", f"training.seed={seed}"))  # fmt: skip
        name = alone[0]["run"].rpartition("/")[2]
        one, other = weights_of(tmp_path / "a" / name), weights_of(tmp_path / "b" / name)
        assert len(one) == 3
        for file, tensors in one.items():
            assert all(np.abs(tensors[key] - other[file][key]).max() < 1e-4 for key in tensors)
        metrics = [json.loads((tmp_path / place / name / "metrics.json").read_text()) for place in "ab"]
        assert metrics[0] == metrics[1]
        held = [sorted(path.name for path in (tmp_path / place / name).iterdir() if path.is_file()) for place in "ab"]
        assert held[0] == held[1]


def test_a_setting_can_be_asked_again(run_in, colours, tmp_path):
    """As any run: tested again it says the same, and says something of videos."""
    swept = run_in(*typed(colours, tmp_path, "--set", "training.epochs=5", "--json", "--sweep", "lr=0.01,0.1"))
    folder = next(line["runs"][0] for line in swept if line["settings"] == ["training.lr=0.1"])
    told = json.loads((tmp_path / folder.rpartition("/")[2] / "metrics.json").read_text())
    again = run_in("evaluate", folder, "--fold", "one", "--json")
    assert again[0]["figures"]["accuracy"] == told["folds"]["one"]["validation"]["verb"]["accuracy"]
    said = run_in("predict", folder, "--json", "--stride", "1", colours.data / "videos" / "one.mp4")
    assert len(said) == 6


def test_settings_that_differ_are_told_apart_in_a_narrow_table(run, colours, tmp_path):
    done = run(*typed(colours, tmp_path, "--set", "training.epochs=1", "--fold", "one", "--sweep", "lr=0.01,0.1",
                      "--sweep", "weight_decay=0.01,0.02"))  # fmt: skip
    assert done.exit_code == 0, done.stderr
    assert {f"weight_decay={one}" in done.stdout for one in ("0.01", "0.02")} == {True}


def test_the_table_has_means_and_a_second_time_trains_nothing(run, colours, tmp_path):
    asked = typed(colours, tmp_path, "--set", "training.epochs=5", "--seeds", "0..2", "--sweep", "lr=0.01,0.1")
    first, again = run(*asked), run(*asked)
    assert first.exit_code == again.exit_code == 0
    assert "lr=0.01" in first.stdout
    assert "+-" in first.stdout
    assert first.stdout == again.stdout
    assert "6 runs, 0 of them already done" in first.stderr
    assert "6 runs, 6 of them already done" in again.stderr


def test_a_setting_that_explodes_spoils_no_other(run, colours, tmp_path):
    done = run(*typed(colours, tmp_path, "--set", "training.optimiser=sgd", "--set", "head.norm=none", "--set",
                      "training.epochs=9", "--json", "--sweep", "lr=1e-3,1e38"))  # fmt: skip
    assert done.exit_code == 2
    assert "1 of 2 settings have no run, such as training.lr=1e38 training.seed=0" in done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {tuple(line["settings"]) for line in lines} == {("training.lr=1e-3",)}
