"""A lane is one network at work: rows of any video are gathered into batches and computed."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from ego.errors import BadRequest
from ego.extractors._base import Files, Network
from ego.pipeline.engine import Engine, How, Inputs, Tensors
from ego.sampling import Row

if TYPE_CHECKING:
    from ego.pipeline.ride import Ride

Pixels = NDArray[np.uint8]


@dataclass
class Batch(ABC):
    """At most `capacity` rows computed at once for an extractor, and whose they are, in runs of one ride each."""

    extractor: Network
    runs: "list[tuple[Ride, list[Row], list[tuple[int, ...]]]]" = field(default_factory=list)
    filled: int = 0
    capacity: int = field(kw_only=True)

    def count(self, ride: "Ride", row: Row, source: tuple[int, ...]) -> None:
        """Notes whose row came last."""
        if not self.runs or self.runs[-1][0] is not ride:
            self.runs.append((ride, [], []))
        self.runs[-1][1].append(row)
        self.runs[-1][2].append(source)
        self.filled += 1

    @abstractmethod
    def compute(self) -> dict[str, NDArray[Any]]:
        """The extractor's arrays for its rows, cast to their declared types."""


Give = Callable[[Batch], None]


class Lane(ABC):
    """One network of this run: its module on the device and the batch being filled, by several threads in turn."""

    def __init__(self, extractor: Network, module: nn.Module, files: Files, how: How) -> None:
        self.extractor = extractor
        self.arrays = extractor.rows(files)
        self.how = how
        self._engine = Engine(module, how, extractor.name)
        self._open: Batch | None = None
        self._lock = threading.Lock()

    def add(
        self, ride: "Ride", row: Row, source: tuple[int, ...], shown: Mapping[str, Any], give: Callable[[Batch], None]
    ) -> None:
        """Puts one row into the open batch and gives the batches that are full, in the order of their rows.

        What is shown for a need is a list with one array a frame, or one array for the whole row.
        """
        with self._lock:
            batch = self._open = self._with(ride, row, shown, give)
            batch.count(ride, row, source)
            if batch.filled == batch.capacity:
                self._close(give)

    def flush(self, give: Give) -> None:
        """Gives the open batch, as full as it is."""
        with self._lock:
            self._close(give)

    def compute(self, inputs: Tensors, capacity: int) -> dict[str, NDArray[Any]]:
        """Runs the network on rows and casts what it gives; safe to call from several threads."""
        rows = len(next(iter(inputs.values())))
        outputs = self._engine(inputs, capacity)
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

    @abstractmethod
    def _with(self, ride: "Ride", row: Row, shown: Mapping[str, Any], give: Give) -> Batch:
        """The open batch, or a new one, with what the row is computed from in it."""

    def _close(self, give: Give) -> None:
        batch, self._open = self._open, None
        if batch is not None:
            give(batch)


@dataclass
class Windows(Batch):
    """Rows with all that they are shown."""

    lane: "WindowLane" = field(kw_only=True)
    inputs: Inputs = field(kw_only=True)

    def compute(self) -> dict[str, NDArray[Any]]:
        """See `Batch`."""
        return self.lane.compute(self.inputs.tensors(), self.capacity)


class WindowLane(Lane):
    """A network that computes each row from what it is shown for it."""

    def __init__(self, extractor: Network, files: Files, how: How) -> None:
        super().__init__(extractor, extractor.build(files), files, how)

    def _with(self, ride: "Ride", row: Row, shown: Mapping[str, Any], give: Give) -> Windows:
        """Another size than before (the next video's pictures) closes the batch first."""
        batch = self._open
        assert batch is None or isinstance(batch, Windows)
        if batch is not None and not batch.inputs.fit(shown):
            self._close(give)
            batch = None
        if batch is None:
            inputs = Inputs(shown, self.how)
            batch = Windows(self.extractor, lane=self, inputs=inputs, capacity=inputs.capacity)
        batch.inputs.put(shown)
        return batch
