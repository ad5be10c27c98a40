"""Small drawn models of `transformers` as folders, and what the library itself gives for them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ego.extractors.hf import Hf
from ego.pipeline.weights import WeightFinder
from ego.spec import from_table

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

Made = tuple[Hf, WeightFinder]


def saved(folder: Path, kind: str, architecture: str = "", processor: Any = None, **more: Any) -> Path:
    """A drawn model as `save_pretrained` writes it, with a processor beside it."""
    name, config, _, side, _, _ = MODELS[kind]
    torch.manual_seed(0)
    made = _library().CONFIG_MAPPING[kind](**config, **more)
    model = getattr(_library(), architecture or name)(made).eval()
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
    model = getattr(_library(), MODELS[kind][0]).from_pretrained(folder).eval()
    seeing = getattr(model, "vision_model", getattr(model, "videomae", model))
    video = MODELS[kind][2] > 1
    more = {"skip_predictor": True} if kind == "vjepa2" else {}
    with torch.inference_mode():
        return seeing(shown if video else shown[:, 0], output_hidden_states=True, **more)


def _library() -> Any:
    import transformers

    return transformers
