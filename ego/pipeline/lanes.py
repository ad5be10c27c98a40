"""A lane is one network at work: windows of any video are gathered into batches and computed."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from ego.errors import BadRequest
from ego.extractors._base import Files, Network
from ego.sampling import Row

if TYPE_CHECKING:
    from ego.pipeline.ride import Ride

Pixels = NDArray[np.uint8]


@dataclass
class Batch:
    """Windows of one lane: what is shown by need, and whose rows they are, in runs of one ride each."""

    lane: "Lane"
    inputs: dict[str, torch.Tensor]
    runs: "list[tuple[Ride, list[Row], list[tuple[int, ...]]]]" = field(default_factory=list)
    filled: int = 0

    def compute(self) -> dict[str, NDArray[Any]]:
        """The lane's arrays for the filled windows, cast to their declared types."""
        return self.lane.compute({name: tensor[: self.filled] for name, tensor in self.inputs.items()})


class Lane:
    """One network of this run: its module on the device and the batch being filled, by several threads in turn."""

    def __init__(self, extractor: Network, files: Files, device: str, batch: int | None) -> None:
        self.extractor = extractor
        self.arrays = extractor.rows(files)
        self._module = extractor.build(files).to(device).eval()
        self._device, self._rows = device, batch
        self._open: Batch | None = None
        self._lock = threading.Lock()

    def add(
        self, ride: "Ride", row: Row, source: tuple[int, ...], shown: Mapping[str, Any], give: Callable[[Batch], None]
    ) -> None:
        """Puts one window into the open batch and gives the batches that are full, in the order of their rows.

        What is shown for a need is a list with one array a frame, or one array for the whole row. Another
        size than before (the next video's pictures) closes the batch first.
        """
        shapes = {need: _shape(values) for need, values in shown.items()}
        with self._lock:
            batch = self._open
            if batch is not None and any(tuple(batch.inputs[need].shape[1:]) != one for need, one in shapes.items()):
                self._close(give)
            batch = self._open = self._open or self._new(shapes, shown)
            for need, values in shown.items():
                place = batch.inputs[need][batch.filled].numpy()
                if isinstance(values, list):
                    np.stack(values, out=place)
                else:
                    place[...] = values
            if not batch.runs or batch.runs[-1][0] is not ride:
                batch.runs.append((ride, [], []))
            batch.runs[-1][1].append(row)
            batch.runs[-1][2].append(source)
            batch.filled += 1
            if batch.filled == len(next(iter(batch.inputs.values()))):
                self._close(give)

    def flush(self, give: Callable[[Batch], None]) -> None:
        """Gives the open batch, as full as it is."""
        with self._lock:
            self._close(give)

    def _close(self, give: Callable[[Batch], None]) -> None:
        batch, self._open = self._open, None
        if batch is not None:
            give(batch)

    def compute(self, inputs: Mapping[str, torch.Tensor]) -> dict[str, NDArray[Any]]:
        """Runs the network on windows and casts its rows; safe to call from several threads."""
        rows = len(next(iter(inputs.values())))
        with torch.inference_mode():
            moved = {name: tensor.to(self._device, non_blocking=True) for name, tensor in inputs.items()}
            outputs = self._module(**moved)
        found = {}
        for name, array in self.arrays.items():
            output = outputs[name]
            if len(output) != rows or not array.fits(tuple(output.shape[1:])):
                raise BadRequest(
                    f"{self.extractor.name} gave {tuple(output.shape)} for {name!r}, it declares {(rows, *array.shape)}"
                )
            # bfloat16 has no NumPy twin; float32 holds it exactly
            plain = output.float() if output.is_floating_point() else output
            found[name] = array.cast(plain.cpu().numpy())
        return found

    def _new(self, shapes: Mapping[str, tuple[int, ...]], shown: Mapping[str, Any]) -> Batch:
        first = {need: values[0] if isinstance(values, list) else values for need, values in shown.items()}
        kinds = {need: np.asarray(values).dtype for need, values in first.items()}
        window_bytes = sum(int(np.prod(shapes[need])) * kind.itemsize for need, kind in kinds.items())
        on_gpu = self._device.startswith("cuda")
        rows = self._rows or max(1, min(64 if on_gpu else 16, (256 if on_gpu else 32) * 2**20 // max(window_bytes, 1)))
        inputs = {
            need: torch.empty((rows, *shapes[need]), dtype=torch.from_numpy(np.empty(0, kind)).dtype, pin_memory=on_gpu)
            for need, kind in kinds.items()
        }
        return Batch(self, inputs)


def _shape(values: Any) -> tuple[int, ...]:
    """The shape of what one row is shown for one need."""
    return (len(values), *values[0].shape) if isinstance(values, list) else tuple(np.shape(values))
