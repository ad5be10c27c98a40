"""Networks on overlapping windows: what their rows have in common is computed once for each video.

    frames      0    1    2    3    4  ...          pixels, each shown once to the shared network
    cells      [0]  [1]  [2]  [3]  [4] ...          its rows, kept for as long as the frames they are of
    a row       x    x    x                         of one lane: gathered, and computed above the shared network
    a row            x    x    x                    of the same lane, or of another on another window

Cells are of one frame each, of the few that a stem sees of a moment, or of a whole window: then several settings
of one network share whole rows.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ego.extractors._base import Files, Network, Shared
from ego.pipeline.engine import Engine, How, Inputs, Tensors
from ego.pipeline.lanes import Batch, Give, Lane, WindowLane
from ego.pipeline.needs import pictures_of
from ego.sampling import Row

if TYPE_CHECKING:
    from ego.pipeline.ride import Ride


@dataclass
class _Cells(Batch):
    """Rows of a shared network on their way: `cells` are given theirs when they are computed."""

    engine: Engine = field(kw_only=True)
    inputs: Inputs | None = field(kw_only=True)
    shapes: tuple[tuple[int, ...], ...] = field(kw_only=True)
    capacity: int = field(kw_only=True)
    cells: "list[Cell]" = field(default_factory=list)
    done: "Future[None]" = field(default_factory=Future)

    def compute(self) -> dict[str, NDArray[Any]]:
        """No rows of anybody's: whoever needs them gathers them. Pixels are not needed any more."""
        inputs, self.inputs = self.inputs, None
        assert inputs is not None
        try:
            found = self.engine(inputs.tensors(), self.capacity)
            with torch.inference_mode():
                for place, cell in enumerate(self.cells):  # each its own memory: some are kept longer than others
                    cell.arrays = {name: output[place].clone() for name, output in found.items()}
            self.cells = []
            self.done.set_result(None)
        except BaseException as error:
            self.done.set_exception(error)
            raise
        return {}


@dataclass(eq=False)
class Cell:
    """One row of a shared network; its batch is given before whoever gathers it."""

    batch: _Cells
    arrays: Tensors = field(default_factory=dict)

    def of(self, array: str) -> torch.Tensor:
        """(*shape) once it is computed, on its device."""
        self.batch.done.result()
        return self.arrays[array]


class SharedNetwork:
    """A network whose rows several lanes gather; fed by the feeding thread alone."""

    def __init__(self, network: Network, files: Files, how: How) -> None:
        self.network, self.arrays = network, network.rows(files)
        self._engine, self._how = Engine(network.build(files), how, network.name), how
        self._open: _Cells | None = None
        self._inputs: Inputs | None = None

    def cell(self, ride: "Ride", key: tuple[int, ...], shown: Mapping[str, Any], give: Give) -> Cell:
        """The cell of a ride under a key, the first of its frames and then all; computed where it is not known."""
        known = ride.cells(self.network.digest)
        if key not in known:
            if self._inputs is not None and not self._inputs.fit(shown):
                self.close(give)
            inputs = self._inputs = self._inputs or Inputs(shown, self._how)
            batch = self._open = self._open or _Cells(
                self.network, engine=self._engine, inputs=inputs, shapes=inputs.shapes, capacity=inputs.capacity
            )
            known[key] = Cell(batch)
            batch.cells.append(known[key])
            inputs.put(shown)
            if inputs.filled == inputs.capacity:
                self.close(give)
        return known[key]

    def close(self, give: Give, cells: Iterable[Cell] | None = None) -> None:
        """Gives the open batch; with `cells`, where one of them lies in it."""
        batch = self._open
        if batch is not None and (cells is None or any(cell.batch is batch for cell in cells)):
            self._open = self._inputs = None
            give(batch)


@dataclass
class _Gathered(Batch):
    """Rows of a lane and the cells that each is made of."""

    lane: "SharingLane" = field(kw_only=True)
    capacity: int = field(kw_only=True)
    cells: list[list[Cell]] = field(default_factory=list)

    def compute(self) -> dict[str, NDArray[Any]]:
        """See `Batch`; waits for the cells, which other threads compute."""
        return self.lane.compute(self.lane.gathered(self.cells), self.capacity)


