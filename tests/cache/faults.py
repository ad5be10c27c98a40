"""Drives one deed on a store into every fault, one fork each; run under LD_PRELOAD by test_faults.py.

    faults.py FOLDER DEED STRIDE SHARE

A parent that has imported everything, and started no thread, forks: one child does the deed with
the fault armed, one does it again without. After each the parent looks at every byte, and prints a
JSON line of what it counted and of whatever broke.
"""

import ctypes
import json
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import google_crc32c
import numcodecs
import numpy as np
import zarr
import zarr.codecs
import zarrs
from conftest import make_block, make_key, tree

from ego.cache import layout
from ego.cache.place import Folder
from ego.cache.sealed import Damage
from ego.cache.store import FeatureStore
from ego.cache.verify import check_entry
from ego.errors import EgoError
from ego.video import Array

WARM = (google_crc32c, numcodecs, zarr.codecs, zarrs)  # imported before the fork, not in every child
KINDS = {1: "kill", 2: "EIO once", 3: "EIO for ever", 4: "ENOSPC"}
ARRAYS = {"feature": Array((16,)), "flow": Array((4, 4, 2), "int8", compress=True)}
ROWS = 90
KEY, NEIGHBOUR, OTHER = make_key(1), make_key(2), make_key(3)
BLOCK = make_block(ARRAYS, ROWS)
faults = ctypes.CDLL(None)


def write(store: FeatureStore) -> str:
    """One entry of several shards."""
    pieces = ({name: values[low : low + 30] for name, values in BLOCK.items()} for low in range(0, ROWS, 30))
    return store.write(KEY, ARRAYS, pieces, {"video": "tea"})


def repair(store: FeatureStore) -> str:
    """What `ego verify --repair` and the next extract do: set the broken entry aside, write it again."""
    if any(not finding.ok for finding in store.verify(keys=[KEY])) and store.listing().state(KEY) != "missing":
        store.quarantine(KEY)
    return write(store)


def remove(store: FeatureStore) -> str:
    """The entry goes, if it is there."""
    if store.listing().state(KEY) != "missing":
        store.remove(KEY)
    return "removed"


def sweep(store: FeatureStore) -> str:
    """What a dead writer left goes."""
    store.sweep()
    return "swept"


def damage(store: FeatureStore) -> None:
    """One byte of the entry is changed."""
    write(store)
    shard = store.place / KEY.path / "feature/c/1/0"
    shard.write_bytes(b"\xff" + shard.read_bytes()[1:])


def abandon(store: FeatureStore) -> None:
    """A writer dies with rows staged."""
    if os.fork() == 0:
        writer = store.writing(KEY, ARRAYS)
        writer.append(BLOCK)
        os._exit(0)
    os.wait()


def nothing(store: FeatureStore) -> None:
    """A store without the entry, whose last attempt failed."""
    store.note_failure(KEY, "tea", "it failed before")


def careless(store: FeatureStore) -> str:
    """An entry copied straight to its place, as no writer of ours does: the faults must tear it."""
    shutil.copytree(store.place / NEIGHBOUR.path, store.place / KEY.path, dirs_exist_ok=True)
    return "copied"


DEEDS: dict[str, tuple[Callable[[FeatureStore], None], Callable[[FeatureStore], str]]] = {
    "write": (nothing, write),
    "rewrite": (damage, write),
    "repair": (damage, repair),
    "remove": (lambda store: (write(store), None)[1], remove),
    "sweep": (abandon, sweep),
    "careless": (nothing, careless),
}


