"""Runs held against one another: intervals of a known truth, and runs that cannot be compared."""

import json
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from pyarrow import Table, parquet

from ego.errors import BadRequest
from ego.pipeline.compare import Drawing, _Side, _trained, compare
from ego.pipeline.predictions import Told
from ego.pipeline.read_run import open_run
from ego.tasks.action import Action
from ego.tasks.classify import Classify


@pytest.fixture(scope="module")
def worse(colours, fitted, tmp_path_factory):
    """A run that is barely trained."""
    return sys.modules["colours"].fit(colours, tmp_path_factory.mktemp("worse"), "training.epochs=1", "head.norm=none")


def changed(folder, out, change):
    """A copy of a run whose predictions `change` went over, line by line."""
    copied = shutil.copytree(folder, out)
    rows = parquet.read_table(copied / "predictions.parquet").to_pylist()
    parquet.write_table(Table.from_pylist([change(row) for row in rows]), copied / "predictions.parquet")
    return copied


def test_a_run_differs_from_itself_by_nothing(fitted):
    (found,) = compare([open_run(fitted)] * 2, "validation", None, None, Drawing(200))
    assert (found.difference, found.low, found.high, found.p) == (0, 0, 0, 1)
    assert (found.task, found.metric, found.clips, found.left_out) == ("verb", "accuracy", 18, 0)


def test_the_interval_is_that_of_the_paired_difference(fitted, tmp_path):
    """Six of eighteen clips turned wrong: the difference is binomial, -1/3, with a deviation of sqrt(2/9/18)."""

    def wrong(row):
        if row["split"] == "validation" and row["video"] == "one":
            row["scores"] = [-score for score in row["scores"]]
        return row

    runs = [open_run(fitted), open_run(changed(fitted, tmp_path / "wrong", wrong))]
    (found,) = compare(runs, "validation", "verb", "accuracy", Drawing(1000))
    lost = 6 / 18
    assert found.difference == pytest.approx(-lost)
    deviation = np.sqrt(lost * (1 - lost) / 18)
    assert found.low == pytest.approx(-lost - 1.96 * deviation, abs=0.03)
    assert found.high == pytest.approx(-lost + 1.96 * deviation, abs=0.03)
    assert found.p == pytest.approx(2 / 1001, abs=0.002)
    (by_video,) = compare(runs, "validation", "verb", "accuracy", Drawing(300, "video"))
    assert by_video.high == 0
    (itself,) = compare(runs[1:] * 2, "validation", "verb", "accuracy", Drawing(200))  # paired: wrong on the same clips
    assert (itself.first, itself.low, itself.high) == (pytest.approx(2 / 3), 0, 0)
    assert by_video.p > 0.3


def test_a_better_run_is_found_better(fitted, worse):
    (found,) = compare([open_run(worse), open_run(fitted)], "validation", None, None, Drawing(300))
    assert found.difference > 0
    assert found.low > 0
    assert found.p < 0.05


def test_clips_that_one_run_lacks_are_left_out_and_counted(colours, fitted, tmp_path):
    part = sys.modules["colours"].fit(colours, tmp_path, folds=("one",))
    (found,) = compare([open_run(fitted), open_run(part)], "validation", None, None, Drawing(100))
    assert (found.clips, found.left_out) == (6, 12)


def test_other_clips_labels_and_classes_are_refused(colours, fitted, tmp_path):
    def moved(row):
        return {**row, "start_seconds": row["start_seconds"] + 0.25}

    def relabelled(row):
        return {**row, "numbers": [0.0]}

    first = open_run(fitted)
    with pytest.raises(BadRequest, match="were tested on other clips of 'validation': of 18 and 18 none is common"):
        compare([first, open_run(changed(fitted, tmp_path / "m", moved))], "validation", None, None, Drawing(100))
    with pytest.raises(BadRequest, match="know other labels of 'verb', such as at"):
        compare([first, open_run(changed(fitted, tmp_path / "l", relabelled))], "validation", None, None, Drawing(100))
    fewer = sys.modules["colours"].fit(colours, tmp_path / "runs", 'dataset.ignore=["r"]', "training.epochs=1")
    with pytest.raises(BadRequest, match="has 2 classes of 'verb' that are other than the 3 of"):
        compare([first, open_run(fewer)], "validation", None, None, Drawing(100))


def test_what_is_not_there_is_named_with_the_choices(fitted):
    runs = [open_run(fitted)] * 2
    with pytest.raises(BadRequest, match="has no split 'test', it has: train, validation"):
        compare(runs, "test", None, None, Drawing(100))
    with pytest.raises(BadRequest, match="got task 'noun', the runs have in common: verb"):
        compare(runs, "validation", "noun", None, Drawing(100))
    with pytest.raises(BadRequest, match="got metric 'f1' of 'verb', expected one of: accuracy, mean_class"):
        compare(runs, "validation", None, "f1", Drawing(100))
    with pytest.raises(BadRequest, match="got 1 run, expected at least two"):
        compare(runs[:1], "validation", None, None, Drawing(100))


def test_predictions_that_cannot_be_read_are_named(fitted, tmp_path):
    copied = shutil.copytree(fitted, tmp_path / "run")
    (copied / "predictions.parquet").write_bytes(b"nothing")
    with pytest.raises(BadRequest, match=r"predictions.parquet cannot be read \(.*\); fit the run again"):
        compare([open_run(fitted), open_run(copied)], "validation", None, None, Drawing(100))
    assert json.loads((copied / "run.json").read_text())["digest"]


def test_actions_are_judged_in_the_space_that_the_run_has_seen():
    """Of all pairs (x, a) is the first; of those that were trained on it is (y, b), which is right."""
    parts = {"verb": Classify(label="verb", classes=("x", "y")), "noun": Classify(label="noun", classes=("a", "b"))}
    task = Action(space="seen", unseen="count").among(parts)
    said = np.array([0.6, 0.4, 0.6, 0.4], np.float32)
    told = Told("", ("v", 0.0, 1.0, None), "v", said, np.array([1, 1]), np.array(True))
    labels = {"one": {"action": {0: np.array([1, 1])}}, "two": {"action": {0: np.array([1, 1]), 3: np.array([1, 1])}}}
    run = SimpleNamespace(folds=labels, trained_labels=labels.get)
    trained = _trained(run, "action")
    assert trained.tolist() == [[1, 1], [1, 1]]
    assert _Side(task, [told], trained).metrics(np.array([0, 0]))["accuracy"] == 1
    assert _Side(task, [told], None).metrics(np.array([0, 0]))["accuracy"] == 0
    assert _trained(run, "gaze") is None
