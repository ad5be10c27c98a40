"""Fine-tuning: live windows are those of the store, the loss falls, and live must equal cached first."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ego.cache.store import FeatureStore
from ego.errors import BadRequest, NotExtracted
from ego.media.decode import Decoder
from ego.pipeline import recipe
from ego.pipeline.evaluate import Asked, evaluate
from ego.pipeline.extract import extract
from ego.pipeline.finetune import Frozen, finetune
from ego.pipeline.fit import Finished, Trained, Workplace
from ego.pipeline.jobs import entry_key, work
from ego.pipeline.parity import Parity
from ego.pipeline.provenance import trained_on_of
from ego.pipeline.read_run import open_run
from ego.pipeline.scan import scan
from ego.pipeline.weights import WeightFinder
from ego.spec import make

NETWORK = """
[extractors.net]
name = "resnet"
weights = "random:0"
window = { fps = 5.0 }
picture = { fit = "short", size = 36 }
size = 32
precision = "float32"
"""
OF_FLOW = """
[extractors.net]
name = "flow_resnet"
weights = "random:0"
window = { frames = 5, stride = 2, fps = 5.0 }
sees = { name = "dis", picture = { fit = "squash", size = 36 }, window = { frames = 2, edge = "drop", fps = 5.0 } }
size = 32
precision = "float32"
"""
FLOW = """
[extractors.flow]
name = "dis"
picture = { fit = "squash", size = 36 }
window = { frames = 2, edge = "drop", fps = 5.0 }
"""
SETTINGS = ("training.steps=6", "sampling.rows=2", "training.batch=12", "training.lr=0.001", 'head.features=["net"]')


@pytest.fixture
def toml(colours, tmp_path):
    path = tmp_path / "net.toml"
    path.write_text(colours.recipe.read_text() + NETWORK)
    return path


def run(colours, toml, out, *settings, store=None, folds=("one",)):
    finder = WeightFinder([])
    read = recipe.read(toml, (*SETTINGS, *settings), finder)
    with Decoder() as decoder:
        features = store or FeatureStore(colours.store)
        return list(finetune(read, Workplace(colours.data, features, finder, decoder, out), folds))


def extracted(colours, toml, folder):
    """A store with all that the recipe names."""
    store, finder = FeatureStore(folder, create=True), WeightFinder([])
    read = recipe.read(toml, SETTINGS, finder)
    with Decoder() as decoder:
        videos = list(scan(read.dataset.videos(colours.data).values(), decoder))
    list(extract(work(videos, list(read.extractors.values()), store), store, finder))
    return store


def test_head_and_network_learn_together(colours, toml, tmp_path):
    events = run(colours, toml, tmp_path / "runs")
    losses = [float(event.step.loss) for event in events if isinstance(event, Trained)]
    assert len(losses) == 6
    assert losses[-1] < losses[0] / 2
    done = events[-1]
    assert done.metrics["folds"]["one"]["validation"]["verb"]["clips"] == 6
    tensors = load_file(done.folder / "weights.safetensors")
    fresh = make("extractors", "resnet", {"weights": "random:0"}).build({})
    moved = tensors["backbones.of_net.model.conv1.weight"] - fresh.state_dict()["model.conv1.weight"]
    assert float(moved.abs().max()) > 0
    assert torch.equal(  # eval mode: the statistics stay those of what is stored
        tensors["backbones.of_net.model.bn1.running_mean"], fresh.state_dict()["model.bn1.running_mean"]
    )
    assert [type(event) for event in run(colours, toml, tmp_path / "runs")] == [Finished]


def test_a_run_is_tested_again_on_windows_decoded_anew(colours, toml, tmp_path):
    done = run(colours, toml, tmp_path / "runs")[-1]
    with Decoder() as decoder:
        at = Workplace(colours.data, FeatureStore(colours.store), WeightFinder([]), decoder, tmp_path / "runs")
        found = evaluate(open_run(done.folder), at, Asked())
    assert found.metrics["folds"]["one"]["validation"] == done.metrics["folds"]["one"]["validation"]


def test_a_tuned_network_is_weights_that_know_what_they_saw(colours, toml, tmp_path):
    """Kept as a file of its own, it fills its extractor; a head tested on what it saw is refused."""
    done = run(colours, toml, tmp_path / "runs", "training.steps=2")[-1]
    file = done.folder / "network-net.safetensors"
    finder = WeightFinder([])
    read = recipe.read(toml, (*SETTINGS, f"net.weights={file}"), finder)
    tuned = read.extractors["net"].build(finder).state_dict()
    joined = load_file(done.folder / "weights.safetensors")
    assert torch.equal(tuned["model.conv1.weight"], joined["backbones.of_net.model.conv1.weight"])
    assert len(trained_on_of(file)) == 12
    with pytest.raises(BadRequest, match=r"network of 'net' \(network-net\.safetensors\) was trained on '(two|three)'"):
        run(colours, toml, tmp_path / "other", f"net.weights={file}", folds=("three", "two"))


def test_live_rows_and_stored_rows_side_by_side(colours, toml, tmp_path):
    events = run(colours, toml, tmp_path / "runs", 'head.features=["net", "colour"]', "training.steps=2")
    tensors = load_file(events[-1].folder / "weights.safetensors")
    assert tensors["head.layers.of_verb.weight"].shape == (3, 512 + 3)


def test_live_equals_cached_is_shown_first(colours, toml, tmp_path):
    store = extracted(colours, toml, tmp_path / "features")
    read = recipe.read(toml, SETTINGS, WeightFinder([]))
    events = run(colours, toml, tmp_path / "runs", "training.steps=1", store=store)
    parities = [event for event in events if isinstance(event, Parity)]
    assert sorted(parity.video.name for parity in parities) == ["one", "three", "two"]
    assert all(parity.rows >= 6 and parity.distance <= 1e-2 for parity in parities)
    assert isinstance(events[0], Parity)

    key = entry_key(parities[0].video, read.extractors["net"], {})
    stored = store.read(key)
    arrays, about = store.marker(key).arrays, store.marker(key).about
    about = {**about, "libraries": {**about["libraries"], "torch": "1.0"}}
    rows = {"time": stored.time, "source": stored.source, "feature": (stored["feature"] * 1.5).astype(np.float16)}
    store.remove(key)
    store.write(key, arrays, [rows], about, read.extractors["net"])
    with pytest.raises(BadRequest, match=r"differ by 0\.33.*torch was 1\.0, is .*remove that entry"):
        run(colours, toml, tmp_path / "runs", "training.steps=3", store=store)


def test_a_network_that_holds_another_learns_from_its_stored_rows(colours, toml, tmp_path):
    toml.write_text(colours.recipe.read_text() + OF_FLOW + FLOW)
    store = extracted(colours, toml, tmp_path / "features")
    events = run(colours, toml, tmp_path / "runs", "training.steps=2", store=store)
    parities = [event for event in events if isinstance(event, Parity)]
    assert sorted(parity.video.name for parity in parities) == ["one", "three", "two"]
    assert all(parity.distance < 1e-3 for parity in parities)
    tensors = load_file(events[-1].folder / "weights.safetensors")
    read = recipe.read(toml, SETTINGS, WeightFinder([]))
    fresh = read.extractors["net"].build({}).state_dict()
    assert float((tensors["backbones.of_net.model.conv1.weight"] - fresh["model.conv1.weight"]).abs().max()) > 0
    said = json.loads((events[-1].folder / "run.json").read_text())["plan"]
    assert said["features"]["net"]["live"]
    assert len([key for key in said["keys"] if key[0] == read.extractors["flow"].digest]) == 3
    toml.write_text(colours.recipe.read_text() + OF_FLOW)
    with pytest.raises(NotExtracted, match=r"net\.flow \(dis\) of .*give the recipe an \[extractors\.NAME\]"):
        run(colours, toml, tmp_path / "runs", "training.steps=3")


def test_what_follows_a_video_is_read_from_the_store_and_said_to_be(colours, toml, tmp_path):
    toml.write_text(colours.recipe.read_text() + NETWORK + '[extractors.looks]\nname = "lam"\nweights = "random:1"\n')
    events = finetune(
        recipe.read(toml, (*SETTINGS, 'head.features=["net", "looks.feature"]'), WeightFinder([])),
        Workplace(colours.data, FeatureStore(colours.store), WeightFinder([]), None, tmp_path),
    )
    assert next(events) == Frozen("looks", "lam", "it follows a video in order")


def test_what_cannot_be_trained_is_refused(colours, toml, tmp_path):
    with pytest.raises(
        BadRequest, match=r"the head reads colour \(mean_rgb\): none is a network with weights to train"
    ):
        run(colours, toml, tmp_path, 'head.features=["colour"]')
    with pytest.raises(BadRequest, match=r"set how many with --set sampling\.rows=2"):
        run(colours, toml, tmp_path, "sampling.rows=0")


@pytest.mark.slow
def test_real_clips_end_to_end(shared_data, tmp_path):
    path = Path(__file__).parents[2] / "recipes" / "gtea_finetune.toml"
    finder = WeightFinder([])
    read = recipe.read(path, ("training.steps=10",), finder)
    store = FeatureStore(tmp_path / "features", create=True)
    with Decoder() as decoder:
        root = shared_data / "labelled_gtea_s2"
        at = Workplace(root, store, finder, decoder, tmp_path / "runs")
        events = list(finetune(read, at, ("S2_Cheese_C1",)))
    losses = [float(event.step.loss) for event in events if isinstance(event, Trained)]
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])