def forked(deed: Callable[[FeatureStore], object], root: Path, at: int = 0, kind: int = 0) -> tuple[str, int]:
    """(how it ended, calls counted) of a deed in a child of its own."""
    read, written = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(60)
        try:
            store = FeatureStore(root)
            faults.fault_arm(str(root).encode(), at, kind)
            try:
                said = str(deed(store))
            except (OSError, EgoError) as error:
                said = f"error {type(error).__name__} {error}"
            except BaseException as error:
                said = f"bug {type(error).__name__} {error}"
            count = faults.fault_count()
            faults.fault_arm(b"", 0, 0)
            os.write(written, f"{count} {said}".encode()[:4000])
        finally:
            os._exit(0)
    os.close(written)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return ("killed" if os.WTERMSIG(status) == signal.SIGKILL else f"bug signal {os.WTERMSIG(status)}"), 0
    count, _, words = said.partition(" ")
    return words or "bug: it said nothing", int(count or 0)


def wrong(root: Path, neighbours: dict[str, dict[str, bytes]], started_broken: bool) -> str:
    """What is not as promised after a fault; nothing where all is well."""
    store = FeatureStore(root)
    for path, files in neighbours.items():
        if tree(root / path) != files:
            return f"the neighbour {path} changed"
    state = store.listing().state(KEY)
    if state == "stored":
        try:
            check_entry(Folder(root), KEY.path)
        except Damage as torn:
            return "" if started_broken and "feature/c/1/0 was changed" in str(torn) else f"torn: {torn}"
        feature = store.read(KEY)
        if any(not np.array_equal(feature[name], BLOCK[name]) for name in ARRAYS):
            return "other rows than were written"
    elif state == "broken":
        return "torn: no marker"
    return ""


def healed(root: Path, name: str, said: str) -> str:
    """What is not as promised after the second, undisturbed run."""
    store = FeatureStore(root)
    if said.startswith(("bug", "error", "killed")):
        return f"the second run: {said}"
    state, expected = store.listing().state(KEY), "stored" if name in ("write", "rewrite", "repair") else "missing"
    if state != expected:
        return f"after the second run it is {state}"
    problems = [finding for finding in store.verify() if not finding.ok]
    if problems:
        return f"after the second run: {problems[0]}"
    store.sweep()
    left = os.listdir(root / "staging")
    return f"left in staging: {left}" if left else ""


def main(folder: Path, name: str, stride: int, share: int) -> None:
    """Enumerates: point by point, kind by kind."""
    layout.CHUNK_ROWS, layout.SHARD_BYTES = 10, 2000
    prepare, deed = DEEDS[name]
    pattern = folder / "pattern"
    FeatureStore(pattern, create=True)

    def neighbours(store: FeatureStore) -> None:
        for key in (NEIGHBOUR, OTHER):
            store.write(key, ARRAYS, [make_block(ARRAYS, 5, seed=9)], {})

    forked(neighbours, pattern)
    if name == "sweep":
        abandon(FeatureStore(pattern))
    else:
        said, _ = forked(prepare, pattern)
        assert not said.startswith(("bug", "error")), said
    kept = {key.path: tree(pattern / key.path) for key in (NEIGHBOUR, OTHER)}
    root = folder / "store"
    shutil.copytree(pattern, root)
    said, points = forked(deed, root)
    result: dict[str, object] = {"deed": name, "points": points, "undisturbed": said}
    cases, ends, bad = 0, Counter(), []
    for number, (point, kind) in enumerate((point, kind) for point in range(1, points + 1) for kind in KINDS):
        if number % stride != share:
            continue
        shutil.rmtree(root)
        shutil.copytree(pattern, root)
        said, _ = forked(deed, root, point, kind)
        ends[f"{KINDS[kind]}: {said.split(' ')[0]}"] += 1
        cases += 1
        problem = "" if not said.startswith("bug") else said
        problem = problem or wrong(root, kept, name in ("rewrite", "repair"))
        if not problem:
            again, _ = forked(deed, root)
            problem = healed(root, name, again) or wrong(root, kept, False)
        if problem:
            bad.append(f"{KINDS[kind]} at {point}/{points} ({said[:200]}): {problem}")
    print(json.dumps({**result, "cases": cases, "ends": ends, "bad": bad}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
