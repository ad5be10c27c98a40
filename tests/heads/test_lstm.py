"""The LSTM is torch's on what is there, tells every step, and hears order."""

import pytest
import torch

from ego.errors import BadRequest
from ego.heads._train import begin
from ego.heads._training import Training
from ego.heads.lstm import LSTM
from ego.tasks.classify import Classify
from ego.video import Array

TASKS = {"verb": Classify(label="verb", classes=("open", "put", "take"))}
SHAPES = {"rgb": Array((4,)), "flow": Array((3, 2, 2), kind="map")}


def clips():
    generator = torch.Generator().manual_seed(1)
    features = {
        "rgb": torch.randn(2, 5, 4, generator=generator),
        "flow": torch.randn(2, 10, 3, 2, 2, generator=generator),
    }
    masks = {name: torch.ones(x.shape[:2], dtype=torch.bool) for name, x in features.items()}
    masks["rgb"][0, 3:], masks["flow"][0, 6:] = False, False
    return features, masks


@pytest.mark.parametrize("fields", [{}, {"bidirectional": True}, {"pool": "mean"}, {"layers": 2}])
def test_it_is_torchs_on_the_rows_that_are_there(fields, steps_task):
    features, masks = clips()
    tasks = {**TASKS, "moment": steps_task(2)}
    module = begin(LSTM(width=6, **fields), SHAPES, tasks, Training()).eval()
    found = module(features, masks, tuple(tasks))
    assert found["moment"].shape == (2, 5, 2)
    pooled = features["flow"].mean((3, 4))
    for clip, length in enumerate((3, 5)):
        x = torch.cat([features["rgb"][clip, :length], pooled[clip, 1 : 2 * length : 2]], dim=1)[None]
        out, (h, _) = module.lstm(x)
        last = torch.cat([h[-2], h[-1]], dim=1) if fields.get("bidirectional") else h[-1]
        vector = out.mean(1) if fields.get("pool") == "mean" else last
        assert torch.allclose(found["verb"][clip], module.layers["of_verb"](vector)[0], atol=1e-6)
        assert torch.allclose(found["moment"][clip, :length], module.layers["of_moment"](out[0]), atol=1e-6)


def test_order_counts():
    features, masks = clips()
    module = begin(LSTM(features=("rgb",), width=6), SHAPES, TASKS, Training()).eval()
    whole = {name: torch.ones_like(mask) for name, mask in masks.items()}
    there, again = (module({"rgb": x}, whole, ("verb",))["verb"] for x in (features["rgb"], features["rgb"].flip(1)))
    assert not torch.allclose(there, again, atol=1e-6)


def test_a_gap_is_passed_over():
    features, _ = clips()
    module = begin(LSTM(features=("rgb",), width=6), SHAPES, TASKS, Training()).eval()
    mask = torch.tensor([[True, False, True, True, False]]).expand(2, -1)
    alone = features["rgb"][:, [0, 2, 3]]
    found = module({"rgb": features["rgb"]}, {"rgb": mask}, ("verb",))["verb"]
    assert torch.allclose(found, module({"rgb": alone}, {"rgb": mask[:, [0, 2, 3]]}, ("verb",))["verb"], atol=1e-6)


def test_maps_of_steps_are_refused(steps_task):
    with pytest.raises(BadRequest, match="a map of each step, for lstm"):
        LSTM().build(SHAPES, {"gaze": steps_task(1, 7, 7)})
