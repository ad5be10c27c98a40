"""One feature of all clips: packed rows, gathered at once for a batch."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ego.cache.pack import Pack
from ego.pipeline.clips import Indices
from ego.pipeline.looks import Seen
from ego.pipeline.pooled import FLOATS, as_table, mean_rows
from ego.video import Array


@dataclass(frozen=True, eq=False)
class Column:
    """One feature of all clips: the pack that holds its rows, and which of them each look sees.

    With `views` each look is at one view of the rows, and `array` is what one view is. With `pooled` a head is given
    the mean of the rows as one. On another `device` than the CPU the rows lie there, put there when first asked for.
    """

    array: Array
    name: str
    pack: Pack
    seen: Seen
    views: int = 0
    pooled: bool = False
    device: str = "cpu"

    @property
    def bytes(self) -> int:
        """How much memory its rows take."""
        return self.pack[self.name].nbytes

    def gather(self, rows: Indices, there: NDArray[np.bool_], view: Indices | None = None) -> tuple[Tensor, Tensor]:
        """(B, N, *shape) of these rows (B, N) of the pack, and their mask; of these views (B,) where it has several."""
        averaged = self.pooled and self.array.dtype in FLOATS
        if len(self.pack) and (averaged or self.device != "cpu") and self.views and view is not None:
            rows = rows * self.views + view[:, None]
        if len(self.pack) and averaged:
            counts = there.sum(axis=1)
            means, known = mean_rows(self._table, rows[there], np.cumsum(counts) - counts, counts > 0)
            means = means.reshape(*means.shape[:2], *self.array.shape)
            return means if self.array.scale == 1 else means.float() * self.array.scale, known
        if len(self.pack) and self.device != "cpu":
            picked = self._table.index_select(0, torch.from_numpy(rows).flatten().to(self.device))
            tensor = picked.reshape(*there.shape, *self.array.shape)
            return tensor if self.array.scale == 1 else tensor.float() * self.array.scale, torch.from_numpy(there)
        if not len(self.pack):
            found = np.zeros((*there.shape, *self.array.shape), self.array.dtype)
        elif self.views and view is not None:
            found = self.pack[self.name][rows, view[:, None]]
        else:
            found = self.pack.gather(self.name, rows)
        tensor = torch.from_numpy(found).reshape(*there.shape, *self.array.shape)
        return tensor if self.array.scale == 1 else tensor.float() * self.array.scale, torch.from_numpy(there)

    def gather_looks(self, looks: Indices, view: Indices) -> tuple[Tensor, Tensor]:
        """What `gather` gives for the rows that these looks (B,) see; means are computed once, for all looks."""
        count = len(self.seen.looks.counts)
        if not self.pooled or self.views or count > len(self.pack) or self.array.dtype not in FLOATS:
            return self.gather(*self.seen.looks.padded(looks), view)
        means, known = self._means
        places = torch.from_numpy(looks)
        some = means.index_select(0, places.to(means.device))
        return some if self.array.scale == 1 else some.float() * self.array.scale, known.index_select(0, places)

    @cached_property
    def _means(self) -> tuple[Tensor, Tensor]:
        """(looks, 1, *shape) means of the rows of every look, in the order in which the rows lie, and (looks, 1)."""
        looks = self.seen.looks
        means, known = mean_rows(self._table, looks.values, looks.starts, looks.counts > 0)
        return means.reshape(-1, 1, *self.array.shape), known

    @cached_property
    def _table(self) -> Tensor:
        """(rows, numbers), or (rows * views, numbers) where one view is looked at."""
        held = self.pack[self.name]
        held = held.reshape(-1, *held.shape[2:]) if self.views else held
        return as_table(held if held.ndim > 1 else held[:, None]).to(self.device)
