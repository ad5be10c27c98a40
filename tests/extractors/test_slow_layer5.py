"""`slow_layer5` gives the published tokens and logits of Ego4D's state-change networks."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from ego.errors import BadRequest
from ego.extractors.slow_layer5 import SlowLayer5
from ego.layers.slow_layer5 import SlowLayer5 as Layers
from ego.layers.slowfast_plan import STATE_HEAD
from ego.sampling import Window
from ego.spec import Weights
from ego.video import Picture

STEPS = ("stem", "res2", "res3", "res4", "res5")
RANDOM = Weights("random:3")
SMALL: dict[str, Any] = {
    "picture": Picture("squash", 33), "size": 33, "precision": "float32", "window": Window(frames=4),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("task", ["pnr", "oscc"])
def test_published_numbers(task: str, pins: Callable[..., Any], keep: Callable[..., Any]) -> None:
    published = pins(f"slow_layer5_{task}")
    weights, files = keep({"state_dict": {f"model.{key}": x for key, x in published.state().items()}}, "net.ckpt")
    shown = published.input("frames")
    frames, side = shown.shape[1:3]
    taps = (*STEPS, "tokens", "logits") if task == "pnr" else ("tokens", "pool", "logits")
    spec = SlowLayer5(
        weights=weights, taps=taps, precision="float32", size=side, picture=Picture("squash", side),
        window=Window(frames, stride=frames, fps=2.0),
    )  # fmt: skip
    module = spec.build(files)
    with torch.inference_mode():
        found = module(frames=shown)
        assert {tap: array.shape for tap, array in spec.rows(files).items()} == {
            tap: tuple(x.shape[1:]) for tap, x in found.items()
        }
        if task == "pnr":
            ours = {tap: found[tap] for tap in (*STEPS, "tokens")} | {"output": found["logits"][:, None]}
            ours["logits_per_token"] = found["logits"][:, :, None]
        else:
            each = module.model.State_detection_head(found["tokens"])
            ours = {"tokens": found["pool"][:, None], "output": found["logits"][:, :, None]}
            ours |= {"logits_per_token": found["logits"][:, None], "output_no_temporal_pool": each.transpose(1, 2)}
            ours["tokens_no_temporal_pool"] = found["tokens"][..., :256]
        ours["tokens_first16_per_frame"] = ours["tokens"][..., :16]
    published.check_outputs(ours)


def test_shapes_at_the_published_size() -> None:
    spec = SlowLayer5(weights=RANDOM, taps=(*STEPS, "tokens", "pool", "logits"))
    shapes = {tap: array.shape for tap, array in spec.rows({}).items()}
    assert [shapes[tap][1:] for tap in STEPS] == [(16, n, n) for n in (57, 57, 29, 15, 8)]
    assert (shapes["tokens"], shapes["pool"], shapes["logits"]) == ((16, 8192), (8192,), (16,))
    assert spec.rows({})["tokens"].kind == "tokens"
    at_224 = SlowLayer5(weights=RANDOM, picture=Picture("squash", 224), size=224)
    assert at_224.rows({})["feature"].shape == (16, 2048)


def test_a_tail_goes_on_from_maps_and_tokens() -> None:
    spec = SlowLayer5(weights=RANDOM, taps=("res4", "tokens", "pool", "logits"), **SMALL)
    shown = torch.randint(0, 256, (2, 4, 33, 33, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = spec.build({})(shown)
        for tap in ("res4", "tokens"):
            for name, x in spec.tail(tap, {})(found[tap]).items():
                assert float((x - found[name]).norm() / found[name].norm()) < 1e-5
    assert found["tokens"].shape == (2, 4, 2048)
    assert torch.allclose(found["tokens"].mean(1), found["pool"])


def test_a_tail_goes_on_from_the_mean_only_to_a_head_of_clips(keep: Callable[..., Any]) -> None:
    spec = SlowLayer5(weights=RANDOM, taps=("tokens", "pool", "logits"), **SMALL)
    with pytest.raises(BadRequest, match=r"a logit for each frame.*name the tap tokens"):
        spec.tail("pool", {})
    weights, files = keep(Layers(STATE_HEAD, 2, 1).state_dict(), "oscc.pt")
    spec = replace(spec, weights=weights)
    shown = torch.randint(0, 256, (2, 4, 33, 33, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = spec.build(files)(shown)
        again = spec.tail("pool", files)(found["pool"])
    assert again["logits"].shape == (2, 2)
    assert torch.allclose(again["logits"], found["logits"], rtol=1e-4, atol=1e-4)


def test_the_released_weights_see_bytes() -> None:
    shown = torch.randint(0, 256, (1, 4, 33, 33, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    byte = SlowLayer5(weights=RANDOM, **SMALL).prepare()(shown)
    assert torch.equal(byte, shown.permute(0, 4, 1, 2, 3).float())
    other = SlowLayer5(weights=RANDOM, scaling="kinetics", **SMALL).prepare()(shown)
    assert torch.allclose(other, (byte / 255 - 0.45) / 0.225, atol=1e-5)
