"""Pairs ranked by their product: against all of them sorted."""

import numpy as np
import pytest

from ego.tasks import _pairs
from ego.tasks._pairs import best, ranks


@pytest.mark.parametrize("chunk", [1, 10**6])
@pytest.mark.parametrize("some", [False, True])
def test_ranks_are_those_of_the_sorted_products(chunk: int, some: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pairs, "CHUNK_NUMBERS", chunk)
    random = np.random.default_rng(0)
    first, second = random.integers(1, 4, (20, 4)) / 4, random.integers(1, 4, (20, 5)) / 4  # many ties
    labels = np.stack([random.integers(0, 4, 20), random.integers(0, 5, 20)], 1)
    every = np.stack(np.divmod(np.arange(20), 5), 1)
    space = random.permutation(every)[:9] if some else None
    pairs = every if space is None else space
    for row, rank in enumerate(ranks(first, second, labels, space)):
        products = first[row, pairs[:, 0]] * second[row, pairs[:, 1]]
        order = pairs[np.argsort(-products, kind="stable")].tolist()
        wanted = labels[row].tolist()
        assert rank == (order.index(wanted) if wanted in order else np.inf)
        assert best(first[row : row + 1], second[row : row + 1], space)[0].tolist() == order[0]
