"""`hf` gives what `transformers` gives, frame by frame and clip by clip, and can be trained."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformer_models import MODELS, VIT, drawn, made, pixels, reference, saved

from ego.errors import BadRequest
from ego.video import Picture

transformers = pytest.importorskip("transformers")


@pytest.mark.parametrize("kind", MODELS)
def test_every_output_is_that_of_transformers(kind: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / kind, kind)
    _, _, frames, side, before, auto = MODELS[kind]
    spec, files = made(folder)
    assert (spec.window.frames, spec.window.stride, spec.output) == (frames, frames, auto)
    assert (spec.picture, spec.size) == (Picture("short", side + 4), side)
    shown = drawn(spec)
    expected = reference(folder, kind, pixels(shown, side))
    tokens = expected.last_hidden_state
    if kind == "timesformer":  # its tokens run over the frames of a patch first
        patches = tokens[:, 1:].unflatten(1, (-1, frames)).transpose(1, 2).flatten(1, 2)
    elif kind == "hiera":
        patches = expected.reshaped_hidden_states[-1].flatten(1, 2)
    else:
        patches = tokens[:, before:]
    wanted = {"mean": patches.mean(dim=1), "tokens": patches, "pooled": expected.get("pooler_output")}
    wanted["cls"] = tokens[:, 0] if before else None
    for output, value in wanted.items():
        spec, files = made(folder, output=output)
        if value is None:
            with pytest.raises(BadRequest, match=f"output {output}"):
                spec.build(files)(shown)
            continue
        with torch.inference_mode():
            found = spec.build(files)(shown)["feature"]
        assert found.shape == (2, *spec.rows(files)["feature"].shape)
        assert float((found - value).norm() / value.norm()) < 1e-4


def cells(network: Any, shown: torch.Tensor, frame: int, row: int, column: int, cell: int) -> tuple[int, ...]:
    """The place of the grid that changes most when a patch of one frame does."""
    other = shown.clone()
    other[:, frame, row * cell : (row + 1) * cell, column * cell : (column + 1) * cell] ^= 255
    with torch.inference_mode():
        moved = (network(other)["feature"] - network(shown)["feature"]).norm(dim=1)[0]
    return tuple(int(i) for i in np.unravel_index(int(moved.argmax()), tuple(moved.shape)))


@pytest.mark.parametrize("kind", ["videomae", "vjepa2", "timesformer", "vivit", "dinov3_vit"])
def test_the_grid_lies_as_the_picture_does(kind: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / kind, kind)
    spec, files = made(folder, output="grid", picture={"fit": "squash", "size": 32})
    network, shown = spec.build(files), drawn(spec, 1)[:, :, :32, :32]
    assert spec.rows(files)["feature"].kind == "map"
    last = spec.window.frames - 1
    moments = spec.rows(files)["feature"].shape[1] if last else 1
    assert cells(network, shown, last, 0, 1, 16) == ((moments - 1, 0, 1) if last else (0, 1))
    assert cells(network, shown, 0, 1, 0, 16) == ((0, 1, 0) if last else (1, 0))


@pytest.mark.parametrize(("kind", "architecture"), [
    ("videomae", "VideoMAEForVideoClassification"), ("vjepa2", "VJEPA2ForVideoClassification"),
    ("timesformer", "TimesformerForVideoClassification"), ("dinov2", "Dinov2ForImageClassification"),
])  # fmt: skip
def test_a_classifier_sees_what_is_pooled(kind: str, architecture: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / kind, kind, architecture, num_labels=5)
    spec, files = made(folder)
    assert spec.output == "pooled"
    logits, _ = made(folder, output="logits")
    shown = drawn(spec)
    whole = getattr(transformers, architecture).from_pretrained(folder).eval()
    with torch.inference_mode():
        pooled = spec.build(files)(shown)["feature"]
        found = logits.build(files)(shown)["feature"]
        direct = pixels(shown, 32)
        expected = whole(direct if MODELS[kind][2] > 1 else direct[:, 0]).logits
        again = logits.tail("pooled", files)(pooled)["feature"]
    assert found.shape == (2, 5)
    assert torch.allclose(found, expected, atol=1e-4)
    assert torch.allclose(again, expected, atol=1e-4)
    tail = logits.tail("pooled", files).train()
    tail(pooled.clone())["feature"].sum().backward()
    assert all(one.grad.abs().sum() > 0 for one in tail.parameters())
    assert {key.split(".")[1] for key in tail.state_dict()} == {"classifier"}
    assert set(tail.state_dict()) <= set(logits.build(files).state_dict())
    for nowhere in ("tokens", "logits"):
        with pytest.raises(BadRequest, match="expected `pooled` below output logits"):
            logits.tail(nowhere, files)


def test_a_clip_of_another_length_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "one", "videomae")
    spec, files = made(folder, window={"frames": 8}, output="mean")
    with pytest.raises(BadRequest, match="does not take 8 frames of 32 pixels"):
        spec.rows(files)


@pytest.mark.parametrize(("architecture", "config", "grid"), [
    ("SwinForImageClassification", {"embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4,
                                    "patch_size": 4, "image_size": 32}, (32, 4, 4)),
    ("ResNetForImageClassification", {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}, (16, 4, 4)),
    ("DINOv3ConvNextModel", {"hidden_sizes": [8, 8, 8, 16], "depths": [1] * 4}, (16, 1, 1)),
])  # fmt: skip
def test_networks_that_narrow_have_a_grid(
    architecture: str, config: dict[str, Any], grid: tuple[int, ...], tmp_path: Path
) -> None:
    cls = getattr(transformers, architecture)
    cls(cls.config_class(**config)).save_pretrained(tmp_path)
    normal = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 32, "width": 32}, **normal}))
    for output, shape in (("grid", grid), ("mean", grid[:1]), ("auto", grid[:1])):
        spec, files = made(tmp_path, output=output)
        with torch.inference_mode():
            found = spec.build(files)(drawn(spec)[:, :, :, :32])["feature"]
        assert spec.rows(files)["feature"].shape == shape == tuple(found.shape[1:])


def test_a_model_that_hides_patches_at_random_is_refused(tmp_path: Path) -> None:
    config = {**VIT, "decoder_hidden_size": 32, "decoder_num_hidden_layers": 1, "decoder_num_attention_heads": 2}
    transformers.ViTMAEForPreTraining(transformers.ViTMAEConfig(**config)).save_pretrained(tmp_path)
    normal = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 32, "width": 32}, **normal}))
    with pytest.raises(BadRequest, match="hides patches at random"):
        made(tmp_path)


def test_it_can_be_trained(tmp_path: Path) -> None:
    spec, files = made(saved(tmp_path / "one", "dinov2"))
    network = spec.build(files)
    network(drawn(spec))["feature"].square().mean().backward()
    assert all(one.grad is not None for one in network.model.layernorm.parameters())


@pytest.mark.parametrize("kind", MODELS)
def test_random_weights_see_the_picture(kind: str) -> None:
    name, config, _, side, _, auto = MODELS[kind]
    more = {"num_register_tokens": 0} if kind == "dinov3_vit" else {}  # a table of no tokens
    table = transformers.CONFIG_MAPPING[kind](**{**config, **more}).to_dict() | {"architectures": [name]}
    fields = {"config": json.dumps(table), "size": side, "mean": [0.5] * 3, "std": [0.5] * 3}
    spec, files = made("random:3", **fields)
    assert spec.output == auto
    network = spec.build(files)
    with torch.inference_mode():
        rows = network(drawn(spec))["feature"]
    assert torch.isfinite(rows).all()
    assert (rows[0] - rows[1]).norm() > 1e-3 * rows[0].norm()
