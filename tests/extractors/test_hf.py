"""`hf` gives what `transformers` gives, for what its own processors show it, and refuses what is not all there."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ego.errors import BadRequest
from ego.extractors.hf import Hf
from ego.pipeline.weights import WeightFinder
from ego.spec import from_table
from ego.video import Picture

transformers = pytest.importorskip("transformers")

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
VIT = {"image_size": 32, "patch_size": 16, **SMALL}
TEXT = {**SMALL, "vocab_size": 50, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 2}
TUBES = {**VIT, "num_frames": 4, "tubelet_size": 2}
JEPA = {
    "patch_size": 16, "crop_size": 32, "frames_per_clip": 4, "tubelet_size": 2, "hidden_size": 48, "mlp_ratio": 2,
    "num_hidden_layers": 2, "num_attention_heads": 2, "pred_hidden_size": 48, "pred_num_attention_heads": 2,
    "pred_num_hidden_layers": 1,
}  # fmt: skip
HIERA = {"image_size": [64, 64], "patch_size": [7, 7], "embed_dim": 16, "depths": [1] * 4, "num_heads": [1, 2, 2, 4]}
DINO = {"image_size": 32, "patch_size": 16, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
# model -> class, configuration, frames, side, tokens before the patches, and what `auto` gives
MODELS: dict[str, tuple[str, dict[str, Any], int, int, int, str]] = {
    "videomae": ("VideoMAEForPreTraining", TUBES, 4, 32, 0, "mean"),
    "vjepa2": ("VJEPA2Model", JEPA, 4, 32, 0, "mean"),
    "timesformer": ("TimesformerModel", {**VIT, "num_frames": 3}, 3, 32, 1, "cls"),
    "vivit": ("VivitModel", {**TUBES, "tubelet_size": [2, 16, 16]}, 4, 32, 1, "pooled"),
    "clip": ("CLIPModel", {"vision_config": VIT, "text_config": TEXT}, 1, 32, 1, "pooled"),
    "siglip": ("SiglipModel", {"vision_config": VIT, "text_config": TEXT}, 1, 32, 0, "pooled"),
    "dinov2": ("Dinov2Model", {**DINO, "mlp_ratio": 2}, 1, 32, 1, "pooled"),
    "dinov3_vit": ("DINOv3ViTModel", {**VIT, "num_register_tokens": 2}, 1, 32, 3, "pooled"),
    "hiera": ("HieraModel", HIERA, 1, 64, 0, "pooled"),
}
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
PROCESSOR = {"do_resize": True, "do_center_crop": True, "image_mean": CLIP_MEAN, "image_std": CLIP_STD}

Saved = Callable[..., Path]
Made = tuple[Hf, WeightFinder]


def saved(folder: Path, kind: str, architecture: str = "", processor: Any = None, **more: Any) -> Path:
    """A drawn model as `save_pretrained` writes it, with a processor beside it."""
    name, config, _, side, _, _ = MODELS[kind]
    torch.manual_seed(0)
    made = transformers.CONFIG_MAPPING[kind](**config, **more)
    model = getattr(transformers, architecture or name)(made).eval()
    for parameter in model.parameters():  # norms and scales that are the identity would hide a missing one
        parameter.data += 0.02 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    size = {"size": {"shortest_edge": side + 4}, "crop_size": {"height": side, "width": side}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor or {**PROCESSOR, **size}))
    return folder


def made(folder: Path | str, **fields: Any) -> Made:
    finder = WeightFinder()
    table = finder.fill(Hf, {"weights": str(folder), "precision": "float32", **fields})
    return from_table(Hf, table, "hf"), finder


def drawn(spec: Hf, count: int = 2) -> torch.Tensor:
    side = spec.needs()["frames"].size
    shape = (count, spec.window.frames, side, side + 6, 3)
    return torch.from_numpy(np.random.default_rng(3).integers(0, 256, shape, np.uint8))


def pixels(frames: torch.Tensor, side: int) -> torch.Tensor:
    """What the documented arithmetic of the processors makes of frames: (B, T, 3, side, side)."""
    top, left = ((length - side) // 2 for length in frames.shape[2:4])
    cut = frames[:, :, top : top + side, left : left + side].double() / 255
    return ((cut - torch.tensor(CLIP_MEAN)) / torch.tensor(CLIP_STD)).permute(0, 1, 4, 2, 3).float()


def reference(folder: Path, kind: str, shown: torch.Tensor) -> Any:
    """What `transformers` gives, loaded and called directly."""
    model = getattr(transformers, MODELS[kind][0]).from_pretrained(folder).eval()
    seeing = getattr(model, "vision_model", getattr(model, "videomae", model))
    video = MODELS[kind][2] > 1
    more = {"skip_predictor": True} if kind == "vjepa2" else {}
    with torch.inference_mode():
        return seeing(shown if video else shown[:, 0], output_hidden_states=True, **more)


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


@pytest.mark.parametrize("kind", ["clip", "siglip", "videomae", "vivit", "dinov2"])
def test_its_own_processor_shows_it_the_same(kind: str, tmp_path: Path) -> None:
    from PIL import Image

    name = {
        "clip": "CLIPImageProcessorPil", "siglip": "SiglipImageProcessorPil", "dinov2": "BitImageProcessorPil",
        "videomae": "VideoMAEImageProcessorPil", "vivit": "VivitImageProcessor",
    }[kind]  # fmt: skip
    whole = {"size": {"height": 32, "width": 32}}
    cut = {"size": {"shortest_edge": 40}, "crop_size": {"height": 32, "width": 32}}
    processor = _class(name)(**(whole if kind == "siglip" else cut))
    folder = saved(tmp_path / kind, kind, processor=processor.to_dict())
    spec, files = made(folder)
    picture = spec.needs()["frames"]
    high, wide = (32, 32) if kind == "siglip" else (40, 46)
    assert picture == Picture("squash" if kind == "siglip" else "short", high)
    shape = (1, spec.window.frames, high, wide, 3)
    shown = torch.from_numpy(np.random.default_rng(5).integers(0, 256, shape, np.uint8))
    images = [Image.fromarray(frame.numpy()) for frame in shown[0]]
    seen = processor(images, return_tensors="pt")["pixel_values"].reshape(1, spec.window.frames, 3, 32, 32)
    expected = reference(folder, kind, seen)
    value = expected.last_hidden_state.mean(dim=1) if kind == "videomae" else expected.pooler_output
    with torch.inference_mode():
        found = spec.build(files)(shown)["feature"]
    assert float((found - value).norm() / value.norm()) < 1e-4


def _class(name: str) -> Any:
    import importlib

    kinds = {"CLIP": "clip", "Sigl": "siglip", "Vide": "videomae", "Vivi": "vivit", "BitI": "bit"}
    kind = kinds[name[:4]]
    pil = "pil_" if name.endswith("Pil") else ""
    return getattr(importlib.import_module(f"transformers.models.{kind}.image_processing_{pil}{kind}"), name)


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
        again = whole.classifier(pooled)
    assert found.shape == (2, 5)
    assert torch.allclose(found, expected, atol=1e-4)
    assert torch.allclose(again, expected, atol=1e-4)


def test_the_folder_says_the_fields_and_the_digest(tmp_path: Path) -> None:
    folder = saved(tmp_path / "one", "videomae")
    spec, _ = made(folder)
    by_file, _ = made(folder / "model.safetensors")
    assert by_file.digest == spec.digest
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "transformers_version": "0", "id2label": {"0": "a"}}))
    assert made(folder)[0].digest != spec.digest  # another number of classes
    (folder / "config.json").write_text(json.dumps({**config, "transformers_version": "0", "dtype": "float16"}))
    assert made(folder)[0].digest == spec.digest
    (folder / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 1e-6}))
    assert made(folder)[0].digest != spec.digest
    state = load_file(folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(config))
    save_file({key: tensor + 1 for key, tensor in state.items()}, folder / "model.safetensors")
    assert made(folder)[0].digest != spec.digest


def test_missing_and_unexpected_blocks_are_listed(tmp_path: Path) -> None:
    folder = saved(tmp_path / "one", "dinov2")
    state = load_file(folder / "model.safetensors")
    lost = {key: tensor for key, tensor in state.items() if "layer.1." not in key}
    save_file({**lost, "neck.weight": torch.zeros(2)}, folder / "model.safetensors")
    spec, files = made(folder)
    with pytest.raises(BadRequest, match=r"\d+ missing: .*layer\.1\..*; 1 unexpected: neck\.weight"):
        spec.build(files)
    save_file({**state, "layernorm.weight": torch.zeros(7)}, folder / "model.safetensors")
    spec, files = made(folder)
    with pytest.raises(BadRequest, match=r"1 of another shape: .*layernorm\.weight"):
        spec.build(files)


def test_what_is_not_understood_is_one_sentence(tmp_path: Path) -> None:
    folder = saved(tmp_path / "one", "dinov2")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "brain", "auto_map": {"AutoModel": "x.Y"}}))
    with pytest.raises(BadRequest, match="does not know and whose own code is not run"):
        made(folder)
    (folder / "config.json").write_text(json.dumps({**config, "architectures": ["os.system"]}))
    with pytest.raises(BadRequest, match=r"architecture 'os\.system'"):
        made(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(BadRequest, match="no JSON"):
        made(folder)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadRequest, match="2 frames for dinov2, which sees one"):
        made(folder, window={"frames": 2}, output="cls")[0].rows({})
    (folder / "preprocessor_config.json").unlink()
    for fields in ({}, {"size": 32}):
        with pytest.raises(BadRequest, match=r"set hf\.size, hf\.mean and hf\.std"):
            made(folder, **fields)
    assert made(folder, size=32, mean=CLIP_MEAN, std=CLIP_STD)[0].picture == Picture("squash", 32)
    (folder / "config.json").unlink()
    with pytest.raises(BadRequest, match=r"config\.json"):
        made(folder / "model.safetensors")


def test_bad_weights_run_nothing(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    folder = saved(tmp_path / "one", "dinov2")
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    spec, files = made(folder)
    with pytest.raises(BadRequest, match=r"model\.safetensors does not open as plain tensors"):
        spec.build(files)
    (folder / "model.safetensors").unlink()
    torch.save({"weights": Bomb()}, folder / "pytorch_model.bin")
    spec, files = made(folder)
    with pytest.raises(BadRequest, match=r"pytorch_model\.bin does not open as plain tensors"):
        spec.build(files)
    assert not (tmp_path / "ran").exists()
    other = saved(tmp_path / "other", "siglip")
    (folder / "pytorch_model.bin").unlink()
    (folder / "model.safetensors").write_bytes((other / "model.safetensors").read_bytes())
    spec, files = made(folder)
    with pytest.raises(BadRequest, match=r"missing: .*; \d+ unexpected: "):
        spec.build(files)


def test_a_clip_of_another_length_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "one", "videomae")
    spec, files = made(folder, window={"frames": 8}, output="mean")
    with pytest.raises(BadRequest, match="does not take 8 frames of 32 pixels"):
        spec.rows(files)


@pytest.mark.parametrize(("table", "picture", "size"), [
    ({"size": {"shortest_edge": 292}, "crop_size": 256, "do_center_crop": True}, ("short", 292), 256),
    ({"size": {"height": 224, "width": 224}, "do_center_crop": None}, ("squash", 224), 224),
    ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, ("short", 256), 224),
    ({"size": {"shortest_edge": 384}, "crop_pct": 1.0}, ("squash", 384), 384),
    ({"size": 224, "do_center_crop": True, "crop_size": 224}, ("short", 224), 224),
])  # fmt: skip
def test_processors_say_their_pictures(table: Any, picture: tuple[Any, int], size: int, tmp_path: Path) -> None:
    from ego.extractors._model_folder import geometry_beside

    normal = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "rescale_factor": 1 / 127.5, "offset": True}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**table, **normal}))
    found = geometry_beside(tmp_path / "model.safetensors")
    assert found["picture"] == {"fit": picture[0], "size": picture[1]}
    assert found["size"] == size
    assert (255 * found["factor"] - found["mean"][0]) / found["std"][0] == pytest.approx((1 - 0.5) / 0.5)


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
