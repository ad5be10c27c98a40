"""Networks made by functions of other packages."""

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from torch import nn

from ego.errors import BadRequest
from ego.extractors._weights import PREFIXES, Tensors, load
from ego.fields import Weights


def make(factory: str, options: str, weights: Weights | None, files: Mapping[Weights, Path]) -> nn.Module:
    """The module that `package.module:function` gives for a JSON table of options, filled exactly and in eval mode."""
    found = _function(factory)(**_table(options, factory))
    if not isinstance(found, nn.Module):
        raise BadRequest(f"got {type(found).__name__} from {factory}, expected it to give a torch.nn.Module")
    if weights is None:
        return found.eval()

    def named(tensors: Tensors) -> Tensors:
        keys = list(found.state_dict())
        shared = next((prefix for prefix in PREFIXES if keys and all(key.startswith(prefix) for key in keys)), "")
        return {shared + key: tensor for key, tensor in tensors.items()}

    return load(lambda _: found, weights, files, rename=named)


def _function(factory: str) -> Any:
    name, _, function = factory.partition(":")
    try:
        module = import_module(name)
    except ImportError as error:
        raise BadRequest(
            f"{factory} cannot be imported ({error}); install its package beside ego, or put its folder on $PYTHONPATH"
        ) from error
    made = getattr(module, function, None)
    if not callable(made):
        offered = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise BadRequest(f"{name} has no function {function!r}; it offers: {', '.join(offered[:16]) or 'none'}")
    return made


def _table(options: str, factory: str) -> dict[str, Any]:
    try:
        table = json.loads(options)
    except ValueError as error:
        raise BadRequest(f"got options {options!r:.80} for {factory} ({error}), expected a JSON table") from error
    if not isinstance(table, dict):
        raise BadRequest(f"got options {options!r:.80} for {factory}, expected a JSON table of its arguments")
    return table
