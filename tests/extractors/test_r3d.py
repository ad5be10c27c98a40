"""`r3d` has the published names, counts and shapes, and computes what a plain reading of the paper does."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from ego.errors import BadRequest
from ego.extractors.r3d import MEAN, R3D, STD
from ego.layers.r3d import R3D as Layers
from ego.layers.r3d_plan import TAPS
from ego.sampling import Window
from ego.spec import Weights
from ego.video import Picture

RANDOM = Weights("random:3")
SMALL: dict[str, Any] = {
    "picture": Picture("squash", 32), "size": 32, "precision": "float32", "window": Window(frames=5),
}  # fmt: skip


def drawn(count: int, frames: int = 5, side: int = 32) -> torch.Tensor:
    random = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, frames, side, side, 3), dtype=torch.uint8, generator=random)


def plain(state: dict[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """The pooled feature, written out over the tensors of a file; a factored convolution has its own ReLU inside."""

    def norm(name: str, y: torch.Tensor) -> torch.Tensor:
        mean, var, weight, bias = (
            state[f"{name}.{part}"].view(1, -1, 1, 1, 1) for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (y - mean) / (var + 1e-5).sqrt() * weight + bias

    def conv(name: str, y: torch.Tensor, step: int = 1) -> torch.Tensor:
        if f"{name}.weight" in state:
            return F.conv3d(F.pad(y, (1,) * 6), state[f"{name}.weight"], stride=step)
        y = F.conv3d(F.pad(y, (1, 1, 1, 1)), state[f"{name}.0.weight"], stride=(1, step, step))
        y = norm(f"{name}.1", y).clamp(min=0)
        return F.conv3d(F.pad(y, (0, 0, 0, 0, 1, 1)), state[f"{name}.3.weight"], stride=(step, 1, 1))

    frames = (1, 1) if state["stem.0.weight"].shape[2] == 3 else (0, 0)
    x = F.conv3d(F.pad(x, (3, 3, 3, 3, *frames)), state["stem.0.weight"], stride=(1, 2, 2))
    x = norm("stem.1", x).clamp(min=0)
    if "stem.3.weight" in state:
        x = F.conv3d(F.pad(x, (0, 0, 0, 0, 1, 1)), state["stem.3.weight"])
        x = norm("stem.4", x).clamp(min=0)
    for name in [f"layer{stage}.{block}" for stage in range(1, 5) for block in range(2)]:
        step = 2 if name in ("layer2.0", "layer3.0", "layer4.0") else 1
        y = norm(f"{name}.conv1.1", conv(f"{name}.conv1.0", x, step)).clamp(min=0)
        y = norm(f"{name}.conv2.1", conv(f"{name}.conv2.0", y))
        if step == 2:
            x = norm(f"{name}.downsample.1", F.conv3d(x, state[f"{name}.downsample.0.weight"], stride=2))
        x = (x + y).clamp(min=0)
    return x.mean(dim=(2, 3, 4))


@pytest.mark.parametrize("variant", ["r3d", "r2plus1d"])
def test_the_arithmetic_of_both(variant: str, keep: Callable[..., Any]) -> None:
    random = torch.Generator().manual_seed(2)
    state = Layers(variant == "r2plus1d").state_dict()
    for key, x in state.items():
        if key.endswith("running_var"):
            x.uniform_(0.5, 2, generator=random)
        elif x.ndim == 1:
            x.uniform_(-0.2, 0.8, generator=random)
    weights, files = keep(state, "net.pt")
    shown = drawn(1)
    with torch.inference_mode():
        found = R3D(weights=weights, variant=variant, **SMALL).build(files)(shown)["feature"]
        mean, std = (torch.tensor(one).view(1, 3, 1, 1, 1) for one in (MEAN, STD))
        expected = plain(state, (shown.permute(0, 4, 1, 2, 3) / 255 - mean) / std)
    assert (found - expected).norm() < 2e-5 * expected.norm()


@pytest.mark.parametrize("variant", ["r3d", "r2plus1d"])
def test_a_tail_goes_on_from_stored_maps(variant: str) -> None:
    spec = R3D(weights=RANDOM, variant=variant, taps=TAPS, **SMALL)
    with torch.inference_mode():
        found = spec.build({})(drawn(2))
        assert {tap: array.shape for tap, array in spec.rows({}).items()} == {
            tap: tuple(x.shape[1:]) for tap, x in found.items()
        }
        tail = spec.tail("conv4_x", {})
        again = tail(found["conv4_x"])
    assert {key.split(".")[1] for key in tail.state_dict()} == {"layer4", "fc"}
    assert set(again) == {"conv5_x", "pool", "logits"}
    assert all(torch.allclose(x, found[tap], rtol=1e-4, atol=1e-4) for tap, x in again.items())


def test_shapes_at_the_published_size() -> None:
    arrays = R3D(weights=RANDOM, taps=TAPS).rows({})
    assert [arrays[tap].shape for tap in TAPS] == [
        (64, 16, 56, 56), (128, 8, 28, 28), (256, 4, 14, 14), (512, 2, 7, 7), (512,), (400,),
    ]  # fmt: skip


def test_the_weights_of_the_other_variant_are_refused(keep: Callable[..., Any]) -> None:
    weights, files = keep(Layers(True).state_dict(), "r2plus1d.pt")
    with pytest.raises(BadRequest, match=r"224 tensors, 122 were expected"):
        R3D(weights=weights).build(files)
