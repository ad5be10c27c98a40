"""Reading weights files into a module, without ever running code from a file."""

import hashlib
import pickle
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file

from ego.errors import BadRequest
from ego.fields import Weights

CONTAINERS = ("state_dict", "model_state", "model")
PREFIXES = ("module.", "model.")
LISTED = 6
# what training programs keep beside the tensors: settings, read as plain tables, and scores, read as nothing at all
TABLES = (
    "fvcore.common.config.CfgNode", "yacs.config.CfgNode",
    "pytorch_lightning.utilities.parsing.AttributeDict", "lightning_fabric.utilities.data.AttributeDict",
    "lightning.pytorch.utilities.parsing.AttributeDict", "lightning.fabric.utilities.data.AttributeDict",
)  # fmt: skip
OBJECTS = (
    "argparse.Namespace", "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype",
)  # fmt: skip
SCALES = ("lambda1", "gamma", "layer_scale_parameter")
"""What transformers call the learnt scale of a layer: 0 would switch the layer off."""
_reading = threading.Lock()


Tensors = dict[str, torch.Tensor]


def load(
    make: Callable[[Tensors], torch.nn.Module],
    weights: Weights,
    files: Mapping[Weights, Path],
    above: bool = False,
    rename: Callable[[Tensors], Tensors] = dict,
) -> torch.nn.Module:
    """The module `make` gives for the tensors of a file ({} for `random:SEED`), in eval mode, every tensor filled.

    Keys and shapes must agree exactly. With `above`, the module is the upper part of the network in the
    file: keys below it are passed over. `rename` turns another author's names into the module's.
    """
    if weights.seed is not None:
        module = make({})
        initialise(module, weights.seed)
        return module.eval()
    found = rename(read(files[weights]))
    module = make(found)
    expected = module.state_dict()
    for key in expected.keys() - found.keys():
        norm, _, last = key.rpartition(".")
        # files older than the counter of batches lack it; evaluation never reads it
        if last == "num_batches_tracked" and f"{norm}.running_mean" in found:
            found[key] = expected[key]
    if above:
        held = {key.split(".")[0] for key in expected}
        found = {key: tensor for key, tensor in found.items() if key.split(".")[0] in held}
    check_keys(expected, found, files[weights].name)
    module.load_state_dict(found)
    return module.eval()


def read(path: Path) -> Tensors:
    """The tensors of a safetensors or PyTorch file by key, without containers and `module.` / `model.` prefixes.

    A file that only a pickle able to run code could open, or one without tensors, is a BadRequest.
    """
    return unwrapped(path)[0]


def unwrapped(path: Path) -> tuple[Tensors, tuple[str, ...]]:
    """What `read` gives, and the containers and prefixes it lay in, from the outside in."""
    content, around = _open(path), []
    for _ in CONTAINERS:
        inner = [name for name in CONTAINERS if isinstance(content, Mapping) and name in content]
        if not inner or not isinstance(content[inner[0]], Mapping):
            break
        around.append(inner[0])
        content = content[inner[0]]
    if not isinstance(content, Mapping):
        raise BadRequest(f"got {type(content).__name__} in {path.name}, expected a table of tensors (a state dict)")
    tensors = {str(key): value for key, value in content.items() if isinstance(value, torch.Tensor)}
    if not tensors:
        raise BadRequest(f"got no tensors in {path.name}, expected a state dict or one under {', '.join(CONTAINERS)}")
    plain = _without_prefixes(tensors)
    stripped = next(iter(tensors)).removesuffix(next(iter(plain)))
    return plain, (*around, *([stripped] if stripped else []))


class Nothing:
    """Stands for an object beside the tensors: made of anything, it runs nothing and tells nothing."""

    def __init__(self, *parts: Any) -> None:
        """Nothing."""

    def __setstate__(self, state: Any) -> None:
        """Nothing."""


def _open(path: Path) -> Any:
    try:
        if _is_safetensors(path):
            return load_file(path)
        beside: list[Callable[..., Any] | tuple[Callable[..., Any], str]] = [
            *((OrderedDict, name) for name in TABLES),
            *((Nothing, name) for name in OBJECTS),
        ]
        # torch keeps one list of what may stand in a file for all threads
        with _reading, torch.serialization.safe_globals(beside):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise BadRequest(f"the weights file {path} is gone; put it back or name another") from error
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError, OSError, SafetensorError) as error:
        raise BadRequest(
            f"{path.name} does not open as plain tensors ({_first_line(error)}); other pickles (such as Caffe2 .pkl "
            "files) can run code and are not opened: where you trust the file, save its state dict as .safetensors"
        ) from error


def _is_safetensors(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and int.from_bytes(start[:8], "little") <= path.stat().st_size - 8


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:120]


def _without_prefixes(tensors: Tensors) -> Tensors:
    shared = next((prefix for prefix in PREFIXES if all(key.startswith(prefix) for key in tensors)), None)
    if shared is None:
        return tensors
    return _without_prefixes({key.removeprefix(shared): tensor for key, tensor in tensors.items()})


class KeysDiffer(BadRequest):
    """A file's tensors are not those of the network; `differences` lists every key by what is wrong with it."""

    def __init__(self, text: str, differences: Mapping[str, list[str]]) -> None:
        super().__init__(text)
        self.differences = {what: keys for what, keys in differences.items() if keys}


def check_keys(expected: Mapping[str, torch.Tensor], found: Mapping[str, torch.Tensor], name: str) -> None:
    """Nothing, or one BadRequest that lists what is missing, unexpected and of another shape."""
    missing = [key for key in expected if key not in found]
    unexpected = [key for key in found if key not in expected]
    mis_shaped = [
        f"{key} {tuple(found[key].shape)} instead of {tuple(expected[key].shape)}"
        for key in expected
        if key in found and found[key].shape != expected[key].shape
    ]
    parts = {"missing": missing, "unexpected": unexpected, "of another shape": mis_shaped}
    words = [f"{len(keys)} {what}: {_some(keys)}" for what, keys in parts.items() if keys]
    if words:
        raise KeysDiffer(
            f"{name} holds {len(found)} tensors, {len(expected)} were expected; {'; '.join(words)}; "
            "name the file of this network, or set the fields it was made with",
            parts,
        )


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:LISTED]) + (f" and {len(keys) - LISTED} more" if len(keys) > LISTED else "")


def initialise(module: torch.nn.Module, seed: int) -> None:
    """Fills `module` with random weights that depend on the seed and each tensor's key alone, on any machine.

    Tensors of two and more axes are normal with variance 2 / fan-in (He et al. 2015); norms and the scales of
    layers are the identity, biases and counters 0.
    """
    with torch.no_grad():
        for key, tensor in module.state_dict().items():
            if not tensor.numel():
                continue  # a network without register tokens has a table of none
            if tensor.ndim >= 2:
                tensor.copy_(torch.from_numpy(_normal(seed, key, tuple(tensor.shape))))
            else:  # the one-dimensional `weight`s are the scales of norms
                tensor.fill_(1 if key.endswith(("weight", "running_var", *SCALES)) else 0)


def _normal(seed: int, key: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    start = int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:8], "little")
    drawn = np.random.Generator(np.random.PCG64(start)).standard_normal(shape, dtype=np.float32)
    return drawn * np.float32((2 / prod(shape[1:])) ** 0.5)
