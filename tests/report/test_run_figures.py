"""A run's figures are drawn from the files in its folder, from whatever of them is there."""

import json
import sys

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from ego.errors import BadRequest
from ego.report import run_figures


def write(folder, labels, said, steps=3):
    folder.mkdir()
    lines = [
        {"fold": fold, "step": step + 1, "epoch": 1, "loss": 1 / (step + 1)} for fold in "ab" for step in range(steps)
    ]
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    tasks = {"verb": {"fields": {"classes": ["open", "put"]}}, "gaze": {"fields": {}}}
    (folder / "run.json").write_text(json.dumps({"plan": {"problem": {"tasks": tasks}}}))
    rows = [
        {"split": split, "task": "verb", "label": json.dumps(one) if one else None, "said": json.dumps(two)}
        for split in ("train", "test")
        for one, two in zip(labels, said, strict=True)
    ]
    rows.append({"split": "test", "task": "gaze", "label": json.dumps([[0.1, 0.2]]), "said": json.dumps([[0.1, 0.2]])})
    parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "predictions.parquet")


def test_losses_and_classes_of_every_split_but_train(tmp_path):
    folder = tmp_path / "run"
    write(folder, ["open", "put", None, "put"], ["open", "open", "put", "put"])
    names = [path.relative_to(folder).as_posix() for path in run_figures.draw(folder)]
    assert names == ["figures/loss.png", "figures/confusion-test-verb.png", "figures/classes-test-verb.png"]
    assert all((folder / name).stat().st_size > 1000 for name in names)


def test_a_closed_form_head_has_no_losses_and_nothing_labelled_no_table(tmp_path):
    folder = tmp_path / "run"
    write(folder, [None], ["open"], steps=0)
    assert run_figures.draw(folder) == []


def clouds(folder):
    """Three classes far apart, in the folder's embeddings; (features, labels)."""
    labels = np.repeat([0, 1, 2], 30)
    centres = np.random.default_rng(0).normal(size=(3, 40)) * 8
    features = centres[labels] + np.random.default_rng(1).normal(size=(90, 40))
    folds = np.zeros(90, int)
    np.savez(folder / "embeddings.npz", features=features, labels=labels, fold=folds, classes=["open", "put", "cut"])
    return features.astype(np.float32), labels


def test_clips_that_lie_in_one_point_are_no_map(tmp_path):
    folder = tmp_path / "run"
    write(folder, [None], ["open"], steps=0)
    clouds(folder)
    with np.load(folder / "embeddings.npz") as held:
        np.savez(folder / "embeddings.npz", **{**held, "features": np.zeros((90, 40), np.float16)})
    names = [path.name for path in run_figures.draw(folder)]
    assert names == ["correlation.png"]


@pytest.mark.parametrize("method", ["tsne", pytest.param("umap", marks=pytest.mark.slow)])
def test_embeddings_are_placed_on_a_map_that_keeps_classes_together(tmp_path, method):
    if method == "umap":
        pytest.importorskip("umap")
    folder = tmp_path / "run"
    write(folder, ["open"], ["open"])
    features, labels = clouds(folder)
    names = {path.name for path in run_figures.draw(folder, method)}
    assert {"correlation.png", f"{method}.png"} <= names
    places = run_figures.neighbours(features, method)
    assert np.array_equal(places, run_figures.neighbours(features, method))
    means = np.stack([places[labels == one].mean(axis=0) for one in range(3)])
    near = np.linalg.norm(places[:, None] - means, axis=2).argmin(axis=1)
    assert (near == labels).mean() > 0.95


def test_umap_that_is_not_installed_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    write(tmp_path / "run", ["open"], ["open"])
    clouds(tmp_path / "run")
    with pytest.raises(
        BadRequest, match=r"needs the package umap-learn, which is not installed: pip install 'ego\[umap"
    ):
        run_figures.draw(tmp_path / "run", "umap")


@pytest.mark.parametrize("name", ["log.jsonl", "run.json", "predictions.parquet", "embeddings.npz"])
def test_a_damaged_file_of_the_run_is_named(tmp_path, name):
    write(tmp_path / "run", ["open"], ["open"])
    clouds(tmp_path / "run")
    (tmp_path / "run" / name).write_bytes(b"{")
    with pytest.raises(BadRequest, match=rf"{name} cannot be read \(\w+\); fit the run again"):
        run_figures.draw(tmp_path / "run")
