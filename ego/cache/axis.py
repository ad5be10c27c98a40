"""Features of any rates on one time axis: each resampled in the way that is asked for, none silently."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ego.cache.entry import ALL, Feature
from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.errors import BadRequest

How = Literal["nearest", "mean", "interpolate"]
"""`nearest`: the row whose centre is nearest to the step's; `mean`: of the rows whose centres lie in the step,
else the nearest; `interpolate`: between the two rows around the step's centre."""


@dataclass(frozen=True, eq=False)
class Resampled:
    """One array on an axis: `values` (steps, *shape), and `there` (steps,), whether some row covers the step.

    Values are as stored with nearest, else float32 real numbers; where nothing is there they are 0.
    """

    values: NDArray[Any]
    there: NDArray[np.bool_]


def axis(start_seconds: float, stop_seconds: float, rate: float) -> NDArray[np.float64]:
    """(steps, 2) start and stop of each whole step of an axis with `rate` steps a second."""
    if not (start_seconds < stop_seconds and rate > 0):
        raise BadRequest(f"got an axis from {start_seconds:g} to {stop_seconds:g} s at {rate:g} a second")
    edges = start_seconds + np.arange(int((stop_seconds - start_seconds) * rate + 1e-9) + 1) / rate
    return np.stack([edges[:-1], edges[1:]], axis=1)


def together(
    store: FeatureStore, keys: Mapping[str, FeatureKey | str], spans: NDArray[np.float64], how: How | Mapping[str, How]
) -> dict[str, dict[str, Resampled]]:
    """Every array of these entries on one axis, by the name given to the entry, then by array.

    `spans` is (steps, 2) as of `axis`; `how` is one way for all or one for each name. A name without a way
    is a BadRequest; what is not stored is a NotExtracted.
    """
    found = {}
    for name, key in keys.items():
        way = how if isinstance(how, str) else how.get(name)
        if way is None:
            raise BadRequest(f"got no way to resample {name!r}; ask for nearest, mean or interpolate")
        seconds = (float(spans[0, 0]) - 1.0, float(spans[-1, 1]) + 1.0) if len(spans) else ALL
        feature = store.read(key, seconds)
        found[name] = {array: resample(feature, array, spans, way) for array in feature.names}
    return found


def resample(feature: Feature, array: str, spans: NDArray[np.float64], how: How) -> Resampled:
    """One array of a feature on an axis (steps, 2); see `How`.

    Rows of several subjects at one time have no one value, and numbers that are names cannot be averaged:
    a BadRequest.
    """
    values, what, time = feature[array], feature.arrays[array], feature.time
    if len(time) > 1 and (np.diff(time[:, 1]) <= 0).any():
        raise BadRequest(f"got several rows at one time in {array!r}; choose the rows of one track first")
    if how != "nearest" and values.dtype.kind in "iu" and what.scale == 1.0:
        raise BadRequest(f"got {how!r} for {array!r}, whose {values.dtype} numbers are not a quantity; use nearest")
    if not len(time):
        return Resampled(np.zeros((len(spans), *values.shape[1:]), values.dtype), np.zeros(len(spans), bool))
    centre = spans.mean(axis=1)
    near = _nearest(time[:, 1], centre)
    there = (time[near, 0] < spans[:, 1]) & (time[near, 2] > spans[:, 0])
    if how == "nearest":
        picked = values[near]
    elif how == "mean":
        picked = _means(what.real(values), time[:, 1], spans, near)
    else:
        picked = _between(what.real(values), time[:, 1], centre)
    picked[~there] = 0
    return Resampled(picked, there)


def _nearest(centres: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.int64]:
    """The index of the nearest of increasing centres; of two the earlier."""
    right = np.searchsorted(centres, wanted).clip(1, max(len(centres) - 1, 1)).clip(max=len(centres) - 1)
    left = (right - 1).clip(0)
    return np.where(wanted - centres[left] <= centres[right] - wanted, left, right)


def _means(
    values: NDArray[Any], centres: NDArray[np.float64], spans: NDArray[np.float64], near: NDArray[np.int64]
) -> NDArray[np.float32]:
    first, stop = np.searchsorted(centres, spans[:, 0]), np.searchsorted(centres, spans[:, 1])
    picked = values[near].astype(np.float32)
    for step in np.flatnonzero(stop - first > 1):
        picked[step] = values[first[step] : stop[step]].mean(axis=0, dtype=np.float64)
    only = stop - first == 1
    picked[only] = values[first[only]]
    return picked


def _between(values: NDArray[Any], centres: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float32]:
    right = np.searchsorted(centres, wanted).clip(0, len(centres) - 1)
    left = np.where(centres[right] > wanted, (right - 1).clip(0), right)
    gap = centres[right] - centres[left]
    share = np.divide(wanted - centres[left], gap, out=np.zeros(len(wanted)), where=gap > 0)
    share = share.clip(0, 1).astype(np.float32).reshape(-1, *(1,) * (values.ndim - 1))
    mixed: NDArray[np.float32] = values[left].astype(np.float32) * (1 - share) + values[right] * share
    return mixed
