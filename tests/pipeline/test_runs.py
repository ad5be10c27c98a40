"""A run's folder: whole or not there, whoever wrote it first."""

import dataclasses
import hashlib
import json
import threading

import numpy as np
import pytest
import torch

from ego.errors import BadRequest, EgoError
from ego.heads._train import Predicted
from ego.heads._training import Training
from ego.heads.linear import Linear
from ego.pipeline import runs
from ego.pipeline.clips import Problem
from ego.samplers import Sampling
from ego.spec import canonical_json
from ego.tasks.classify import Classify
from ego.video import Clip, Video


@pytest.fixture
def plan():
    video = [Video(letter * 64, letter, letter) for letter in "ab"]
    clips = tuple(Clip(video[i // 2], ((float(i), i + 1.0),)) for i in range(4))
    labels = {"verb": np.array([0, 1, 1, 0])}
    folds = {"a": {"train": np.array([2, 3]), "validation": np.array([0, 1])},
             "b": {"train": np.array([0, 1]), "validation": np.array([2, 3])}}  # fmt: skip
    task = Classify(label="verb", classes=("x", "y"), top=())
    known = {"verb": np.array([True, True, True, False])}
    problem = Problem(clips, ("",) * 4, {"verb": task}, labels, known, folds, {})
    return runs.Plan("fit-heads", problem, Linear(), Sampling(), Training(), {}, [])


@pytest.fixture
def folds():
    right = Predicted(np.array([[1.0, 0], [0, 1]]), np.array([0, 1]), np.array([True, True]))
    wrong = Predicted(np.array([[1.0, 0], [1, 0]]), np.array([1, 0]), np.array([True, False]))
    module = torch.nn.Linear(2, 2)
    return [
        runs.FoldResult("a", module, [{"loss": 1.0}], {"validation": {"verb": right}}),
        runs.FoldResult("b", module, [], {"validation": {"verb": wrong}}),
    ]


def test_figures_of_folds_their_mean_and_all_pooled_count_labelled_clips_only(plan, folds):
    found = runs.figures(plan.problem, folds)
    assert found["folds"]["a"]["validation"]["verb"] == {"accuracy": 1.0, "mean_class_accuracy": 1.0, "clips": 2}
    assert found["folds"]["b"]["validation"]["verb"] == {"accuracy": 0.0, "mean_class_accuracy": 0.0, "clips": 1}
    pooled = found["pooled"]["validation"]["verb"]
    assert (pooled["accuracy"], pooled["mean_class_accuracy"]) == pytest.approx((2 / 3, (1 + 1 / 2) / 2))
    assert pooled["clips"] == 3
    mean = found["mean"]["validation"]["verb"]
    assert mean == {"accuracy": 0.5, "mean_class_accuracy": 0.5, "clips": 3}


def test_racing_writers_leave_one_whole_run(plan, folds, tmp_path):
    found = []
    writers = [
        threading.Thread(target=lambda: found.append(runs.write(tmp_path / "runs", plan, folds, {}, "text")))
        for _ in range(4)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert found == [plan.path(tmp_path / "runs")] * 4
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [plan.digest[:16]]
    assert runs.read(found[0]) == runs.figures(plan.problem, folds)


def test_a_write_that_fails_leaves_nothing(plan, folds, tmp_path):
    broken = [dataclasses.replace(folds[0], log=[{"loss": object()}])]
    with pytest.raises(TypeError):
        runs.write(tmp_path / "runs", plan, broken, {}, "text")
    assert list((tmp_path / "runs").iterdir()) == []
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(EgoError, match=r"cannot be written to .*name another --out"):
        runs.write(tmp_path / "file", plan, folds, {}, "text")


def test_a_damaged_run_is_named(plan, tmp_path):
    assert runs.read(plan.path(tmp_path)) is None
    folder = plan.path(tmp_path)
    folder.mkdir()
    (folder / "metrics.json").write_text("{")
    with pytest.raises(BadRequest, match="remove that folder and run again"):
        runs.read(folder)


def test_names_of_videos_are_no_part_of_the_digest(plan):
    clips = tuple(
        dataclasses.replace(clip, video=Video(clip.video.digest, "other", "where")) for clip in plan.problem.clips
    )
    other = dataclasses.replace(plan, problem=dataclasses.replace(plan.problem, clips=clips))
    assert other.digest == plan.digest
    for change in ({"deed": "finetune"}, {"training": Training(seed=1)}, {"head": Linear(dropout=0.5)}):
        assert dataclasses.replace(plan, **change).digest != plan.digest


def test_a_digest_is_that_of_the_description(plan, folds, tmp_path):
    assert plan.digest == hashlib.sha256(canonical_json(plan.describe()).encode()).hexdigest()
    about = json.loads((runs.write(tmp_path, plan, folds, {}, "text") / "run.json").read_text())
    assert about["plan"] == plan.describe()
