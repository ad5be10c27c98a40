"""The probe attends to places: it finds the one that tells where a mean would not."""

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.heads._train import Stream, begin, predict, train
from ego.heads._training import Training
from ego.heads.attentive_probe import AttentiveProbe
from ego.tasks.classify import Classify
from ego.video import Array

TASKS = {"verb": Classify(label="verb", classes=("open", "put", "take"))}


def test_it_finds_the_token_that_tells(toy):
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 3
    rows = generator.normal(size=(60, 2, 16, 8)).astype(np.float32)
    marked = generator.integers(0, 16, 60)
    rows[np.arange(60), 0, marked] = np.eye(8, dtype=np.float32)[labels] * 6 + np.eye(8, dtype=np.float32)[7] * 6
    data = toy({"rgb": rows}, {"rgb": np.ones((60, 2), bool)}, {"verb": labels})
    head, training = AttentiveProbe(heads=2), Training(lr=0.01, epochs=60, batch=30)
    module = begin(head, {"rgb": Array((16, 8), kind="tokens")}, TASKS, training)
    list(train(module, head, TASKS, [Stream(data, ("verb",))], training))
    assert (predict(module, data, ("verb",))["verb"].predictions.argmax(1) == labels).mean() > 0.95


def test_order_of_tokens_is_not_heard_and_widths_meet():
    shapes = {"rgb": Array((6, 8), kind="tokens"), "flow": Array((3, 2, 2), kind="map")}
    module = begin(AttentiveProbe(heads=2), shapes, TASKS, Training()).eval()
    assert isinstance(module.inputs["of_rgb"][1], torch.nn.Identity)
    assert module.inputs["of_flow"][1].weight.shape == (8, 3)
    features = {"rgb": torch.randn(2, 4, 6, 8), "flow": torch.randn(2, 3, 3, 2, 2)}
    masks = {name: torch.ones(x.shape[:2], dtype=torch.bool) for name, x in features.items()}
    there = module(features, masks, ("verb",))["verb"]
    turned = module({"rgb": features["rgb"].flip(1, 2), "flow": features["flow"].flip(4)}, masks, ("verb",))["verb"]
    assert torch.allclose(there, turned, atol=1e-6)
    nothing = {name: torch.zeros_like(mask) for name, mask in masks.items()}
    assert bool(torch.isfinite(module(features, nothing, ("verb",))["verb"]).all())


def test_heads_must_divide_the_width():
    with pytest.raises(BadRequest, match="8 heads for a width of 6"):
        AttentiveProbe().build({"rgb": Array((6,))}, TASKS)
