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


def packed(
    store: FeatureStore, keys: Sequence[FeatureKey], arrays: Sequence[str], folder: Path | None
) -> tuple[Pack, str | None]:
    """The rows of these entries, and the digest to keep them by; None where they are kept already or not to be.

    A kept pack is opened, every byte checked; else the entries are read into memory once.
    """
    if folder is None:
        return pack(store, keys, arrays), None
    name = contents(store, keys, arrays)
    kept = folder / name[:32]
    if (kept / HEADER).is_file():
        with suppress(OSError):
            os.utime(kept)
        try:
            return Pack.open(kept), None
        except BrokenEntry:
            shutil.rmtree(kept, ignore_errors=True)
    return pack(store, keys, arrays), name


def keep(packs: Sequence[tuple[Pack, str]], folder: Path) -> None:
    """Keeps packs for the next run, as far as there is room: without them it only reads again."""
    most = _most_bytes()
    for one, name in packs:
        size = sum(one[array].nbytes for array in one.arrays) + one.time.nbytes
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if size > min(most, shutil.disk_usage(folder).free // 4):
                continue
            _make_room(folder, most - size)
            save(one, folder / name[:32], name)
        except (OSError, EgoError):
            return  # a full or read-only cache takes nothing away from the run


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
