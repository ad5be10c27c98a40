"""What a network is shown besides pictures: its sound, and the rows of those it holds as the store has them."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ego.cache.key import FeatureKey
from ego.cache.store import FeatureStore
from ego.errors import BadRequest, BadVideo
from ego.extractors._base import Extractor, Network
from ego.pipeline.jobs import entry_key
from ego.pipeline.listening import Listener
from ego.pipeline.needs import held_by, sounds_of, stands_beside
from ego.pipeline.windows import Shown
from ego.video import Reading, Video


def held_keys(extractor: Extractor, video: Video, readings: Mapping[str, Reading]) -> dict[str, FeatureKey]:
    """The entry of each extractor it holds, by need."""
    return {need: entry_key(video, held, readings) for need, held in held_by(extractor).items()}


def completed(
    shown: Sequence[Shown], extractor: Network, video: Video, readings: Mapping[str, Reading], store: FeatureStore
) -> list[Shown]:
    """The same windows of one video with all that their network is shown; every entry it reads is in the store.

    A held extractor that is absent for this video is a BadRequest; sound that ends before a window is a BadVideo.
    """
    once = {one.number: one for one in shown}
    held = {
        need: HeldRows(store, key, stands_beside(extractor, held_by(extractor)[need]), video)
        for need, key in held_keys(extractor, video, readings).items()
    }
    heard = _heard([once[number] for number in sorted(once)], extractor, video)
    found = {
        number: replace(one, given={**one.given, **heard.get(number, {}), **_rows(held, one)})
        for number, one in once.items()
    }
    return [found[one.number] for one in shown]


class HeldRows:
    """The stored rows of one held extractor: row by row where both have one window, else a row for each frame."""

    def __init__(self, store: FeatureStore, key: FeatureKey, beside: bool, video: Video) -> None:
        self._store, self._entry, self._beside = store, store.entry(key), beside
        marker = self._entry.marker
        if marker.state == "absent" or not marker.rows:
            why = marker.reason or "it has no rows"
            raise BadRequest(f"{key.name} of {video.name!r} is absent: {why}; leave that video out")
        with store.guard(self._entry):
            self._firsts = self._entry.rows("source", range(marker.rows))[:, 0]

    def of(self, shown: Shown) -> dict[str, NDArray[Any]]:
        """By array: (*shape) of the row beside, or (frames, *shape), each the last that begins with its frame."""
        frames = np.array(shown.row.frames)
        places = np.array([shown.number]) if self._beside else self._firsts.searchsorted(frames, side="right") - 1
        wanted, back = np.unique(places.clip(0, len(self._firsts) - 1), return_inverse=True)
        with self._store.guard(self._entry):
            arrays = {
                name: array.real(self._entry.pick(name, wanted))[back]
                for name, array in self._entry.marker.arrays.items()
            }
        return {name: rows[0] if self._beside else rows for name, rows in arrays.items()}


def _rows(held: Mapping[str, HeldRows], shown: Shown) -> dict[str, NDArray[Any]]:
    """Named as `Network.build` says."""
    return {
        need if array == "feature" else f"{need}_{array}": values
        for need, rows in held.items()
        for array, values in rows.of(shown).items()
    }


def _heard(shown: Iterable[Shown], extractor: Network, video: Video) -> dict[int, dict[str, NDArray[Any]]]:
    """The sound of windows in the order of time, by number and need."""
    found: dict[int, dict[str, NDArray[Any]]] = {}
    sounds = sounds_of(extractor)
    if not sounds:
        return found
    with closing(Listener()) as listener:
        for one in shown:
            for need, sound in sounds.items():
                samples = listener.take(video, one.row, extractor.window, sound)
                if samples is None:
                    raise BadVideo(f"the sound of {video.name!r} ends before {one.row.stop:.2f} s, where a clip is")
                found.setdefault(one.number, {})[need] = samples
    return found
