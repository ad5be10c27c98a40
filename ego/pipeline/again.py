"""Entries made a second time: to compare with what is stored, or in place of what was set aside."""

import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.cache.entry import Feature
from ego.cache.store import FeatureStore
from ego.errors import BadRequest, BrokenEntry, NotExtracted
from ego.extractors._base import Extractor, Files
from ego.pipeline.extract import extract
from ego.pipeline.jobs import Job, Outcome, Readings, computed_for, entry_key
from ego.pipeline.staged import remember
from ego.spec import rebuild
from ego.video import Video


@dataclass(frozen=True)
class Difference:
    """How far an entry made again lies from the stored one.

    `relative` is the greatest relative L2 difference of a row of any array; `problem` is empty where it
    is within the extractor's `tolerance`.
    """

    path: str
    video: str
    extractor: str
    relative: float
    tolerance: float
    problem: str


def extractor_of(description: Mapping[str, Any] | None, path: str) -> Extractor:
    """The extractor whose entry lies at `path`, from its stored description; a BadRequest where that is gone."""
    if description is None:
        raise BadRequest(f"what made {path} is not noted any more; name it with --with and --set")
    found = rebuild(description)
    if not isinstance(found, Extractor):
        raise BadRequest(f"got the description of {found.name} for {path}, which is no extractor")
    return found


def description_of(store: FeatureStore, path: str) -> Mapping[str, Any] | None:
    """What made the entry at `path` (or the entries of its group): from its marker, its neighbours' or the note."""
    group = path.split("/")[0]
    beside = (f"{one}/{entry}" for one, entry, state in store.listing().entries() if one == group and state != "failed")
    for one in (path, *beside):
        try:
            spec = store.marker(one).spec
        except (BrokenEntry, NotExtracted, BadRequest):  # broken too, gone, or no entry at all
            continue
        if spec is not None:
            return spec
    try:
        return store.spec(group)
    except NotExtracted:
        return None


def note_again(store: FeatureStore, path: str, videos: Sequence[Video]) -> None:
    """Writes the note that was at `path` anew, from a sound entry or from the video, where that is at hand."""
    if path.endswith("/spec.json"):
        description = description_of(store, path)
        if description is not None:
            store.remember_spec(extractor_of(description, path))
    for video in videos:
        if path == f"notes/videos/{video.digest[:16]}.json":
            remember(store, video)


def recompute(
    store: FeatureStore,
    videos: Sequence[Video],
    files: Files,
    count: int,
    readings: Readings | None = None,
    chance: random.Random | None = None,
    **how: Any,
) -> Iterator[Difference]:
    """A Difference for each of `count` random entries of these videos, run again from decoding to rows.

    `how` is passed on to `extract`. An entry whose extractor this ego no longer has is a problem, as is
    a video that no longer decodes. No stored entry of these videos: BadRequest.
    """
    known = {video.digest[:16]: video for video in videos}
    choices = sorted(
        f"{group}/{entry}"
        for group, entry, state in store.listing().entries()
        if state == "stored" and entry[:16] in known
    )
    if not choices:
        raise BadRequest("none of the videos named has an entry in the store; name some that have")
    for path in (chance or random.SystemRandom()).sample(choices, min(count, len(choices))):
        video = known[path.split("/")[1][:16]]
        beside = (readings or {}).get(video.digest, {})
        extractor = extractor_of(store.marker(path).spec, path)
        held = computed_for((extractor,), lambda one: False)
        yield _compare(store, path, Job(video, (extractor,), beside, held), files, how)


def _compare(store: FeatureStore, path: str, job: Job, files: Files, how: dict[str, Any]) -> Difference:
    extractor = job.extractors[0]
    stored = store.read(path)
    relative, problem = 0.0, ""
    with tempfile.TemporaryDirectory(prefix="ego-again-") as folder:
        scratch = FeatureStore(folder, create=True)
        outcome = next(one for one in extract([job], scratch, files, **how) if isinstance(one, Outcome))
        key = entry_key(job.video, extractor, job.readings)
        if outcome.error is not None:
            problem = outcome.error
        elif key.path != path:
            problem = "its signals are not those it was made with"
        else:
            relative, problem = differ(stored, scratch.read(key), extractor.tolerance)
    return Difference(path, job.video.name, extractor.name, relative, extractor.tolerance, problem)


def differ(stored: Feature, again: Feature, tolerance: float) -> tuple[float, str]:
    """(greatest relative L2 difference of a row, what is wrong): equal times and sources, rows within tolerance."""
    if len(stored) != len(again):
        return np.inf, f"{len(again)} rows instead of {len(stored)}"
    if not np.allclose(stored.time, again.time, rtol=0, atol=1e-6):
        return np.inf, "its rows lie at other times"
    if not np.array_equal(stored.source, again.source):
        return np.inf, "its rows are made of other frames"
    worst = max((_relative(stored[name], again[name]) for name in stored.names), default=0.0)
    return worst, "" if worst <= tolerance else f"a row differs by {worst:.2g}, {tolerance:g} is allowed"


def _relative(stored: NDArray[Any], again: NDArray[Any]) -> float:
    """The greatest relative L2 difference of a row, block by block so that large rows fit."""
    worst = 0.0
    for start in range(0, len(stored), 256):
        old = stored[start : start + 256].reshape(len(stored[start : start + 256]), -1).astype(np.float64)
        new = again[start : start + 256].reshape(len(old), -1).astype(np.float64)
        gap, length = np.linalg.norm(new - old, axis=1), np.linalg.norm(old, axis=1)
        worst = max(worst, float(np.max(np.where(gap == 0, 0.0, gap / np.maximum(length, 1e-12)), initial=0.0)))
    return worst
