"""`slow` has the published counts, names and shapes, and keeps every frame."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ego.errors import BadRequest
from ego.extractors.slow import Slow
from ego.layers.slowfast import SlowFast as Layers
from ego.layers.slowfast_keys import pytorchvideo_names
from ego.spec import Weights
from ego.video import Picture

SMALL: dict[str, Any] = {"picture": Picture("squash", 32), "size": 32, "precision": "float32"}


def test_counts_and_shapes() -> None:
    with torch.device("meta"):
        network = Layers("slow", 50, {"projection": 400})
        state = network.state_dict()
    assert sum(x.numel() for x in network.parameters()) == 32_454_096
    assert state["s3.pathway0_res1.branch2.a.weight"].shape == (128, 512, 1, 1, 1)
    assert state["s4.pathway0_res1.branch2.a.weight"].shape == (256, 1024, 3, 1, 1)
    arrays = Slow(weights=Weights("random:0"), taps=("res5", "tokens", "pool")).rows({})
    assert [arrays[tap].shape for tap in ("res5", "tokens", "pool")] == [(2048, 8, 7, 7), (8, 2048), (2048,)]


def test_a_file_of_pytorchvideo_loads(keep: Callable[..., Any]) -> None:
    state = Slow(weights=Weights("random:2"), **SMALL).build({}).model.state_dict()
    names = pytorchvideo_names(state)
    assert names["head.projection.weight"] == "blocks.5.proj.weight"
    assert names["s1.pathway0_stem.bn.bias"] == "blocks.0.norm.bias"
    assert names["s2.pathway0_res0.branch1_bn.weight"] == "blocks.1.res_blocks.0.branch1_norm.weight"
    weights, files = keep({"model_state": {names[key]: x for key, x in state.items()}}, "SLOW_8x8_R50.pyth")
    shown = torch.randint(0, 256, (1, 8, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        own = Slow(weights=Weights("random:2"), taps=("logits",), **SMALL).build({})(shown)["feature"]
        assert torch.equal(Slow(weights=weights, taps=("logits",), **SMALL).build(files)(shown)["feature"], own)


def test_the_weights_of_another_network_are_refused(keep: Callable[..., Any]) -> None:
    weights, files = keep(Layers("i3d", 50, {"projection": 400}).state_dict(), "i3d.pt")
    with pytest.raises(BadRequest, match=r"s1\.pathway0_stem\.conv\.weight \(64, 3, 5, 7, 7\) instead of"):
        Slow(weights=weights, **SMALL).build(files)


def test_a_tail_goes_on_from_tokens() -> None:
    spec = Slow(weights=Weights("random:1"), taps=("tokens", "pool", "logits"), **SMALL)
    shown = torch.randint(0, 256, (2, 8, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = spec.build({})(shown)
        again = spec.tail("tokens", {})(found["tokens"])
    assert set(again) == {"pool", "logits"}
    assert all(torch.allclose(x, found[tap], rtol=1e-4, atol=1e-4) for tap, x in again.items())
    assert torch.allclose(found["tokens"].mean(1), found["pool"], atol=1e-5)
