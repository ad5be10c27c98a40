"""`ego export`: what is stored becomes files, or one red line."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.video import Array

Run = Callable[..., Result]


def filled(folder: Path) -> Path:
    store, array = FeatureStore(folder, create=True), Array((2, 6, 8), "float16", "flow")
    values = np.zeros((4, 2, 6, 8), np.float16)
    values[3] = 40
    time, source = np.arange(4)[:, None] + np.array([0, 0.5, 1]), np.arange(4)[:, None] + np.array([0, 1, 0, 1])
    rows = {"time": time, "source": source, "feature": values}
    store.write(FeatureKey("dis", "a" * 64, "b" * 64), {"feature": array}, [rows], {"video": {"name": "clip"}})
    store.remember_video("b" * 64, name="clip", size=1, mtime_ns=1, facts={})
    return folder


def test_a_flow_folder(run: Run, tmp_path: Path) -> None:
    asked = ("export", "--store", filled(tmp_path / "store"), "--with", "dis", "--as", "flow-folder", "clip")
    done = run(*asked, "--out", tmp_path / "flow")
    assert done.stdout == f"{tmp_path}/flow: 4 pairs of 8x6 pixels; 25.00% of the values lay beyond 20 pixels\n"
    assert len(list((tmp_path / "flow").glob("flow_[xy]_0000[1-4].jpg"))) == 8
    told = json.loads(run(*asked, "--out", tmp_path / "png", "--picture", "png", "--bound", 40, "--json").stdout)
    assert told == {
        "out": f"{tmp_path}/png", "as": "flow-folder", "pairs": 4, "width": 8, "height": 6, "bound": 40.0, "cut": 0.0
    }  # fmt: skip
    assert (tmp_path / "png/flow_y_00004.png").is_file()


def test_what_cannot_be_is_one_line_and_exit_code_2(run: Run, tmp_path: Path) -> None:
    asked = ("export", "--store", filled(tmp_path / "store"), "--as", "flow-folder", "--out", tmp_path / "store")
    done = run(*asked, "--with", "dis", "clip")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "is already there" in done.stderr
    assert run(*asked, "--with", "tvl1", "clip").exit_code == 2
    assert run("export", "--store", tmp_path / "store", "--with", "dis", "--as", "npz", "clip").exit_code == 2


def test_the_model_of_a_run_is_told_by_its_inputs(run: Run, fitted: Path, tmp_path: Path) -> None:
    done = run("export", fitted, "--to", "torch", "--fold", "two", tmp_path / "model.pt2")
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{tmp_path}/model.pt2: takes frames (any, any, 1, 64, 64, 3), gives verb (any, 3), ")
    assert (tmp_path / "model.pt2").is_file()


def test_a_run_needs_a_file_and_one_fold(run: Run, fitted: Path, tmp_path: Path) -> None:
    done = run("export", fitted, "--to", "torch", tmp_path / "model.pt2")
    assert done.exit_code == 2
    assert "got a run of 3 folds, expected --fold one of: 'one', 'three', 'two'" in done.stderr
    assert "expected a FILE after it" in run("export", fitted, "--to", "onnx").stderr
    assert "expected a VIDEO with --store" in run("export", "clip", "--store", tmp_path, "--with", "dis").stderr
    wrong = ("export", fitted, "--to", "torch", "--fold", "two", "--frame", "big", tmp_path / "model.pt2")
    assert "got --frame 'big', expected WxH" in run(*wrong).stderr


@pytest.mark.parametrize("form", ["torch", "onnx"])
def test_a_head_that_follows_rows_in_order_is_written_without_a_word_of_others(run, colours, tmp_path, form):
    pytest.importorskip("onnxruntime")
    folder = sys.modules["colours"].fit(
        colours, tmp_path / "runs", "head.name=lstm", "head.width=8", "training.epochs=2", folds=("one",)
    )
    path = tmp_path / {"torch": "model.pt2", "onnx": "model.onnx"}[form]
    done = run("export", folder, "--to", form, path)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "within" in done.stdout


def test_a_head_that_reads_backwards_is_refused_in_one_sentence(run, colours, tmp_path):
    settings = ("head.name=lstm", "head.width=8", "head.bidirectional=true", "training.epochs=1")
    folder = sys.modules["colours"].fit(colours, tmp_path / "runs", *settings, folds=("one",))
    done = run("export", folder, "--to", "torch", tmp_path / "model.pt2")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "cannot be traced: a bidirectional lstm begins where each clip ends" in done.stderr
