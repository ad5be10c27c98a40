"""A second stage begins where the first ended, never with weights that saw what is tested."""

import dataclasses
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.media.decode import Decoder
from ego.pipeline import recipe
from ego.pipeline.fit import Workplace, fit
from ego.pipeline.weights import WeightFinder

RECIPE = """[dataset]
name = "folder"
csv = "table.csv"
folder = "videos"

[extractors.rgb]
name = "resnet"
weights = "random:0"
taps = ["conv4_x", "pool"]
size = 32
picture = { fit = "squash", size = 32 }
window = { fps = 2.0 }
precision = "float32"

[tasks.verb]
name = "classify"
label = "verb"
top = []

[head]
name = "linear"
features = ["rgb.pool"]

[training]
epochs = 5
lr = 0.01
"""


@pytest.fixture(scope="module")
def stages(colours, tmp_path_factory):
    """`stages(out, *settings, fold=...)` runs one stage of the recipe; `.first` is the weights file of the first."""
    folder = tmp_path_factory.mktemp("stages")
    toml = folder / "stage.toml"
    toml.write_text(RECIPE)
    mine = dataclasses.replace(colours, recipe=toml, store=folder / "features")
    sys.modules["colours"].fill(mine)

    def run(out, *settings, fold="one"):
        finder = WeightFinder([folder])
        with Decoder() as decoder:
            at = Workplace(mine.data, FeatureStore(mine.store), finder, decoder, folder / out)
            return list(fit(recipe.read(toml, settings, finder), at, (fold,)))

    run.first = run("first")[-1].folder / "weights.safetensors"
    return run


def test_it_begins_with_the_weights_of_the_run_it_names(stages):
    done = stages("second", f"head.start={stages.first}", "training.lr=0.0")[-1]
    before, after = load_file(stages.first), load_file(done.folder / "weights.safetensors")
    assert all(torch.equal(x, after[key]) for key, x in before.items())


def test_a_stage_with_a_tail_takes_the_head_of_one_without(stages):
    settings = ('head.features=["rgb.bn"]', 'head.tails=["rgb"]', "training.lr=0.0", f"head.start={stages.first}")
    done = stages("tail", *settings)[-1]
    before, after = load_file(stages.first), load_file(done.folder / "weights.safetensors")
    assert all(torch.equal(x, after[f"head.{key}"]) for key, x in before.items() if key.startswith("layers."))
    assert any(key.startswith("tails.of_rgb.model.layer4") for key in after)


def test_weights_that_saw_what_is_tested_are_refused(stages):
    with pytest.raises(BadRequest, match=r"head\.start was trained on 1 of the videos that are tested here"):
        stages("leak", f"head.start={stages.first}", fold="two")


def test_a_file_of_another_head_is_refused(stages, tmp_path):
    with pytest.raises(BadRequest, match=r"this head has not: layers\.of_verb\.weight"):
        stages("mlp", f"head.start={stages.first}", 'head.name="mlp"', "head.hidden=[8]")
    save_file({"extra": torch.zeros(1)}, other := tmp_path / "other.safetensors")
    with pytest.raises(BadRequest, match="this head has not: extra"):
        stages("other", f"head.start={other}")
    (nothing := tmp_path / "nothing.safetensors").write_bytes(b"no tensors")
    with pytest.raises(BadRequest, match="is no safetensors file of a run"):
        stages("nothing", f"head.start={nothing}")
    with pytest.raises(BadRequest, match="leave it out for random ones"):
        stages("random", "head.start=random:1")
