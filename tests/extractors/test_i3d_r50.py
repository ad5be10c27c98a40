"""`i3d_r50` gives the published numbers and halves the frames once."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ego.errors import BadRequest
from ego.extractors.i3d_r50 import I3DR50
from ego.sampling import Window
from ego.spec import Weights
from ego.video import Picture

TAPS = ("stem", "res2", "res3", "res4", "res5", "pool", "logits")


def test_published_numbers(pins: Callable[..., Any], keep: Callable[..., Any]) -> None:
    published = pins("i3d_r50_pyslowfast")
    weights, files = keep({"model_state": published.state()}, "I3D_8x8_R50.pyth")
    shown = published.input("frames").permute(0, 2, 3, 4, 1)
    frames, side = shown.shape[1:3]
    spec = I3DR50(
        weights=weights, taps=TAPS, picture=Picture("squash", side), size=side, precision="float32",
        window=Window(frames, stride=frames),
    )  # fmt: skip
    with torch.inference_mode():
        found = spec.build(files)(shown)
    assert {tap: array.shape for tap, array in spec.rows(files).items()} == {
        tap: tuple(x.shape[1:]) for tap, x in found.items()
    }
    found["feature_2048"], found["eval_output"] = found.pop("pool"), found["logits"].softmax(1)
    published.check_outputs(found)


def test_shapes_at_the_published_size() -> None:
    arrays = I3DR50(weights=Weights("random:0"), taps=("res2", "res5", "tokens", "pool")).rows({})
    assert {tap: array.shape for tap, array in arrays.items()} == {
        "res2": (256, 8, 56, 56), "res5": (2048, 4, 7, 7), "tokens": (4, 2048), "pool": (2048,),
    }  # fmt: skip


def test_a_tail_goes_on_from_maps() -> None:
    spec = I3DR50(
        weights=Weights("random:1"), taps=("res2", "res5", "tokens"), picture=Picture("squash", 32), size=32,
        precision="float32",
    )  # fmt: skip
    shown = torch.randint(0, 256, (1, 8, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = spec.build({})(shown)
        again = spec.tail("res2", {})(found["res2"])
    assert set(again) == {"res5", "tokens"}
    assert all(torch.allclose(x, found[tap], rtol=1e-4, atol=1e-4) for tap, x in again.items())


def test_one_frame_is_refused() -> None:
    with pytest.raises(BadRequest, match="which pools two"):
        I3DR50(weights=Weights("random:0"), window=Window(frames=1))