class SharingLane(Lane):
    """A network whose rows are made of those of a shared one."""

    def __init__(self, extractor: Network, common: Shared, below: SharedNetwork, files: Files, how: How) -> None:
        own = common.above is None
        super().__init__(extractor, _Same() if common.above is None else common.above(files), files, _eager(how, own))
        self._below, self._whole, self._pads = below, own, bool(common.places)
        every = tuple(range(extractor.window.frames))
        self._places = (every,) if own else common.places or tuple((place,) for place in every)
        row_bytes = sum(4 * int(np.prod([max(side, 1) for side in one.shape])) for one in below.arrays.values())
        self.capacity = how.rows(row_bytes * len(self._places))

    def gathered(self, rows: list[list[Cell]]) -> dict[str, torch.Tensor]:
        """What the rows are computed from: (B, *shape) by array, or (B, cells, *shape)."""
        found = {}
        with torch.inference_mode():
            for name in self._below.arrays:
                cells = torch.stack([cell.of(name) for row in rows for cell in row])
                found[name] = cells if self._whole else cells.reshape(len(rows), -1, *cells.shape[1:])
        return found

    def _with(self, ride: "Ride", row: Row, shown: Mapping[str, Any], give: Give) -> _Gathered:
        cells = [self._cell(ride, places, row.frames, shown, give) for places in self._places]
        batch = self._open
        assert batch is None or isinstance(batch, _Gathered)
        if batch is not None and batch.cells[0][0].batch.shapes != cells[0].batch.shapes:
            self._close(give)
            batch = None
        batch = batch or _Gathered(self.extractor, lane=self, capacity=self.capacity)
        batch.cells.append(cells)
        return batch

    def _cell(
        self, ride: "Ride", places: tuple[int, ...], frames: tuple[int, ...], shown: Mapping[str, Any], give: Give
    ) -> Cell:
        there = [place >= 0 for place in places]
        first = frames[places[there.index(True)]]
        key = (first, *(frames[place] if place >= 0 else -1 for place in places))
        seen: dict[str, Any] = {need: [values[max(place, 0)] for place in places] for need, values in shown.items()}
        return self._below.cell(ride, key, seen | {"there": np.array(there)} if self._pads else seen, give)

    def _close(self, give: Give) -> None:
        """Compute threads take batches in the order they are given: the cells of these rows go first."""
        batch = self._open
        if isinstance(batch, _Gathered):
            self._below.close(give, (cell for cells in batch.cells for cell in cells))
        super()._close(give)


class _Same(nn.Module):
    """Rows as they are."""

    def forward(self, **arrays: torch.Tensor) -> dict[str, torch.Tensor]:
        """What it is shown."""
        return arrays


def _eager(how: How, own: bool) -> How:
    return replace(how, compiled=False) if own else how


def lanes_of(networks: Iterable[Network], files: Files, how: How) -> dict[str, Lane]:
    """A lane for each network, by digest; those that pay for it share what their windows have in common."""
    networks = list(networks)
    common = {one.digest: found for one in networks if _sees_pictures_alone(one) and (found := one.shared())}
    sharers = Counter(found.network.digest for found in common.values())
    below: dict[str, SharedNetwork] = {}
    lanes: dict[str, Lane] = {}
    for one in networks:
        found = common.get(one.digest)
        if found is None or not (sharers[found.network.digest] > 1 or (found.above and one.window.overlaps)):
            lanes[one.digest] = WindowLane(one, files, how)
            continue
        digest = found.network.digest
        below[digest] = below.get(digest) or SharedNetwork(found.network, files, how)
        lanes[one.digest] = SharingLane(one, found, below[digest], files, how)
    return lanes


def _sees_pictures_alone(network: Network) -> bool:
    return len(pictures_of(network)) == len(network.needs())
