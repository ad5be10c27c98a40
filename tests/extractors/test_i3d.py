"""`i3d` gives the published numbers at any length and size."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from ego.errors import BadRequest
from ego.extractors._weights import load
from ego.extractors.dis import DIS
from ego.extractors.i3d import I3D
from ego.layers.inception import InceptionI3d
from ego.sampling import Window
from ego.spec import Weights
from ego.video import Picture

QUICK = 16 * 112 * 112
"""Pixels of a clip above which it takes more than a second or two."""
SMALL: dict[str, Any] = {
    "picture": Picture("squash", 32), "size": 32, "precision": "float32", "taps": ("Mixed_4b",),
}  # fmt: skip


def clip(pin: dict[str, Any]) -> torch.Tensor:
    """A pin's noise clip (1, C, T, H, W), as its own rule finishes it."""
    facts = pin["inputs"]["x"]
    random = np.random.Generator(np.random.PCG64(facts["seed"]))
    if facts["draw"] == "uint8":
        drawn = random.integers(0, 256, facts["draw_shape"], np.uint8).astype(np.float32)
        made = drawn / np.float32(255) * np.float32(2) - np.float32(1)
    else:
        made = random.standard_normal(facts["draw_shape"], dtype=np.float32)
    found = torch.from_numpy(made)
    if list(found.shape) != facts["shape"]:
        found = found.permute(3, 0, 1, 2)[None]
    assert found.reshape(-1)[:8].tolist() == pytest.approx(facts["first8"], abs=1e-6)
    return found


@pytest.mark.parametrize("long", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("name", "channels"), [("i3d_rgb", 3), ("i3d_flow", 2)])
def test_published_numbers(
    name: str, channels: int, long: bool, pins: Callable[..., Any], keep: Callable[..., Any]
) -> None:
    published = pins(name)
    weights, files = keep(published.state(), "i3d.safetensors")
    network = load(lambda found: InceptionI3d(channels, len(found["logits.conv3d.bias"])), weights, files)
    for pin, facts in published.pins.items():
        if (np.prod(facts["inputs"]["x"]["shape"][2:]) > QUICK) != long:
            continue
        ours = {tap: "avg_pool" if tap == "pooled" else tap for tap in facts["taps"]}
        with torch.inference_mode():
            found = network(clip(facts), tuple(ours.values()))
        published.check(pin, {tap: found[own] for tap, own in ours.items()})


@pytest.mark.slow
def test_published_numbers_from_frames_to_rows(pins: Callable[..., Any], keep: Callable[..., Any]) -> None:
    published, pin = pins("i3d_rgb"), "t16_h224_w224"
    weights, files = keep(published.state(), "rgb_imagenet.pt")
    spec = I3D(weights=weights, taps=("Mixed_3c", "Mixed_4f", "Mixed_5c", "avg_pool", "logits"), precision="float32")
    facts = published.pins[pin]["inputs"]["x"]
    shown = np.random.Generator(np.random.PCG64(facts["seed"])).integers(0, 256, facts["draw_shape"], np.uint8)
    with torch.inference_mode():
        found = spec.build(files)(torch.from_numpy(shown)[None])
    assert {name: array.shape for name, array in spec.rows(files).items()} == {
        tap: tuple(x.shape[1:]) for tap, x in found.items()
    }
    found["pooled"] = found.pop("avg_pool")[..., None, None, None]
    found["logits"] = found["logits"][..., None, None, None]
    published.check(pin, found)


def test_the_feature_is_a_vector_or_one_token_a_moment() -> None:
    def shape(**fields: Any) -> tuple[tuple[int, ...], str]:
        array = I3D(weights=Weights("random:0"), **fields).rows({})["feature"]
        return array.shape, array.kind

    assert shape() == ((1024,), "vector")
    assert shape(window=Window(frames=64, stride=64)) == ((7, 1024), "tokens")
    assert shape(picture=Picture("short", 320), size=256) == ((1024, 1, 2, 2), "map")
    assert shape(taps=("Mixed_5c",)) == ((1024, 2, 7, 7), "map")
    assert shape(taps=("logits",)) == ((400,), "vector")


@pytest.mark.parametrize("fields", [{"window": Window(frames=8)}, {"size": 192}])
def test_a_clip_too_small_for_its_pooling_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BadRequest, match="at least 9 frames of 193 pixels"):
        I3D(weights=Weights("random:0"), **fields)
    I3D(weights=Weights("random:0"), taps=("Mixed_5c",), **fields)


