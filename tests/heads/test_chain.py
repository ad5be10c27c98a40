"""Gradients that are written out are those that autograd finds."""

import pytest
import torch
from torch.func import functional_call, stack_module_state

from ego.heads._chain import Chain
from ego.heads.linear import Linear
from ego.heads.mlp import MLP
from ego.tasks.classify import Classify
from ego.video import Array

TASKS = {
    "verb": Classify(label="verb", classes=("a", "b", "c")),
    "noun": Classify(label="noun", classes=tuple("abcde")),
}
SHAPES = {"rgb": Array((6,)), "flow": Array((4,))}
CLIPS = 9


@pytest.mark.parametrize("settings", [1, 3])
@pytest.mark.parametrize("asked", [("verb", "noun"), ("noun",)])
@pytest.mark.parametrize("head", [Linear(), Linear(norm="none"), MLP(hidden=(7,)), MLP(hidden=(7, 5, 8))])
def test_it_says_and_descends_as_the_module_does(head, asked, settings):
    torch.manual_seed(0)
    modules = [head.build(SHAPES, TASKS) for _ in range(settings)]
    weights, _ = stack_module_state(modules)
    features = {name: torch.randn(CLIPS, 2, *one.shape) for name, one in SHAPES.items()}
    masks = {name: torch.rand(CLIPS, 2) < 0.8 for name in SHAPES}
    chain = Chain(modules[0].chain, {name: one.detach() for name, one in weights.items()})
    said = chain.said(modules[0].settle(features, masks), asked)
    slopes = {name: torch.randn(CLIPS, len(TASKS[name].classes), settings) for name in asked}
    found = chain.gradients(slopes)
    for place, module in enumerate(modules):
        theirs = functional_call(module, dict(module.named_parameters()), (features, masks, asked))
        for name in asked:
            assert torch.allclose(said[name][..., place], theirs[name], atol=1e-6)
        torch.autograd.backward([theirs[name] for name in asked], [slopes[name][..., place] for name in asked])
        for name, one in module.named_parameters():
            assert (one.grad is None) == (name not in found)
            assert one.grad is None or torch.allclose(found[name][place], one.grad, atol=1e-5)
