"""A run's weights tested again: the same figures, other splits, and what is refused."""

import dataclasses
import json
import shutil
import sys

import numpy as np
import pytest
from scipy.special import softmax

from ego.cache.store import FeatureStore
from ego.errors import BadRequest, NotExtracted
from ego.media.decode import Decoder
from ego.pipeline import evaluate as evaluation
from ego.pipeline.evaluate import Asked, evaluate
from ego.pipeline.fit import Workplace
from ego.pipeline.read_run import open_run
from ego.pipeline.weights import WeightFinder


def evaluated(colours, folder, *, data=None, store=None, skip_missing=False, tell=lambda words: None, **asked):
    with Decoder() as decoder:
        at = Workplace(
            data or colours.data, FeatureStore(store or colours.store), WeightFinder([]), decoder, folder.parent,
            skip_missing=skip_missing, tell=tell,
        )  # fmt: skip
        return evaluate(open_run(folder), at, Asked(**asked))


@pytest.fixture
def data(colours, tmp_path):
    return shutil.copytree(colours.data, tmp_path / "data")


def test_figures_are_those_of_the_run_to_the_last_digit(colours, tmp_path):
    folder = sys.modules["colours"].fit(colours, tmp_path, "training.epochs=1", "training.lr=0.01")
    told = json.loads((folder / "metrics.json").read_text())
    found = evaluated(colours, folder).metrics
    assert found["pooled"]["validation"] == told["pooled"]["validation"]
    assert found["mean"]["validation"] == told["mean"]["validation"]
    assert found["folds"]["two"] == {"validation": told["folds"]["two"]["validation"]}
    assert evaluated(colours, folder, split="train").metrics["pooled"] == {"train": told["pooled"]["train"]}


def test_a_split_without_labels_is_said_and_has_no_figures(colours, tmp_path, data):
    """Trained on one video, said of two others whose clips carry no label that was learnt."""
    table = (data / "table.csv").read_text().splitlines()
    lines = [f"{line},{'train' if line.startswith('one') else 'validation'}" for line in table[1:]]
    (data / "table.csv").write_text("\n".join([table[0] + ",split", *lines]) + "\n")
    toml = tmp_path / "split.toml"
    toml.write_text(colours.recipe.read_text().replace('folder = "videos"', 'folder = "videos"\nsplit = "column"'))
    here = dataclasses.replace(colours, data=data, recipe=toml)
    folder = sys.modules["colours"].fit(here, tmp_path / "runs", 'dataset.labels=["verb"]')
    lines = [line.replace("validation", "test") if line.startswith("two") else line for line in lines]
    (data / "table.csv").write_text("\n".join([table[0] + ",split", *lines]) + "\n")
    found = evaluated(here, folder, split="test")
    assert found.metrics["pooled"]["test"]["verb"]["accuracy"] == 1.0
    assert [clip.video.name for clip in found.problem.clips] == ["two"] * 6


def test_one_fold_and_one_split_alone(colours, fitted):
    found = evaluated(colours, fitted, folds=("two",))
    assert list(found.metrics["folds"]) == ["two"]
    assert len(found.problem.clips) == 6
    with pytest.raises(BadRequest, match="got split 'test', expected one of: 'train', 'validation'"):
        evaluated(colours, fitted, split="test")


@pytest.mark.parametrize("average", ["probabilities", "scores"])
def test_views_are_other_moments_averaged_as_looks_are(colours, tmp_path, monkeypatch, average):
    """The mean of probabilities, whose logarithm is the score, or with `scores` of the scores as they are."""
    folder = sys.modules["colours"].fit(colours, tmp_path, "sampling.rows=1", f"sampling.average={average}")
    each, seen = [], evaluation._averaged
    monkeypatch.setattr(evaluation, "_averaged", lambda *given: each.append(given[2]) or seen(*given))
    two = evaluated(colours, folder, folds=("one",), views=2)
    said = two.results[0].predictions["validation"]["verb"].predictions
    first, second = (view["verb"].predictions.astype(float) for view in each[0])
    assert not np.allclose(first, second)
    if average == "scores":
        assert np.allclose(said, (first + second) / 2, atol=1e-5)
    else:
        assert np.allclose(np.exp(said), (softmax(first, axis=1) + softmax(second, axis=1)) / 2, atol=1e-5)
    assert two.metrics["pooled"]["validation"]["verb"]["accuracy"] == 1.0


def test_views_of_every_row_mean_nothing(colours, fitted):
    with pytest.raises(
        BadRequest, match=r"got 3 views, which look at a clip at other moments: expected sampling\.rows"
    ):
        evaluated(colours, fitted, views=3)


def test_a_video_that_was_trained_on_is_refused_under_whatever_name(colours, fitted, data):
    shutil.copy(data / "videos" / "two.mp4", data / "videos" / "one.mp4")
    with pytest.raises(BadRequest, match=r"this run \(fold 'one'\) was trained on 'one', which 'validation'.* tests"):
        evaluated(colours, fitted, data=data, folds=("one",), settings=("dataset.ignore=[]",))


def test_other_data_than_the_runs_is_refused(colours, fitted, data):
    text = (data / "table.csv").read_text()
    (data / "table.csv").write_text(text.replace("one,0,1,r", "one,0,1,b").replace("one,1,2,g", "one,1,1.5,g"))
    with pytest.raises(BadRequest, match=r"other data than the run's: .*fold 'one' 2 of 6 clips differ"):
        evaluated(colours, fitted, data=data)


def test_a_label_outside_the_runs_classes_is_refused_with_its_line(colours, fitted, data):
    text = (data / "table.csv").read_text()
    (data / "table.csv").write_text(text.replace("one,0,1,r", "one,0,1,purple"))
    with pytest.raises(BadRequest, match=r"table.csv, line 2: got 'purple' as 'verb', expected one of: 'b', 'g', 'r'"):
        evaluated(colours, fitted, data=data)


def test_features_that_are_missing_are_asked_for_or_gone_without(colours, fitted, tmp_path):
    store = shutil.copytree(colours.store, tmp_path / "store")
    run = open_run(fitted)
    video = run.clips("two", "validation")[0]["video"]
    shutil.rmtree(next(store.glob(f"mean_rgb-*/{video[:16]}")))
    with pytest.raises(NotExtracted, match=r"1 entry is missing, such as 'colour' of 'two'; run: ego extract .*toml"):
        evaluated(colours, fitted, store=store)
    told = []
    found = evaluated(colours, fitted, store=store, skip_missing=True, tell=told.append)
    assert told == ["going on without 1 of 3 videos, which are not in the store"]
    assert list(found.metrics["folds"]) == ["one", "three"]


def test_only_the_data_set_can_be_set(colours, fitted):
    with pytest.raises(BadRequest, match=r"got --set 'head.dropout=1', expected a field of the data set"):
        evaluated(colours, fitted, settings=("head.dropout=1",))