def test_two_forwards_are_identical_and_the_batch_does_not_matter() -> None:
    network = I3D(weights=Weights("random:1"), window=Window(frames=6), **SMALL).build({})
    shown = torch.randint(0, 256, (3, 6, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        whole, again = network(shown)["feature"], network(shown)["feature"]
        turned, alone = network(shown.flip(0))["feature"].flip(0), network(shown[1:2])["feature"]
    assert torch.equal(whole, again)
    assert torch.allclose(whole, turned, rtol=1e-4, atol=1e-4)
    assert torch.allclose(whole[1:2], alone, rtol=1e-4, atol=1e-4)


def test_a_tail_goes_on_from_maps_and_from_tokens() -> None:
    spec = I3D(
        weights=Weights("random:1"), window=Window(frames=9), **{**SMALL, "taps": ("Mixed_4f", "Mixed_5b", "Mixed_5c")}
    )
    shown = torch.randint(0, 256, (2, 9, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        found = spec.build({})(shown)
        for tap in ("Mixed_4f", "Mixed_5b"):
            again = spec.tail(tap, {})(found[tap])["Mixed_5c"]
            assert torch.allclose(again, found["Mixed_5c"], rtol=1e-4, atol=1e-4)
    assert found["Mixed_5b"].shape == (2, 2, 832)


def test_a_file_without_batch_counters_loads(keep: Callable[..., Any]) -> None:
    with torch.device("meta"):
        expected = InceptionI3d().state_dict()
    state = {key: torch.ones(x.shape) for key, x in expected.items() if not key.endswith("num_batches_tracked")}
    weights, files = keep(state, "old.pt")
    network = load(lambda found: InceptionI3d(), weights, files)
    assert len(network.state_dict()) == 344
    assert (network.state_dict()["Mixed_3b.b0.bn.num_batches_tracked"]) == 0


def test_the_flow_stream_sees_the_fields_of_another_extractor(
    pins: Callable[..., Any], keep: Callable[..., Any]
) -> None:
    published, pin = pins("i3d_flow"), "t16_h112_w112"
    weights, files = keep({f"module.{key}": x for key, x in published.state().items()}, "flow_imagenet.pt")
    flow = DIS(picture=Picture("height", 120), window=Window(frames=2, edge="drop", fps=25.0))
    taps = tuple(published.pins[pin]["taps"])
    spec = I3D(weights=weights, sees=flow, size=112, taps=taps, precision="float32")
    assert spec.needs() == {"flow": flow}
    fields = clip(published.pins[pin]).permute(0, 2, 1, 3, 4) * 20
    wide = torch.full((1, 16, 2, 120, 160), 99.0)
    wide[..., 4:116, 24:136] = fields
    with torch.inference_mode():
        published.check(pin, spec.build(files)(flow=wide))
    assert spec.box(160, 120) == pytest.approx((24 / 160, 4 / 120, 136 / 160, 116 / 120))


def test_flow_is_cut_at_20_pixels() -> None:
    spec = I3D(weights=Weights("random:1"), sees=DIS(window=Window(frames=2, fps=25.0)), taps=("Mixed_5c",))
    shown = torch.full((1, 16, 2, 240, 240), 5.0)
    shown[:, :, 1] = -31.0
    found = spec.prepare()(shown)
    assert found.shape == (1, 2, 16, 224, 224)
    assert found[0, :, 0, 0, 0].tolist() == [0.25, -1.0]
    with pytest.raises(BadRequest, match=r"expected fields \(2, height, width\)"):
        spec.prepare()(torch.zeros(1, 16, 240, 240, 3))


def test_published_files_belong_to_a_stream() -> None:
    rgb, flow = ({"sees": one} for one in (None, DIS()))
    assert [file.name for file in I3D.published if file.fits(rgb)] == ["rgb_imagenet.pt", "rgb_charades.pt"]
    assert [file.name for file in I3D.published if file.fits(flow)] == ["flow_imagenet.pt", "flow_charades.pt"]


def test_the_digest_of_the_stream_of_pictures_is_what_it_was() -> None:
    assert "sees" not in I3D(weights=Weights("random:0")).describe()["fields"]
