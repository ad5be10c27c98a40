"""What folds say together: figures, tables, and words that keep to the space that was judged."""

import json

import numpy as np
import torch
from pyarrow import parquet

from ego.heads._train import Predicted
from ego.pipeline.clips import Problem
from ego.pipeline.judge import FoldResult, figures, tables
from ego.pipeline.predictions import write_predictions
from ego.tasks.action import Action
from ego.tasks.classify import Classify
from ego.video import Clip, Video


def actions():
    """Two clips a split, of which the first pair was never trained on, and what a fold says of them."""
    parts = {"verb": Classify(label="verb", classes=("x", "y")), "noun": Classify(label="noun", classes=("a", "b"))}
    tasks = {**parts, "action": Action(space="seen", unseen="count", top=()).among(parts)}
    clips = tuple(Clip(Video(f"{i:064x}", f"v{i}", f"v{i}.mp4"), ((0.0, 1.0),)) for i in range(4))
    labels = {"verb": np.array([1, 1, 1, 0]), "noun": np.array([1, 0, 1, 0])}
    labels["action"] = np.stack([labels["verb"], labels["noun"]], axis=1)
    known = dict.fromkeys(labels, np.ones(4, bool))
    problem = Problem(
        clips, ("",) * 4, tasks, labels, known, {"": {"train": np.array([0, 1]), "test": np.array([2, 3])}}, {}
    )
    scores = {"verb": np.array([[0.0, 1.0], [2.0, 0.0]]), "noun": np.array([[0.0, 1.0], [1.0, 0.0]])}
    scores["action"] = tasks["action"].combine(scores)
    said = {name: Predicted(one, labels[name][2:], known[name][2:]) for name, one in scores.items()}
    return problem, [FoldResult("", torch.nn.Linear(1, 1), [], {"test": said})]


def test_tables_count_who_is_taken_for_whom_over_all_folds():
    problem, folds = actions()
    found = tables(problem, folds * 2)
    assert sorted(found) == ["test.noun.confusion", "test.verb.confusion"]
    assert found["test.verb.confusion"].tolist() == [[2, 0], [0, 2]]


def test_what_is_said_keeps_to_the_pairs_that_are_judged(tmp_path):
    problem, folds = actions()
    assert figures(problem, folds)["pooled"]["test"]["action"]["accuracy"] == 0.5
    write_predictions(tmp_path / "p.parquet", problem, {"": folds[0].predictions})
    rows = [row for row in parquet.read_table(tmp_path / "p.parquet").to_pylist() if row["task"] == "action"]
    assert [json.loads(row["said"]) for row in rows] == [["y", "b"], ["y", "a"]]  # x a was never seen
