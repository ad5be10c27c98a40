"""Tails: what trains and what stays, names that last, rows that are masked, and a run from stored maps end to end."""

import dataclasses
import json
import sys
from fnmatch import fnmatch

import pytest
import torch
from safetensors import safe_open

from ego.cache.store import FeatureStore
from ego.errors import BadRequest
from ego.extractors.mean_rgb import MeanRgb
from ego.extractors.resnet import ResNet
from ego.heads._train import begin
from ego.heads._training import Training
from ego.heads.convlstm import ConvLSTM
from ego.heads.linear import Linear
from ego.heads.lsta import LSTA
from ego.heads.motion_segmentation import MotionSegmentation
from ego.heads.ridge import Ridge
from ego.media.decode import Decoder
from ego.pipeline import recipe
from ego.pipeline.evaluate import Asked, evaluate
from ego.pipeline.fit import Workplace, fit
from ego.pipeline.read_run import open_run
from ego.pipeline.tails import joined, shapes_after, stored_features, tails_of
from ego.pipeline.weights import WeightFinder
from ego.spec import Weights
from ego.tasks.classify import Classify
from ego.video import Picture

TASKS = {"action": Classify(label="action", classes=tuple(map(str, range(61))))}
SMALL = {"picture": Picture("squash", 64), "size": 64, "precision": "float32", "weights": Weights("random:1")}
EGO_RNN_STAGE_2 = ("tails.of_rgb.model.layer4.*.conv?.weight", "tails.of_rgb.model.fc.*", "head.*")


def build(head, extractor, tasks=TASKS):
    extractors = {"rgb": extractor}
    tails = tails_of(head, extractors, {})
    shapes = shapes_after({"rgb": extractor.rows({})["feature"]}, head, tails)
    return joined(begin(head, shapes, tasks, Training()), tails, head.tail_norms, {})


def trained(module, patterns):
    """How many numbers of the parameters that these names say."""
    named = [(name, x) for name, x in module.named_parameters() if any(fnmatch(name, one) for one in patterns)]
    return sum(x.numel() for _, x in named)


def test_the_second_stage_of_ego_rnn_and_lsta_trains_what_the_papers_count(steps_task):
    stored = ResNet(depth=34, taps=("conv4_x",), weights=Weights("random:0"))
    tasks = {**TASKS, "moves": steps_task(2, 7, 7)}
    motion = MotionSegmentation(features=("rgb.bn",))
    ego = build(ConvLSTM(features=("rgb.nbn", "rgb.cam"), tails=("rgb",)), stored)
    assert trained(ego, EGO_RNN_STAGE_2[:1]) == 12_976_128
    assert trained(ego, EGO_RNN_STAGE_2) == 32_396_837
    both = build(ConvLSTM(features=("rgb.nbn", "rgb.cam", "rgb.bn"), tails=("rgb",), motion=motion), stored, tasks)
    assert trained(both, EGO_RNN_STAGE_2) == 32_928_435
    lsta = build(LSTA(features=("rgb.nbn", "rgb.cam_raw"), tails=("rgb",)), stored)
    assert trained(lsta, EGO_RNN_STAGE_2) == 32_499_313
    assert trained(lsta, ("*coupling_fc*",)) == 51_200
    assert not lsta.head.lsta_cell.coupling_fc.weight.requires_grad
    lsta = build(LSTA(features=("rgb.nbn", "rgb.cam_raw", "rgb.bn"), tails=("rgb",), motion=motion), stored, tasks)
    assert trained(lsta, EGO_RNN_STAGE_2) == 33_030_911


