"""`ego evaluate` as it is typed: tables in three forms, JSON, and what is refused."""

import csv
import io
import json
import shutil

import pytest


def test_the_table_has_folds_their_mean_and_all_pooled(run, fitted):
    done = run("evaluate", fitted)
    assert done.exit_code == 0
    lines = [line for line in done.stdout.splitlines() if "verb" in line]
    assert [line.split()[1] for line in lines] == ["one", "three", "two", "mean", "all"]
    assert "100.0%" in lines[-1]


def test_markdown_and_csv_say_the_same(run, fitted):
    markdown = run("evaluate", fitted, "--as", "markdown").stdout.splitlines()
    assert markdown[0] == "| fold | split | task | clips | accuracy | mean class accuracy | top2 accuracy |"
    assert markdown[1] == "| --- | --- | --- | ---: | ---: | ---: | ---: |"
    assert markdown[-1] == "| all folds | validation | verb | 18 | 100.0% | 100.0% | 100.0% |"
    rows = list(csv.DictReader(io.StringIO(run("evaluate", fitted, "--as", "csv").stdout)))
    assert rows[-2]["fold"] == "mean of folds"
    assert float(rows[-1]["accuracy"]) == 1.0


def test_one_fold_as_json(run, fitted):
    (line,) = run("evaluate", fitted, "--fold", "two", "--json").stdout.splitlines()
    found = json.loads(line)
    assert (found["fold"], found["split"], found["task"], found["clips"]) == ("two", "validation", "verb", 6)
    assert found["run"] == str(fitted)


def test_data_and_store_may_have_moved(run, fitted, colours, tmp_path):
    data = shutil.copytree(colours.data, tmp_path / "data")
    store = shutil.copytree(colours.store, tmp_path / "store")
    assert run("evaluate", fitted, "--data", data, "--store", store).exit_code == 0
    away = shutil.copytree(fitted, tmp_path / "run")
    about = json.loads((away / "run.json").read_text())
    about["recipe"]["store"] = [str(tmp_path / "gone")]
    (away / "run.json").write_text(json.dumps(about))
    done = run("evaluate", away)
    assert done.exit_code == 2
    assert "the run's store" in done.stderr
    assert "is not there; name it with --store DIR" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--split", "test"), "got split 'test', expected one of: 'train', 'validation'"),
        (("--challenge", "epic"), "got one of --challenge and --out"),
        (("--challenge", "epic", "--out", "a.json"), "got a run on the data set folder, expected epic_kitchens"),
        (("--challenge", "ego4d", "--out", "a.json"), "data set folder, --challenge ego4d serves the benchmark oscc"),
        (("--views", "2"), "got 2 views"),
    ],
)
def test_what_cannot_be_is_one_sentence(run, fitted, options, words):
    done = run("evaluate", fitted, *options)
    assert (done.exit_code, done.stderr.count("\n"), done.stdout) == (2, 1, "")
    assert words in done.stderr
