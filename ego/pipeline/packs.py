"""Rows that were read once are kept under the user's cache, by what they are: the next run opens them as they lie."""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ego.cache.key import FeatureKey
from ego.cache.pack import HEADER, Pack, contents, pack, save
from ego.cache.store import FeatureStore
from ego.errors import BrokenEntry, EgoError
from ego.pipeline.digests import cache_folder

MOST_BYTES = 50 * 10**9
"""How much the kept packs may take; those not used for longest go first. $EGO_PACK_GB says otherwise, 0: keep none."""


def packs_folder() -> Path | None:
    """Where packs are kept: packs/ in the user's cache of `ego`; None where $EGO_PACK_GB is 0."""
    return cache_folder() / "packs" if _most_bytes() else None


class Packs:
    """Packs in a folder, read from there or from the store, and kept there when the work is done; None: nowhere."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._fresh: list[tuple[Pack, str]] = []

    def read(self, store: FeatureStore, keys: Sequence[FeatureKey], arrays: Sequence[str]) -> Pack:
        """The rows of these entries: a kept pack, every byte checked, else the entries read into memory once."""
        if self._folder is None:
            return pack(store, keys, arrays)
        digest = contents(store, keys, arrays)
        kept = self._folder / digest[:32]
        if (kept / HEADER).is_file():
            with suppress(OSError):
                os.utime(kept)
            try:
                return Pack.open(kept)
            except BrokenEntry:
                shutil.rmtree(kept, ignore_errors=True)
        found = pack(store, keys, arrays)
        self._fresh.append((found, digest))
        return found

    def keep(self) -> None:
        """Keeps what was read from the store for the next run, as far as there is room: else that reads it again."""
        if self._folder is None:
            return
        most = _most_bytes()
        for one, digest in self._fresh:
            size = sum(one[array].nbytes for array in one.arrays) + one.time.nbytes
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                if size <= min(most, shutil.disk_usage(self._folder).free // 4):
                    _make_room(self._folder, most - size)
                    save(one, self._folder / digest[:32], digest)
            except (OSError, EgoError):
                break  # a full or read-only cache takes nothing away from the run
        self._fresh.clear()


def _make_room(folder: Path, most: int) -> None:
    """Removes the packs that were not used for longest until the rest take no more than this."""
    found = []
    for path in folder.iterdir():
        with suppress(OSError):
            found.append((path.stat().st_mtime, sum(file.stat().st_size for file in path.iterdir()), path))
    total = sum(size for _, size, _ in found)
    for _, size, path in sorted(found):
        if total <= most:
            return
        shutil.rmtree(path, ignore_errors=True)
        total -= size


def _most_bytes() -> int:
    text = os.environ.get("EGO_PACK_GB", "")
    return int(float(text) * 1e9) if text.replace(".", "", 1).isdigit() else MOST_BYTES