def test_a_tail_gives_what_the_whole_network_gives():
    stored = ResNet(taps=("conv4_x",), **SMALL)
    whole = dataclasses.replace(stored, taps=("conv4_x", "bn", "nbn", "cam"))
    head = ConvLSTM(features=("rgb.nbn", "rgb.cam"), tails=("rgb",), channels=8)
    module = build(head, stored).eval()
    pixels = torch.randint(0, 256, (6, 1, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    mask = torch.tensor([[True, True, True], [True, True, False]])
    with torch.inference_mode():
        found = whole.build({})(frames=pixels)
        rows = {name: x.unflatten(0, (2, 3)) for name, x in found.items()}
        direct = module.head(
            {"rgb.nbn": rows["nbn"], "rgb.cam": rows["cam"]}, dict.fromkeys(("rgb.nbn", "rgb.cam"), mask), ("action",)
        )
        there = module({"rgb": rows["conv4_x"].half()}, {"rgb": mask}, ("action",))
        rows["conv4_x"][1, 2] = 6e4
        again = module({"rgb": rows["conv4_x"].half()}, {"rgb": mask}, ("action",))
        module({"rgb": rows["conv4_x"]}, {"rgb": torch.zeros_like(mask)}, ("action",))
    assert torch.allclose(there["action"], direct["action"], atol=1e-3)
    assert torch.equal(there["action"], again["action"])


@pytest.mark.parametrize("norms", ["frozen", "trained"])
def test_what_is_frozen_stays_bit_for_bit(norms):
    head = Linear(features=("rgb.pool",), tails=("rgb",), tail_norms=norms)
    module = build(head, ResNet(taps=("conv4_x",), **SMALL))
    before = {key: x.clone() for key, x in module.state_dict().items()}
    frozen = [
        name for name, _ in module.named_parameters() if not fnmatch(name, "tails.of_rgb.model.layer4.*.conv?.weight")
    ]
    for name in frozen:
        module.get_parameter(name).requires_grad_(False)
    optimiser = torch.optim.SGD([x for x in module.parameters() if x.requires_grad], 0.1)
    module.train()
    rows = torch.rand(2, 2, 256, 4, 4)
    module({"rgb": rows}, {"rgb": torch.ones(2, 2, dtype=torch.bool)}, ("action",))["action"].sum().backward()
    optimiser.step()
    changed = {key for key, x in module.state_dict().items() if not torch.equal(x, before[key])}
    statistics = {key for key in changed if "running" in key or "num_batches" in key}
    assert bool(statistics) == (norms == "trained")
    assert changed - statistics == {name for name, _ in module.named_parameters()} - set(frozen)


def test_stored_end_points_may_be_read_beside_what_a_tail_gives():
    stored = ResNet(taps=("conv4_x", "pool"), **SMALL)
    head = Linear(features=("rgb.pool", "rgb.nbn"), tails=("rgb",))
    tails = tails_of(head, {"rgb": stored}, {})
    assert stored_features(head, tails) == ("rgb.pool", "rgb.conv4_x")
    shapes = {f"rgb.{name}": array for name, array in stored.rows({}).items()}
    assert {name: array.shape for name, array in shapes_after(shapes, head, tails).items()} == {
        "rgb.pool": (512,), "rgb.nbn": (512, 2, 2),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("head", "extractor", "words"),
    [
        (Linear(features=("flow.pool",), tails=("flow",)), ResNet(taps=("conv4_x",), **SMALL), "recipe extracts: rgb"),
        (Linear(tails=("rgb",)), ResNet(taps=("conv4_x",), **SMALL), "say in head.features which end points"),
        (
            Linear(features=("rgb.x",), tails=("rgb",)),
            ResNet(taps=("conv4_x",), **SMALL),
            "its end points are: conv2_x",
        ),
        (Linear(features=("rgb.pool",), tails=("rgb",)), ResNet(taps=("logits",), **SMALL), "do not all follow"),
        (Linear(features=("rgb.pool",), tails=("rgb",)), MeanRgb(), "no network above what is stored"),
        (
            Ridge(features=("rgb.pool",), tails=("rgb",)),
            ResNet(taps=("conv4_x",), **SMALL),
            "solved and trains nothing",
        ),
    ],
)
def test_tails_that_cannot_be(head, extractor, words):
    with pytest.raises(BadRequest, match=words):
        tails_of(head, {"rgb": extractor}, {})


RECIPE = """[dataset]
name = "folder"
csv = "table.csv"
folder = "videos"

[extractors.rgb]
name = "resnet"
weights = "random:0"
taps = ["conv4_x"]
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
tails = ["rgb"]

[training]
epochs = 12
lr = 0.003
"""


def test_a_run_trains_a_tail_from_stored_maps(colours, tmp_path):
    toml = tmp_path / "tail.toml"
    toml.write_text(RECIPE)
    mine = dataclasses.replace(colours, recipe=toml, store=tmp_path / "features")
    sys.modules["colours"].fill(mine)
    read = recipe.read(toml, (), WeightFinder([]))
    alone = dataclasses.replace(read.extractors["rgb"], taps=("conv4_x",))
    with Decoder() as decoder:
        at = Workplace(mine.data, FeatureStore(mine.store), WeightFinder([]), decoder, tmp_path / "runs")
        *steps, done = fit(read, at, ("one",))
    assert float(steps[-1].step.loss) < float(steps[0].step.loss) / 2
    about = json.loads((done.folder / "run.json").read_text())
    assert {key[0] for key in about["plan"]["keys"]} == {alone.digest}
    with safe_open(done.folder / "weights.safetensors", "pt") as file:
        keys = set(file.keys())
    assert {"head.layers.of_verb.weight", "tails.of_rgb.model.layer4.0.conv1.weight"} <= keys
    assert {key.split(".")[0] for key in keys} == {"head", "tails"}
    with Decoder() as decoder:
        again = evaluate(open_run(done.folder), dataclasses.replace(at, decoder=decoder), Asked()).metrics["folds"][
            "one"
        ]
    assert again["validation"] == done.metrics["folds"]["one"]["validation"]


MOVES = """
[extractors.motion_map]

[tasks.moves]
name = "motion"
size = 1

[head.motion]
channels = 4
features = ["rgb.bn"]
"""


@pytest.mark.slow
def test_labels_of_steps_stand_on_the_steps_of_what_a_tail_gives(colours, tmp_path):
    text = RECIPE.replace('name = "linear"', 'name = "convlstm"\nchannels = 8').replace("epochs = 12", "epochs = 3")
    toml = tmp_path / "moves.toml"
    toml.write_text(text.replace('["rgb.pool"]', '["rgb.nbn", "rgb.cam", "rgb.bn"]') + MOVES)
    mine = dataclasses.replace(colours, recipe=toml, store=tmp_path / "features")
    sys.modules["colours"].fill(mine)
    with Decoder() as decoder:
        at = Workplace(mine.data, FeatureStore(mine.store), WeightFinder([]), decoder, tmp_path / "runs")
        *_, done = fit(recipe.read(toml, (), WeightFinder([])), at, ("one",))
    found = done.metrics["pooled"]["validation"]
    assert found["verb"]["clips"] == found["moves"]["clips"] == 6
    assert 0 <= found["moves"]["accuracy"] <= 1
