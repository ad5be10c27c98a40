"""Tasks that share no trainable parameter learn together what each learns alone: the control of multitask learning."""

import dataclasses
import sys

import numpy as np
import pytest
from pyarrow import parquet
from safetensors.numpy import load_file

from ego.cache.store import FeatureStore
from ego.extractors.gaze import Gaze
from ego.media.decode import Decoder
from ego.pipeline import recipe
from ego.pipeline.fit import Workplace, fit
from ego.pipeline.jobs import entry_key
from ego.pipeline.scan import scan
from ego.pipeline.weights import WeightFinder

RECIPE = """[dataset]
name = "folder"
csv = "table.csv"
folder = "videos"

[extractors.rgb]
name = "resnet"
weights = "random:0"
taps = ["conv3_x"]
size = 32
picture = { fit = "squash", size = 32 }
window = { fps = 4.0 }
precision = "float32"

[extractors.gaze]

[tasks.verb]
name = "classify"
label = "verb"
top = []

[tasks.soft]
name = "classify"
label = "verb"
top = []
smoothing = 0.2

[tasks.look]
name = "point"
size = [4, 4]

[head]
name = "multitask"
features = ["rgb"]

[sampling]
rows = 3
draw = "jitter"

[training]
epochs = 6
batch = 5
lr = 0.003
seed = 7
"""


@pytest.fixture(scope="module")
def learn(colours, tmp_path_factory):
    """`learn(*tasks)`: tensors of the run of one fold that learns these tasks, and its scores by task."""
    folder = tmp_path_factory.mktemp("equal")
    mine = dataclasses.replace(colours, recipe=folder / "all.toml", store=folder / "features")
    mine.recipe.write_text(RECIPE.replace("[extractors.gaze]\n", "").partition("[tasks.look]")[0])
    sys.modules["colours"].fill(mine)
    store = FeatureStore(mine.store)

    def run(*tasks):
        read = recipe.parse(RECIPE, (), WeightFinder([]))
        read = dataclasses.replace(read, tasks={name: read.tasks[name] for name in tasks})
        with Decoder() as decoder:
            at = Workplace(mine.data, store, WeightFinder([]), decoder, folder / "runs")
            done = list(fit(read, at, ("one",)))[-1]
        lines = parquet.read_table(done.folder / "predictions.parquet").to_pylist()
        scores = {
            name: np.array([x for line in lines if line["task"] == name for x in line["scores"]]) for name in tasks
        }
        return load_file(done.folder / "weights.safetensors"), scores

    with Decoder() as decoder:
        for video in scan(read_videos(mine), decoder):
            _write_gaze(store, video)
    return run


def read_videos(colours):
    return recipe.read(colours.recipe, (), WeightFinder([])).dataset.videos(colours.data).values()


def _write_gaze(store, video):
    """Sixty looks that wander over the frame, a few of them lost."""
    time = np.arange(60) / 10
    angle = np.arange(60) / 6
    block = {
        "time": np.stack([time, time + 0.05, time + 0.1], axis=1),
        "source": np.full((60, 4), -1),
        "point": np.stack([0.5 + 0.4 * np.cos(angle), 0.5 + 0.3 * np.sin(angle)], axis=1).astype(np.float32),
        "type": (np.arange(60) % 7 > 0).astype(np.int8),
        "blink": np.zeros(60, bool),
    }
    store.write(entry_key(video, Gaze(), {}), Gaze().rows({}), [block], {})


def test_together_equals_alone_without_a_shared_trainable_parameter(learn):
    weights, scores = learn("verb", "soft", "look")
    found = set()
    for task in ("verb", "soft", "look"):
        own, said = learn(task)
        assert np.abs(said[task] - scores[task]).max() < 1e-6
        assert np.abs(said[task]).max() > 1e-3
        for name, tensor in own.items():
            assert np.abs(tensor - weights[name]).max() < 1e-6
        found |= set(own)
    assert found == set(weights)  # nothing is learnt beyond the tasks' own layers


def test_the_order_of_tasks_changes_nothing(learn):
    weights, _ = learn("verb", "soft", "look")
    turned, _ = learn("look", "soft", "verb")
    assert all(np.abs(weights[name] - turned[name]).max() < 1e-6 for name in weights)
