"""Pairs ranked by the product of two distributions, without ever holding all of them for all clips."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

CHUNK_NUMBERS = 8_000_000
"""How many scores of pairs are in memory at once."""

Pairs = NDArray[np.int64]


def ranks(first: NDArray[Any], second: NDArray[Any], labels: Pairs, space: Pairs | None) -> NDArray[np.float64]:
    """(n,) how many pairs come before the labelled one, by p(first) * p(second); infinite where it is not in `space`.

    `first` (n, V) and `second` (n, W) are probabilities, `labels` (n, 2), `space` (K, 2) the pairs there are, in order
    (None: all, W the faster). Of equal products the pair that is first in the space comes first.
    """
    width = second.shape[1]
    numbers = None if space is None else space[:, 0] * width + space[:, 1]
    wanted = labels[:, 0] * width + labels[:, 1]
    places = wanted if numbers is None else _places(numbers, wanted)
    found = np.full(len(first), np.inf)
    for rows in _chunks(len(first), first.shape[1] * width):
        products = _products(first[rows], second[rows], space)
        known = places[rows] >= 0
        at = products[np.arange(len(products)), np.maximum(places[rows], 0)][:, None]
        earlier = np.arange(products.shape[1]) < places[rows][:, None]
        before = ((products > at) | ((products == at) & earlier)).sum(axis=1)
        found[rows] = np.where(known, before, np.inf)
    return found


def best(first: NDArray[Any], second: NDArray[Any], space: Pairs | None) -> Pairs:
    """(n, 2) the pair of the highest product of each clip; of equal ones the first in the space."""
    found = np.zeros((len(first), 2), np.int64)
    for rows in _chunks(len(first), first.shape[1] * second.shape[1]):
        place = _products(first[rows], second[rows], space).argmax(axis=1)
        found[rows] = np.stack(np.divmod(place, second.shape[1]), axis=1) if space is None else space[place]
    return found


def first(
    ones: NDArray[Any], others: NDArray[Any], space: Pairs | None, count: int
) -> list[tuple[NDArray[np.int64], float]]:
    """The `count` pairs of highest product of one clip, (V,) and (W,), each with it; of equal ones the first."""
    products = _products(ones[None], others[None], space)[0]
    places = np.argsort(-products, kind="stable")[:count]
    pairs = np.stack(np.divmod(places, len(others)), axis=1) if space is None else space[places]
    return [(pair, float(products[place])) for pair, place in zip(pairs, places, strict=True)]


def _products(first: NDArray[Any], second: NDArray[Any], space: Pairs | None) -> NDArray[np.float64]:
    """(n, pairs)."""
    first, second = first.astype(np.float64), second.astype(np.float64)
    if space is None:
        return np.asarray((first[:, :, None] * second[:, None]).reshape(len(first), -1))
    return np.asarray(first[:, space[:, 0]] * second[:, space[:, 1]])


def _places(numbers: Pairs, wanted: Pairs) -> Pairs:
    """Where each wanted number is in `numbers`, -1 where it is not."""
    order = np.argsort(numbers, kind="stable")
    near = np.searchsorted(numbers[order], wanted).clip(max=len(numbers) - 1)
    found = order[near]
    return np.where(numbers[found] == wanted, found, -1)


def _chunks(count: int, width: int) -> list[slice]:
    step = max(1, CHUNK_NUMBERS // max(width, 1))
    return [slice(start, start + step) for start in range(0, count, step)]
