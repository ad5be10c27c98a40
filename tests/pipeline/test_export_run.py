"""Exported models: the run's own scores, from frames or from features, of any number of clips and rows."""

import dataclasses
import json
import sys

import numpy as np
import pytest
import torch

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.media.decode import Decoder
from ego.pipeline.export_run import export
from ego.pipeline.fit import Workplace
from ego.pipeline.live import decode
from ego.pipeline.predict import Sliding, predict
from ego.pipeline.read_run import open_run
from ego.pipeline.scan import scan
from ego.pipeline.weights import WeightFinder

FRAME = (64, 48)
FILES = WeightFinder([])
NETWORK = """
[extractors.net]
name = "resnet"
weights = "random:0"
window = { fps = 5.0 }
picture = { fit = "short", size = 36 }
size = 32
"""


def run_onnx(path, **inputs):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return session.run(None, {name.replace("_mask", " mask"): value for name, value in inputs.items()})[0]


@pytest.fixture(scope="module")
def wider(colours, tmp_path_factory):
    """A run that reads a network's rows beside the colours, and one that reads the network's alone."""
    folder = tmp_path_factory.mktemp("wider")
    (folder / "net.toml").write_text(colours.recipe.read_text() + NETWORK)
    here = dataclasses.replace(colours, recipe=folder / "net.toml", store=folder / "features")
    module = sys.modules["colours"]
    module.fill(here)
    asked = ("training.epochs=2",)
    both = module.fit(here, folder / "runs", *asked, folds=("one",))
    alone = module.fit(here, folder / "runs", *asked, 'head.features=["net"]', folds=("one",))
    return both, alone


@pytest.mark.parametrize("form", ["torch", "onnx"])
def test_frames_in_scores_out_as_the_run_says_them(colours, fitted, tmp_path, form):
    """The model on decoded windows of clips, against what the run predicts of the same clips from the store."""
    path = tmp_path / {"torch": "model.pt2", "onnx": "model.onnx"}[form]
    found = export(open_run(fitted), "two", FILES, form, path, FRAME)
    assert found.why == ""
    assert (found.inputs, found.outputs) == ({"frames": (0, 0, 1, 64, 64, 3)}, {"verb": (0, 3)})
    assert found.away < 1e-4
    run = open_run(fitted)
    with Decoder() as decoder:
        at = Workplace(colours.data, FeatureStore(colours.store), FILES, decoder, fitted.parent)
        (video,) = scan([colours.data / "videos" / "two.mp4"], decoder)
        from ego.pipeline.predict import _problem

        shown, _ = decode(
            _problem(run, [video], at, Sliding(1, 1)), run.recipe.extractors["colour"], decoder, at.store, 5
        )
        said = predict(run, [video], at, Sliding(1, 1), ("two",))
    frames = np.stack([np.stack([one.given["frames"] for one in clip]) for clip in shown])
    assert frames.shape == (6, 5, 1, 64, 64, 3)
    if form == "torch":
        scores = torch.export.load(path).module()({"frames": torch.from_numpy(frames)})["verb"].detach().numpy()
    else:
        scores = run_onnx(path, frames=frames)
    shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    for one, share in zip(said, shares, strict=True):
        assert ["b", "g", "r"][int(share.argmax())] == one.said
        assert share.max() == pytest.approx(one.score, abs=1e-4)


def test_features_of_several_extractors_go_into_the_head_alone(wider, tmp_path):
    both, _ = wider
    run = open_run(both)
    found = export(run, "one", FILES, "onnx", tmp_path / "head.onnx", FRAME)
    assert found.why == "its features come from 2 extractors: colour, net"
    assert found.inputs["net"] == (0, 0, 512)
    module = run.module("one", {})
    for clips, rows in ((1, 2), (3, 7)):
        colour, net = torch.rand(clips, rows, 3), torch.rand(clips, rows, 512).half()
        mask = torch.arange(rows)[None] < torch.arange(1, clips + 1)[:, None]
        with torch.no_grad():
            expected = module({"colour": colour, "net": net}, {"colour": mask, "net": mask}, ("verb",))["verb"]
        given = {"colour": colour, "colour_mask": mask, "net": net, "net_mask": mask}
        scores = run_onnx(tmp_path / "head.onnx", **{name: value.numpy() for name, value in given.items()})
        assert np.allclose(scores, expected.numpy(), atol=1e-4)


@pytest.mark.slow
def test_a_network_in_half_precision_is_exported_in_full(wider, tmp_path):
    _, alone = wider
    found = export(open_run(alone), "one", FILES, "onnx", tmp_path / "net.onnx", FRAME)
    assert found.inputs == {"frames": (0, 0, 1, 36, 48, 3)}
    assert found.away < 1e-4


def test_a_model_tells_its_run_and_classes(fitted, tmp_path):
    export(open_run(fitted), "one", FILES, "torch", tmp_path / "model.pt2", FRAME)
    told = {"ego.json": ""}
    torch.export.load(tmp_path / "model.pt2", extra_files=told)
    about = json.loads(told["ego.json"])
    assert about["run"][:16] == fitted.name
    assert about["outputs"]["verb"]["classes"] == ["b", "g", "r"]


def test_another_ending_is_refused(fitted, tmp_path):
    with pytest.raises(BadRequest, match=r"expected a file that ends in \.onnx for --to onnx"):
        export(open_run(fitted), "one", FILES, "onnx", tmp_path / "model.pt", FRAME)
