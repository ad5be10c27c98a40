"""A network's module on its device, and the memory that what it is shown is gathered in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from ego.errors import BadRequest

Tensors = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class How:
    """Where networks run, how many rows at once (None: as many as fit) and whether they are compiled first."""

    device: str = "cpu"
    batch: int | None = None
    compiled: bool = False

    @property
    def on_gpu(self) -> bool:
        """Whether the device is a GPU."""
        return self.device.startswith("cuda")

    def rows(self, row_bytes: int) -> int:
        """How many rows of so many bytes go into one batch."""
        # maps grow to ten times the pixels; above 32 MB malloc fetches them from the system each time, page by page
        most, room = (64, 256 * 2**20) if self.on_gpu else (16, 4 * 2**20)
        return self.batch or max(1, min(most, room // max(row_bytes, 1)))


class Engine:
    """A module on its device, in eval mode, called from several threads."""

    def __init__(self, module: nn.Module, how: How, name: str) -> None:
        self._how, self._name = how, name
        self._module = module.to(how.device).eval()
        # one shape, so on a GPU the kernels are recorded once and replayed as a CUDA graph
        mode = "reduce-overhead" if how.on_gpu else "default"
        self._compiled = torch.compile(self._module, dynamic=False, mode=mode) if how.compiled else None

    def __call__(self, inputs: Tensors, capacity: int) -> dict[str, torch.Tensor]:
        """What the module gives for these rows, on its device; a compiled one is always shown `capacity` rows."""
        with torch.inference_mode():
            moved = {name: tensor.to(self._how.device, non_blocking=True) for name, tensor in inputs.items()}
            return dict(self._module(**moved)) if self._compiled is None else self._replay(moved, capacity)

    def _replay(self, moved: Tensors, capacity: int) -> dict[str, torch.Tensor]:
        from torch._dynamo.exc import BackendCompilerFailed  # here, not above: it takes a second

        assert self._compiled is not None
        rows = len(next(iter(moved.values())))
        filled = {name: _filled(tensor, capacity) for name, tensor in moved.items()}
        if self._how.on_gpu:
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        try:
            found = self._compiled(**filled)
        except BackendCompilerFailed as error:
            last = (str(error).strip().splitlines() or [""])[0]
            raise BadRequest(f"{self._name} cannot be compiled here ({last[:160]}); leave --compile out") from error
        # a graph writes its next answer where this one lies
        return {name: output[:rows].clone() for name, output in found.items()}


class Inputs:
    """What rows show a network, by need, side by side in memory as they come."""

    def __init__(self, shown: Mapping[str, Any], how: How) -> None:
        first = {need: np.asarray(values[0] if isinstance(values, list) else values) for need, values in shown.items()}
        row_bytes = sum(int(np.prod(_shape(shown[need]))) * one.dtype.itemsize for need, one in first.items())
        self.capacity = how.rows(row_bytes)
        self.shapes = tuple(_shape(values) for values in shown.values())
        self.filled = 0
        # page-locked memory goes to the GPU while it computes the batch before
        self._tensors = {
            need: torch.empty(
                (self.capacity, *_shape(shown[need])),
                dtype=torch.from_numpy(np.empty(0, one.dtype)).dtype,
                pin_memory=how.on_gpu,
            )
            for need, one in first.items()
        }

    def fit(self, shown: Mapping[str, Any]) -> bool:
        """Whether a row has the shapes of those that are here."""
        return all(tuple(self._tensors[need].shape[1:]) == _shape(values) for need, values in shown.items())

    def put(self, shown: Mapping[str, Any]) -> None:
        """Copies one row: for each need a list with one array a frame, or one array for the whole row."""
        for need, values in shown.items():
            place = self._tensors[need][self.filled].numpy()
            if isinstance(values, list):
                np.stack(values, out=place)
            else:
                place[...] = values
        self.filled += 1

    def tensors(self) -> dict[str, torch.Tensor]:
        """The rows that are here, by need."""
        return {need: tensor[: self.filled] for need, tensor in self._tensors.items()}


def _shape(values: Any) -> tuple[int, ...]:
    """The shape of what one row is shown for one need."""
    return (len(values), *values[0].shape) if isinstance(values, list) else tuple(np.shape(values))


def _filled(rows: torch.Tensor, capacity: int) -> torch.Tensor:
    """`capacity` rows: these, then zeros."""
    missing = capacity - len(rows)
    return torch.cat([rows, rows.new_zeros((missing, *rows.shape[1:]))]) if missing else rows
