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
    the mean of the rows as one.
    """

    array: Array
    name: str
    pack: Pack
    seen: Seen
    views: int = 0
    pooled: bool = False

    def gather(self, rows: Indices, there: NDArray[np.bool_], view: Indices | None = None) -> tuple[Tensor, Tensor]:
        """(B, N, *shape) of these rows (B, N) of the pack, and their mask; of these views (B,) where it has several."""
        if self.pooled and len(self.pack) and self.array.dtype in FLOATS:
            if self.views and view is not None:
                rows = rows * self.views + view[:, None]
            means, known = mean_rows(self._table, rows, there)
            means = means.reshape(*means.shape[:2], *self.array.shape)
            return means if self.array.scale == 1 else means.float() * self.array.scale, known
        if not len(self.pack):
            found = np.zeros((*there.shape, *self.array.shape), self.array.dtype)
        elif self.views and view is not None:
            found = self.pack[self.name][rows, view[:, None]]
        else:
            found = self.pack.gather(self.name, rows)
        tensor = torch.from_numpy(found)
        return tensor if self.array.scale == 1 else tensor.float() * self.array.scale, torch.from_numpy(there)

    @cached_property
    def _table(self) -> Tensor:
        """(rows, numbers), or (rows * views, numbers) where one view is looked at."""
        held = self.pack[self.name]
        return as_table(held.reshape(-1, *held.shape[2:]) if self.views else held)
