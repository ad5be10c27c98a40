"""A lane is one network at work: windows of any video are gathered into batches and computed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.extractors._base import Files, Network
from ego.pipeline.jobs import pictures_of
from ego.sampling import Row

if TYPE_CHECKING:
    from ego.pipeline.ride import Ride

Pixels = NDArray[np.uint8]


@dataclass
class Batch:
    """Windows of one lane: the frames by need, and whose rows they are, in runs of one ride each."""

    lane: "Lane"
    inputs: dict[str, torch.Tensor]
    runs: "list[tuple[Ride, list[Row], list[tuple[int, ...]]]]" = field(default_factory=list)
    filled: int = 0

    def compute(self) -> dict[str, NDArray[Any]]:
        """The lane's arrays for the filled windows, cast to their declared types."""
        return self.lane.compute({name: tensor[: self.filled] for name, tensor in self.inputs.items()})


class Lane:
    """One network of this run: its module on the device and the batch being filled."""

    def __init__(self, extractor: Network, files: Files, device: str, batch: int | None) -> None:
        self.extractor = extractor
        self.arrays = extractor.rows(files)
        self.pictures = pictures_of(extractor)
        self._module = extractor.build(files).to(device).eval()
        self._device, self._rows = device, batch
        self._open: Batch | None = None

    def add(self, ride: "Ride", row: Row, source: tuple[int, ...], frames: Mapping[str, list[Pixels]]) -> list[Batch]:
        """Puts one window into the open batch; gives the batches that are now full.

        Pictures of another size than those before (the next video's) close the batch first.
        """
        full = []
        shapes = {name: (len(pictures), *pictures[0].shape) for name, pictures in frames.items()}
        batch = self._open
        if batch is not None and any(tuple(batch.inputs[name].shape[1:]) != shape for name, shape in shapes.items()):
            full += self.flush()
            batch = None
        if batch is None:
            batch = self._open = self._new(shapes)
        for name, pictures in frames.items():
            np.stack(pictures, out=batch.inputs[name][batch.filled].numpy())
        if not batch.runs or batch.runs[-1][0] is not ride:
            batch.runs.append((ride, [], []))
        batch.runs[-1][1].append(row)
        batch.runs[-1][2].append(source)
        batch.filled += 1
        return full + (self.flush() if batch.filled == len(next(iter(batch.inputs.values()))) else [])

    def flush(self) -> list[Batch]:
        """The open batch, as full as it is."""
        batch, self._open = self._open, None
        return [batch] if batch is not None else []

    def compute(self, inputs: Mapping[str, torch.Tensor]) -> dict[str, NDArray[Any]]:
        """Runs the network on windows and casts its rows; safe to call from several threads."""
        rows = len(next(iter(inputs.values())))
        with torch.inference_mode():
            moved = {name: tensor.to(self._device, non_blocking=True) for name, tensor in inputs.items()}
            outputs = self._module(**moved)
        found = {}
        for name, array in self.arrays.items():
            output = outputs[name]
            if tuple(output.shape) != (rows, *array.shape):
                raise BadRequest(
                    f"{self.extractor.name} gave {tuple(output.shape)} for {name!r}, it declares {(rows, *array.shape)}"
                )
            # bfloat16 has no NumPy twin; float32 holds it exactly
            plain = output.float() if output.is_floating_point() else output
            found[name] = array.cast(plain.cpu().numpy())
        return found

    def _new(self, shapes: Mapping[str, tuple[int, ...]]) -> Batch:
        window_bytes = sum(int(np.prod(shape)) for shape in shapes.values())
        on_gpu = self._device.startswith("cuda")
        rows = self._rows or max(1, min(64 if on_gpu else 16, (256 if on_gpu else 32) * 2**20 // window_bytes))
        inputs = {
            name: torch.empty((rows, *shape), dtype=torch.uint8, pin_memory=on_gpu) for name, shape in shapes.items()
        }
        return Batch(self, inputs)
