"""A model folder says what a model is and what it is shown; what is not all there, or runs code, is refused."""

import importlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformer_models import CLIP_MEAN, CLIP_STD, made, reference, saved

from ego.errors import BadRequest
from ego.extractors._model_folder import geometry_beside
from ego.video import Picture

pytest.importorskip("transformers")


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
    kinds = {"CLIP": "clip", "Sigl": "siglip", "Vide": "videomae", "Vivi": "vivit", "BitI": "bit"}
    kind = kinds[name[:4]]
    pil = "pil_" if name.endswith("Pil") else ""
    return getattr(importlib.import_module(f"transformers.models.{kind}.image_processing_{pil}{kind}"), name)


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


@pytest.mark.parametrize(("table", "picture", "size"), [
    ({"size": {"shortest_edge": 292}, "crop_size": 256, "do_center_crop": True}, ("short", 292), 256),
    ({"size": {"height": 224, "width": 224}, "do_center_crop": None}, ("squash", 224), 224),
    ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, ("short", 256), 224),
    ({"size": {"shortest_edge": 384}, "crop_pct": 1.0}, ("squash", 384), 384),
    ({"size": 224, "do_center_crop": True, "crop_size": 224}, ("short", 224), 224),
])  # fmt: skip
def test_processors_say_their_pictures(table: Any, picture: tuple[Any, int], size: int, tmp_path: Path) -> None:
    normal = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "rescale_factor": 1 / 127.5, "offset": True}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps({**table, **normal}))
    found = geometry_beside(tmp_path / "model.safetensors")
    assert found["picture"] == {"fit": picture[0], "size": picture[1]}
    assert found["size"] == size
    assert (255 * found["factor"] - found["mean"][0]) / found["std"][0] == pytest.approx((1 - 0.5) / 0.5)
