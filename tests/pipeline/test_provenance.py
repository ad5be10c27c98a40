"""Weights that have seen what is tested are refused, also those of the networks below a head."""

import dataclasses
import json
import sys

import pytest
from safetensors.torch import save_file

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors._base import Extractor
from ego.pipeline.provenance import metadata, trained_on_of, weights_of
from ego.pipeline.read_run import open_run
from ego.spec import find, make

NETWORK = """
[extractors.net]
name = "resnet"
weights = "tuned.safetensors"
window = { fps = 5.0 }
picture = { fit = "short", size = 36 }
size = 32
"""


def tuned(path, trained_on):
    """A network's weights with what they were trained on, as a run writes it."""
    net = make("extractors", "resnet", {"weights": "random:0", "size": 32}).build({})
    about = {"ego": json.dumps({"trained_on": trained_on})}
    tensors = {key.removeprefix("model."): value.contiguous() for key, value in net.state_dict().items()}
    save_file(tensors, path, metadata=about)


@pytest.fixture
def here(colours, tmp_path, monkeypatch):
    monkeypatch.setenv("EGO_WEIGHTS", str(tmp_path))
    (tmp_path / "net.toml").write_text(colours.recipe.read_text() + NETWORK)
    return dataclasses.replace(colours, recipe=tmp_path / "net.toml", store=tmp_path / "features")


def test_a_backbone_tuned_on_a_tested_video_is_refused(here, fitted, tmp_path):
    """Tuned on the fold that leaves out 'one', it has seen the other two: only the fold of 'one' may be tested."""
    module, run = sys.modules["colours"], open_run(fitted)
    tuned(tmp_path / "tuned.safetensors", run.trained_on("one"))
    words = (
        r"the network of 'net' \(tuned.safetensors\) was trained on '(two|three)', which 'validation' of fold "
        r"'(two|three)' tests; take weights from that fold's own training"
    )
    FeatureStore(here.store, create=True)
    with pytest.raises(BadRequest, match=words):  # before anything is extracted
        module.fit(here, tmp_path / "runs", "training.epochs=1")
    module.fill(here)
    with pytest.raises(BadRequest, match=words):
        module.fit(here, tmp_path / "runs", "training.epochs=1")
    done = module.fit(here, tmp_path / "runs", "training.epochs=1", folds=("one",))
    seen = {digest for digest, _ in open_run(done).trained_on("one")}
    assert seen == {digest for digest, _ in run.trained_on("one")}
    assert len(open_run(done).trained_on("one")) == 24


def test_what_a_backbone_saw_is_handed_on(here, fitted, tmp_path):
    module = sys.modules["colours"]
    tuned(tmp_path / "tuned.safetensors", [["f" * 64, [[0.0, 9.0]]]])
    module.fill(here)
    done = module.fit(here, tmp_path / "runs", "training.epochs=1", folds=("one",))
    assert ["f" * 64, [[0.0, 9.0]]] in open_run(done).trained_on("one")


def test_other_files_say_nothing(tmp_path):
    save_file({}, tmp_path / "plain.safetensors", metadata={"other": "words"})
    assert trained_on_of(tmp_path / "plain.safetensors") == []
    assert trained_on_of(tmp_path / "no-such.pth") == []
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    with pytest.raises(BadRequest, match=r"torn\.safetensors cannot be read"):
        metadata(tmp_path / "torn.safetensors")


def test_weights_are_found_in_what_an_extractor_holds():
    seed = make("extractors", "resnet", {"weights": "random:3"})
    assert [str(one) for one in weights_of(seed)] == ["random:3"]
    assert weights_of(make("extractors", "mean_rgb", {})) == []
    assert issubclass(find("extractors", "resnet"), Extractor)
