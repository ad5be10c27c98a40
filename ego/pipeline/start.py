"""A head that begins with the weights of another run, as the second stage of Ego-RNN begins with those of its first."""

import json
from collections.abc import Collection
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from ego.errors import BadRequest
from ego.extractors._base import Files
from ego.heads._base import Head
from ego.pipeline.tails import WithTails

PARTS = ("head.", "tails.")


def begun(module: nn.Module, head: Head, files: Files, tested: Collection[str]) -> nn.Module:
    """The module with the weights that `head.start` names; without one, as it is.

    What the file lacks begins as drawn; tensors that the module has not, or of another shape, are a BadRequest, and so
    is a file that was trained on one of the videos that are `tested` (digests).
    """
    if head.start is None:
        return module
    if head.start.seed is not None:
        raise BadRequest(
            f"got head.start = {head.start!r}, expected the weights file of a run; leave it out for random ones"
        )
    path = files[head.start]
    trained_on = _trained_on(path) & set(tested)
    if trained_on:
        raise BadRequest(
            f"head.start was trained on {len(trained_on)} of the videos that are tested here; name the file of a run, "
            "and of its fold, that left them out"
        )
    found = {_key(key, module): x for key, x in _tensors(path).items()}
    own = module.state_dict()
    strange = [key for key, x in found.items() if key not in own or own[key].shape != x.shape]
    if strange:
        raise BadRequest(
            f"head.start holds {len(found)} tensors, of which this head has not: {', '.join(strange[:6])}; name the "
            "file of a run of such a head, with the same fields"
        )
    module.load_state_dict(found, strict=False)
    return module


def _key(key: str, module: nn.Module) -> str:
    """A tensor's name in a module with tails or without, whichever the file is of."""
    if isinstance(module, WithTails):
        return key if key.startswith(PARTS) else f"head.{key}"
    return key.removeprefix("head.")


def _tensors(path: Path) -> dict[str, torch.Tensor]:
    with _opened(path) as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


def _trained_on(path: Path) -> set[str]:
    """The digests of the videos that a run's file says it was trained on."""
    with _opened(path) as file:
        about = json.loads((file.metadata() or {}).get("ego", "{}"))
    return {digest for digest, _ in about.get("trained_on", [])}


def _opened(path: Path) -> safe_open:
    try:
        return safe_open(path, "pt")
    except (SafetensorError, OSError) as error:
        raise BadRequest(f"head.start names {path.name}, which is no safetensors file of a run ({error})") from error
