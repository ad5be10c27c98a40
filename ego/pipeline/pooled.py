"""The mean of the rows that a clip sees, gathered, cast and averaged in one pass over the packed rows."""

import warnings
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ego.pipeline.clips import Indices

FLOATS = ("float16", "float32", "float64")


def as_table(rows: NDArray[Any]) -> Tensor:
    """(rows, numbers) tensor over the same memory as packed rows, which stay as they are."""
    with warnings.catch_warnings():  # torch has no tensors that cannot be written to; nothing here writes
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(rows).flatten(1)


def mean_rows(table: Tensor, rows: Indices, starts: Indices, known: NDArray[np.bool_]) -> tuple[Tensor, Tensor]:
    """(B, 1, numbers) means over lists of rows of a table, list i from starts[i] on to the next, and their mask (B, 1).

    `known` (B,) says which lists hold a row; of the others the mean is 0.
    Sums are float32 and the means of the table's own type: a clip's mean is rounded as its rows are.
    """
    places, first = (torch.from_numpy(one).to(table.device) for one in (rows, starts))
    means = functional.embedding_bag(places, table, first, mode="mean")
    return means[:, None], torch.from_numpy(known[:, None])
