"""What lies beside the weights in a model folder of `transformers`: its configuration, its pictures, its classes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ego.errors import BadRequest
from ego.spec import canonical_json

CONFIG = "config.json"
PROCESSORS = ("video_preprocessor_config.json", "preprocessor_config.json")
ASIDE = ("transformers_version", "torch_dtype", "dtype", "_name_or_path", "_commit_hash", "auto_map", "label2id")
"""Entries of a configuration that change no number."""
SMALL = 384
"""Models of the ConvNeXt kind crop by a share below this side in pixels, and squash from it on."""


def canonical_config(text: str, where: str) -> str:
    """A configuration as it is held in a spec: one text for one meaning, class names counted rather than told."""
    try:
        table = json.loads(text)
    except ValueError as error:
        raise BadRequest(f"got {where} that is no JSON ({error}), expected the config.json of a model") from error
    if not isinstance(table, dict) or not isinstance(table.get("model_type"), str):
        raise BadRequest(f"got {where} without a model_type, expected the config.json of a transformers model")
    kept = {key: value for key, value in table.items() if key not in ASIDE}
    names = kept.pop("id2label", None)
    if isinstance(names, Mapping):
        kept["num_labels"] = len(names)
    return canonical_json(kept)


def config_beside(weights: Path) -> str:
    """The configuration beside a weights file; none is a BadRequest."""
    path = weights.parent / CONFIG
    if not path.is_file():
        raise BadRequest(
            f"got {weights.name} without a {CONFIG} beside it, expected the folder that `save_pretrained` wrote or a "
            "hub's snapshot; name the folder, or put both files into one"
        )
    return canonical_config(path.read_text(), str(path))


def class_names_beside(weights: Path) -> list[str] | None:
    """The names of the classes in `id2label` of the configuration, in order; None where it has none."""
    path = weights.parent / CONFIG
    if not path.is_file():
        return None
    names = json.loads(path.read_text()).get("id2label")
    if not isinstance(names, Mapping):
        return None
    return [str(names[key]) for key in sorted(names, key=int)]


def geometry_beside(weights: Path) -> dict[str, Any]:
    """`picture`, `size`, `factor`, `mean` and `std` as the processor beside a weights file has them; {} without one."""
    path = next((weights.parent / name for name in PROCESSORS if (weights.parent / name).is_file()), None)
    if path is None:
        return {}
    try:
        table = json.loads(path.read_text())
        return {**_picture(table), **_scaling(table)}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest(
            f"{path} does not say its pictures in a way that is understood ({error!r}); set picture, size, factor, "
            "mean and std"
        ) from error


def _picture(table: Mapping[str, Any]) -> dict[str, Any]:
    crop = _side(table["crop_size"]) if table.get("do_center_crop") and table.get("crop_size") else None
    size = table["size"]
    if isinstance(size, Mapping) and "shortest_edge" not in size:
        whole = _side(size)
        return {"picture": {"fit": "squash", "size": whole}, "size": crop or whole}
    short = int(size["shortest_edge"] if isinstance(size, Mapping) else size)
    if table.get("crop_pct") and short < SMALL:
        return {"picture": {"fit": "short", "size": int(short / table["crop_pct"])}, "size": short}
    if table.get("crop_pct"):
        return {"picture": {"fit": "squash", "size": short}, "size": short}
    return {"picture": {"fit": "short", "size": short}, "size": crop or short}


def _side(size: Any) -> int:
    height, width = (size["height"], size["width"]) if isinstance(size, Mapping) else (size, size)
    if height != width:
        raise ValueError(f"{height}x{width} is no square")
    return int(height)


def _scaling(table: Mapping[str, Any]) -> dict[str, Any]:
    """((bytes * factor) - mean) / std; a processor that shifts to [-1, 1] first has that in its mean."""
    factor = float(table.get("rescale_factor", 1 / 255)) if table.get("do_rescale", True) else 1.0
    normalise = table.get("do_normalize", True)
    shift = 1.0 if table.get("offset") else 0.0
    mean = [float(one) + shift for one in table["image_mean"]] if normalise else [shift] * 3
    return {"factor": factor, "mean": mean, "std": list(map(float, table["image_std"])) if normalise else [1.0] * 3}
