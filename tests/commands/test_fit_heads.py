"""`ego fit-heads` as it is typed: the table, JSON, and what to type where something is missing."""

import json


def arguments(colours, out, *more):
    return ("fit-heads", colours.recipe, "--data", colours.data, "--store", colours.store, "--out", out, *more)


def test_the_table_shows_every_fold_and_all_together(run, colours, tmp_path):
    done = run(*arguments(colours, tmp_path / "runs", "--set", "training.epochs=30"))
    assert done.exit_code == 0
    lines = [line for line in done.stdout.splitlines() if "verb" in line]
    assert len(lines) == 10
    assert [line.split()[1] for line in lines[::2]] == ["one", "three", "two", "mean", "all"]
    assert "accuracy" in done.stdout
    assert "written:" in done.stderr
    again = run(*arguments(colours, tmp_path / "runs", "--set", "training.epochs=30"))
    assert "already done:" in again.stderr
    assert again.stdout == done.stdout


def test_json_is_one_object_a_line(run, colours, tmp_path):
    done = run(*arguments(colours, tmp_path / "runs", "--json", "--fold", "one", "--set", "training.epochs=30"))
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["fold"], line["split"], line["clips"]) for line in lines] == [
        ("one", "train", 12),
        ("one", "validation", 6),
    ]
    assert lines[1]["figures"]["accuracy"] == 1.0
    assert (tmp_path / "runs") == (tmp_path / "runs" / lines[0]["run"]).parent


def test_what_is_missing_is_one_red_line_with_the_command(run, colours, tmp_path):
    done = run(*arguments(colours, tmp_path / "runs", "--set", "colour.window.fps=4"))
    assert done.exit_code == 2
    assert "run: ego extract" in done.stderr
    assert "--set colour.window.fps=4" in done.stderr
    done = run(*arguments(colours, tmp_path / "runs", "--set", "head.layers=4"))
    assert done.exit_code == 2
    assert "no field 'layers'; its fields are: features, tails, tail_norms, start, norm, dropout" in done.stderr
