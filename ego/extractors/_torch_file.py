"""Networks of PyTorch in one file: told apart by what is in the archive, and opened without running code from it."""

import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map

from ego.errors import BadRequest
from ego.extractors._exported import vetted

LEGACY = "serialized_exported_program.json"


class Exported(nn.Module):
    """An exported network, which has one mode only: that it was exported in."""

    def __init__(self, graph: nn.Module, alone: bool) -> None:
        super().__init__()
        self.graph, self._alone = graph, alone
        self.training = False

    def forward(self, x: torch.Tensor) -> Any:
        """What the network gives."""
        if not self._alone or len(x) == 1:
            return self.graph(x)
        return tree_map(lambda *rows: torch.cat(rows), *(self.graph(one[None]) for one in x))

    def train(self, mode: bool = True) -> "Exported":
        """Itself, unchanged: it cannot be trained."""
        return self


def load(path: Path) -> nn.Module:
    """The network of a TorchScript or exported file, on the CPU; any other file is a BadRequest."""
    kind = _kind(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that TorchScript is no longer developed; its files still open
            if kind == "script":
                # TorchScript's reader makes tensors and TorchScript's own types, never a Python object
                script: nn.Module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
                return script.eval()
            program = torch.export.load(vetted(path))
            return Exported(program.module(), _batch(program, path.name))
    except (RuntimeError, ValueError, KeyError, AssertionError, TypeError, AttributeError, zipfile.BadZipFile) as error:
        if isinstance(error, BadRequest):
            raise
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadRequest(
            f"{path.name} cannot be opened by torch {torch.__version__} ({first[:160]}); write it again with this "
            "version"
        ) from error


def _batch(program: torch.export.ExportedProgram, name: str) -> bool:
    """Whether it was exported for one window at a time; one for another fixed number is a BadRequest."""
    inputs = program.graph_signature.user_inputs
    shapes = [
        node.meta["val"].shape for node in program.graph.nodes if node.op == "placeholder" and node.name in inputs
    ]
    if len(shapes) != 1:
        raise BadRequest(f"{name} takes {len(shapes)} tensors, expected a network of one: the pictures")
    batch = shapes[0][0]
    if isinstance(batch, int) and batch != 1:
        raise BadRequest(
            f"{name} was exported for {batch} windows at once, expected 1 or any number; export it with "
            "dynamic_shapes, its first axis free"
        )
    return isinstance(batch, int)


def _kind(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()} | set(archive.namelist())
    except (zipfile.BadZipFile, OSError) as error:
        raise BadRequest(
            f"{path.name} is no whole TorchScript or exported file ({error}); expected what torch.jit.save or "
            "torch.export.save wrote"
        ) from error
    if "archive_format" in names:
        return "exported"
    if "constants.pkl" in names and any(name.startswith("code/") for name in names):
        return "script"
    if LEGACY in names:
        raise BadRequest(f"{path.name} was exported by an older torch; write it again with torch.export.save")
    raise BadRequest(
        f"{path.name} holds tensors or a pickle and no graph, expected what torch.jit.save or torch.export.save wrote; "
        "for a state dict use the extractor of its network, or python_model"
    )
