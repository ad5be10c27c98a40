"""`slowfast` gives the published numbers of both pathways, whichever scheme names its tensors."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.extractors.slowfast import SlowFast
from ego.layers.slowfast import SlowFast as Layers
from ego.layers.slowfast_keys import pytorchvideo_names
from ego.sampling import Window
from ego.spec import Weights
from ego.video import Picture

TAPS = ("stem", "res2", "res3", "res4", "res5", "pool", "logits")
QUICK = ["slowfast_r50_8x8_pyslowfast", "slowfast_r50_8x8_pytorchvideo"]
LONG = ["slowfast_r101_8x8_pyslowfast", "slowfast_r101_8x8_pytorchvideo"]
RANDOM = Weights("random:3")
SMALL: dict[str, Any] = {
    "picture": Picture("squash", 32), "size": 32, "precision": "float32", "window": Window(frames=8, interval=2),
}  # fmt: skip


def apart(maps: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The slow and the fast pathway's own maps of a stored one."""
    wide = maps.shape[1] * 2 // 3
    slow, fast = maps[:, :wide], maps[:, wide:]
    return slow, fast.unflatten(1, (-1, 4)).movedim(2, 3).flatten(2, 3)


@pytest.mark.parametrize("name", QUICK + [pytest.param(one, marks=pytest.mark.slow) for one in LONG])
def test_published_numbers(name: str, pins: Callable[..., Any], keep: Callable[..., Any]) -> None:
    published = pins(name)
    weights, files = keep({"model_state": published.state()}, "net.pyth")
    shown = published.input("frames").permute(0, 2, 3, 4, 1)
    frames, side = shown.shape[1:3]
    spec = SlowFast(
        weights=weights, depth=50 if "r50" in name else 101, taps=TAPS, picture=Picture("squash", side), size=side,
        precision="float32", window=Window(frames, stride=frames, interval=2),
    )  # fmt: skip
    module, fused = spec.build(files), []
    module.model.s1_fuse.register_forward_hook(lambda _, given, out: fused.append(out[0]))
    with torch.inference_mode():
        found = module(frames=shown)
    ours = {"fuse1_slow": fused[0], "feature_2304": found["pool"], "logits": found["logits"]}
    ours["eval_output"] = found["logits"].softmax(1)
    for tap in TAPS[:5]:
        ours[f"{tap}_slow"], ours[f"{tap}_fast"] = apart(found[tap])
    published.check_outputs({tap: ours[tap] for tap in published.facts["outputs"]})
    assert {tap: array.shape for tap, array in spec.rows(files).items()} == {
        tap: tuple(x.shape[1:]) for tap, x in found.items()
    }


def test_the_same_weights_in_either_scheme_give_the_same_rows(keep: Callable[..., Any]) -> None:
    state = SlowFast(weights=RANDOM, **SMALL).build({}).model.state_dict()
    names = pytorchvideo_names(state)
    shown = torch.randint(0, 256, (1, 8, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    found = []
    for one, name in ((state, "a.pth"), ({names[key]: x for key, x in state.items()}, "b.pth")):
        weights, files = keep(one, name)
        with torch.inference_mode():
            found.append(SlowFast(weights=weights, taps=("logits",), **SMALL).build(files)(shown)["feature"])
    assert torch.equal(*found)


def test_a_network_of_two_heads_and_one_of_none(keep: Callable[..., Any]) -> None:
    two = Layers("slowfast", 50, {"projections.0": 5, "projections.1": 3}, lateral=5).state_dict()
    weights, files = keep({"state_dict": {f"model.{key}": x for key, x in two.items()}}, "ego4d.ckpt")
    spec = SlowFast(weights=weights, taps=("logits",), **SMALL)
    assert spec.rows(files)["feature"].shape == (8,)
    with torch.inference_mode():
        assert spec.build(files)(torch.zeros(1, 8, 32, 32, 3, dtype=torch.uint8))["feature"].shape == (1, 8)
    anticipating = {f"model.backbone.{key}": x for key, x in two.items() if not key.startswith("head.")}
    anticipating |= {"model.clip_aggregator.norm.weight": torch.ones(4), "model.decoder.head.bias": torch.ones(4)}
    weights, files = keep({"state_dict": anticipating}, "lta.ckpt")
    assert SlowFast(weights=weights, **SMALL).rows(files)["feature"].shape == (2304,)
    with pytest.raises(BadRequest, match="without a classifier"):
        SlowFast(weights=weights, taps=("logits",), **SMALL).build(files)


def test_the_slow_frames() -> None:
    def seen(**fields: int) -> list[int]:
        spec = SlowFast(weights=RANDOM, **fields)
        with torch.device("meta"):
            return spec.network({}, None)._slow

    assert seen() == [0, 4, 8, 13, 17, 22, 26, 31]
    assert seen(clip=1, clips=2) == [0, 4, 8, 12, 16, 21, 25, 29]
    assert seen(clip=2, clips=2) == [1, 5, 10, 14, 18, 22, 26, 31]
    assert all(len(seen(clip=clip, clips=7)) == 8 for clip in range(1, 8))


def test_a_tail_goes_on_from_the_maps_of_both_pathways() -> None:
    spec = SlowFast(weights=RANDOM, **SMALL, taps=("stem", "res4", "tokens_slow", "tokens_fast", "pool", "logits"))
    shown = torch.randint(0, 256, (2, 8, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = spec.build({})(shown)
        for tap in ("stem", "res4", "pool"):
            tail = spec.tail(tap, {})
            again = tail(found[tap])
            assert set(again) == {name for name in found if name in spec.above(tap)}
            for name, x in again.items():
                assert float((x - found[name]).norm() / found[name].norm()) < 1e-5
    assert {key.split(".")[1] for key in spec.tail("res4", {}).state_dict()} == {"s4_fuse", "s5", "head"}
    assert found["tokens_slow"].shape == (2, 2, 2048)
    assert found["tokens_fast"].shape == (2, 8, 256)
    with pytest.raises(BadRequest, match="tokens_slow"):
        spec.tail("tokens_slow", {})


def test_a_tail_can_be_trained() -> None:
    tail = SlowFast(weights=RANDOM, **SMALL).tail("res4", {}).train()
    tail(torch.rand(2, 1536, 2, 2, 2))["feature"].sum().backward()
    assert tail.model.s4_fuse.conv_f2s.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("fields", [{"window": Window(frames=30)}, {"clip": 3, "clips": 2}, {"clip": 0}])
def test_fields_that_cannot_be(fields: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="multiple of 4 frames"):
        SlowFast(weights=RANDOM, **fields)


def test_a_caffe2_pickle_is_refused(tmp_path: Any) -> None:
    import pickle

    path = tmp_path / "SLOWFAST_8x8_R50.pkl"
    path.write_bytes(pickle.dumps({"blobs": {"conv1_w": np.zeros((2, 3), np.float32)}}, protocol=2))
    weights = Weights("sha256:" + "0" * 64)
    with pytest.raises(BadRequest, match=r"Caffe2 \.pkl"):
        SlowFast(weights=weights, **SMALL).build({weights: path})
